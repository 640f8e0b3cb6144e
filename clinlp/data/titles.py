"""What the codes of a model are called, for people to read: one name a code and language, where a table has it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

from clinlp.errors import UsageError
from clinlp.models.store import write_whole
from clinlp.note import Lang
from clinlp.text.language import detect_language

FILE: Final = "titles.json"
Titles = Mapping[str, tuple[str, ...]]
"""Code -> its first name in each language."""


def choose_titles(codes: Sequence[str], tables: Iterable[Mapping[str, Sequence[str]]]) -> Titles:
    """Give the first name in each language of every code that a table has, as A00.0, a00.0 or A000."""
    chosen: dict[str, dict[Lang, str]] = {}
    for table in tables:
        spelled = {_plain(code): names for code, names in table.items()}
        for code in codes:
            for name in table.get(code) or spelled.get(_plain(code), ()):
                chosen.setdefault(code, {}).setdefault(detect_language(name), name)
    return {code: tuple(names.values()) for code, names in chosen.items()}


def title_of(names: Sequence[str], lang: Lang) -> str:
    """Give the name in a language, else in another; nothing where there is none."""
    return next((name for name in names if detect_language(name) == lang), names[0] if names else "")


def write_titles(folder: Path, titles: Titles) -> None:
    """Write the names into a model folder, if there are any."""
    if titles:
        write_whole(folder / FILE, json.dumps(titles, ensure_ascii=False, indent=1))


def read_titles(folder: Path) -> Titles:
    """Read the names of a model folder; none where it has none.

    Raises:
        UsageError: They are broken.
    """
    path = folder / FILE
    if not path.is_file():
        return {}
    try:
        return {code: tuple(map(str, names)) for code, names in json.loads(path.read_text("utf-8")).items()}
    except (AttributeError, TypeError, ValueError) as error:
        raise UsageError(f"{path}: codes with names needed, got {type(error).__name__}") from None


def _plain(code: str) -> str:
    return code.upper().replace(".", "")
