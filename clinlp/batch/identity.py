"""What tells a job from another: the checksums of its input, models and rules, and its options."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

from clinlp.batch.config import BatchConfig
from clinlp.batch.output import digest, versions, weights
from clinlp.batch.sources import Source


def checksum(source: Source) -> str:
    """SHA-256 of a file; of a folder with one file a note, that of the names, sizes and times of its files."""
    if not source.names:
        return digest(Path(source.path))
    whole = sha256()
    for name in source.names:
        facts = (Path(source.path) / name).stat()
        whole.update(f"{name}\0{facts.st_size}\0{facts.st_mtime_ns}\n".encode("utf-8", "surrogateescape"))
    return whole.hexdigest()


def made_by(config: BatchConfig) -> dict[str, Any]:
    """What an output hangs on beside the options: versions, models, and of surrogates the key, as a checksum."""
    held: dict[str, Any] = {"versions": versions(), "models": weights_of(config)}
    if config.deid != "surrogate":
        return held
    from clinlp.deid.keys import read_key

    return held | {"key checksum": read_key(config.key_file).derive("job").hex()[:16]}


def weights_of(config: BatchConfig) -> dict[str, dict[str, str]]:
    """Checksums of the models that a config names, and of its files of rules and thresholds."""
    entities = "off" if config.keep_entities else config.entities
    named = {"phi": config.phi, "entities": entities, "diagnosis": config.diagnosis}
    if config.context_model != "rules":
        named["context"] = config.context_model
    files = {"rules": config.rules, "thresholds": config.thresholds}
    found = {name: {path.name: digest(path)} for name, path in files.items() if path is not None and path.is_file()}
    if set(named.values()) == {"off"}:
        return found
    from clinlp.models.store import list_bundled  # torch: never for rules alone

    bundled = list_bundled()
    for task, name in named.items():
        names = [each for each in bundled if each.startswith(f"{task}-")] if name == "bundled" else [name]
        found |= {each: weights(each) for each in names if each != "off"}
    return found


def differences(where: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """Say in words what two tables of facts have otherwise; `where` begins the name of each."""
    found: list[str] = []
    for name in sorted({*before, *after}):
        one, other = before.get(name), after.get(name)
        if isinstance(one, dict) and isinstance(other, dict):
            found += differences(f"{where}{name} ", one, other)
        elif one != other:
            found.append(f"{where}{name} was {_short(one)}, now it is {_short(other)}")
    return found


def _short(value: Any) -> str:
    text = "not there" if value is None else str(value)
    return text if len(text) <= 40 else f"{text[:12]}…"
