"""Model folders: written whole or not at all, read from safetensors alone.

A folder holds `config.json`, `labels.json`, `model.safetensors`, the piece reader's file
(`vocabulary.json` or `tokenizer.json`) and `README.md`, the model card. In one exported to ONNX, the
encoder is in `encoder.onnx`, and the safetensors hold the rest. A model of n-grams has `ngrams.json`, one
of names `names.json` or `likeness.json`, and an ensemble has the folders of its members inside its own.
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any, Final, TypeAlias

import torch
from pydantic import ValidationError
from torch import Tensor

from clinlp.errors import UsageError
from clinlp.models.baselines import (
    Baseline,
    Dictionary,
    DictionaryConfig,
    Ensemble,
    EnsembleConfig,
    Likeness,
    LikenessConfig,
    Tfidf,
    TfidfConfig,
    pack,
    unpack,
)
from clinlp.models.codes import CodesConfig
from clinlp.models.diagnoser import Diagnoser, DiagnoserConfig
from clinlp.models.onnx import OnnxEncoder
from clinlp.models.patients import PatientConfig, PatientDiagnoser
from clinlp.models.tagger import Tagger, TaggerConfig

Model: TypeAlias = Tagger | Diagnoser | PatientDiagnoser | Baseline
BUNDLED = Path(__file__).parent.parent / "pretrained"
GRAPH: Final = "encoder.onnx"
WEIGHT_FILES: Final = ("model.safetensors", GRAPH)
"""What holds the weights of a model; the second is in an ONNX export alone."""


_DIAGNOSIS: Final[dict[str | None, type[CodesConfig]]] = {
    None: DiagnoserConfig,
    "patients": PatientConfig,
    "tfidf": TfidfConfig,
    "dictionary": DictionaryConfig,
    "likeness": LikenessConfig,
    "ensemble": EnsembleConfig,
}
"""The `model` of a `config.json` whose task is diagnosis -> what it is; a network of notes says nothing."""


def list_bundled() -> list[str]:
    """Name the models that ship with the package."""
    return sorted(path.parent.name for path in BUNDLED.glob("*/config.json"))


def find_model(name: str | Path) -> Path:
    """Give the folder of a bundled model's name or of a path.

    Raises:
        UsageError: Neither is there, or the folder is no model folder.
    """
    path = Path(name)
    if not path.exists() and path.name == str(name) and (BUNDLED / path.name).is_dir():
        path = BUNDLED / path.name
    if not path.is_dir():
        raise UsageError(f"{name}: a model folder or one of {', '.join(list_bundled()) or 'none'} needed, got neither")
    for file in ("config.json", "labels.json", "model.safetensors"):
        if not (path / file).is_file():
            best = (
                f"that of a run is {path / 'best'}" if (path / "best" / file).is_file() else "is this a model folder?"
            )
            raise UsageError(f"{path}: no {file}; {best}")
    return path


def read_config(name: str | Path) -> TaggerConfig | CodesConfig:
    """Read what a model is, without its weights.

    Raises:
        UsageError: The folder is no model folder, or of another version.
    """
    folder = find_model(name)
    try:
        held: dict[str, Any] = json.loads((folder / "config.json").read_text("utf-8"))
        labels = tuple(json.loads((folder / "labels.json").read_text("utf-8")))
        task = held.get("task")
        if task in ("entities", "phi"):
            return TaggerConfig.model_validate(held | {"labels": labels})
        if task == "diagnosis":
            kind = _DIAGNOSIS.get(held.get("model"), DiagnoserConfig)
            return kind.model_validate(held | {"codes": labels})
    except (ValidationError, json.JSONDecodeError, UnicodeDecodeError, AttributeError, TypeError) as error:
        raise UsageError(f"{folder}: a config.json of this version needed, got {type(error).__name__}") from None
    raise UsageError(f"{folder}/config.json: task entities, phi or diagnosis needed, got {task!r}")


def reads_patients(name: str | Path) -> bool:
    """Whether a model reads all notes of a patient together, by itself or as a member of an ensemble.

    Raises:
        UsageError: The folder is no model folder, or of another version.
    """
    config = read_config(name)
    if isinstance(config, EnsembleConfig):
        folder = find_model(name)
        return any(reads_patients(folder / member) for member in config.members)
    return isinstance(config, PatientConfig)


def load_model(name: str | Path) -> Model:
    """Build a model and fill in its weights; in evaluation mode, on the CPU, in float32 or in the form of an export.

    Raises:
        UsageError: The folder is no model folder, or weights and config do not fit.
        MissingExtraError: It is an ONNX export, and onnxruntime is not installed.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    folder = find_model(name)
    config = read_config(folder)
    model = _build(config)
    try:
        held = load_file(folder / "model.safetensors")
        if isinstance(model, Tfidf):
            held = unpack(held, {"weight": len(model.config.codes)})
        model.load_state_dict(
            {key: value.float() if value.is_floating_point() else value for key, value in held.items()}
        )
    except (SafetensorError, RuntimeError) as error:
        raise UsageError(
            f"{folder}/model.safetensors: weights of its config.json needed, got {type(error).__name__}"
        ) from None
    if isinstance(model, (Tagger, Diagnoser)) and isinstance(model.encoder, OnnxEncoder):
        _load_graph(folder, model.encoder)
    return model.eval()


_KINDS: Final[dict[type[TaggerConfig | CodesConfig], Any]] = {
    TaggerConfig: Tagger,
    TfidfConfig: Tfidf,
    DictionaryConfig: Dictionary,
    LikenessConfig: Likeness,
    EnsembleConfig: Ensemble,
    PatientConfig: PatientDiagnoser,
    DiagnoserConfig: Diagnoser,
}


def _build(config: TaggerConfig | CodesConfig) -> Model:
    """Make the model of a config, without its weights."""
    model: Model = _KINDS[type(config)](config)
    return model


def _load_graph(folder: Path, encoder: OnnxEncoder) -> None:
    """Read the graph and make it ready: what is wrong with it is said before any text is read."""
    if not (folder / GRAPH).is_file():
        raise UsageError(f"{folder}: no {GRAPH}, which its config.json asks for")
    encoder.graph = (folder / GRAPH).read_bytes()
    try:
        encoder.open()
    except UsageError as error:
        raise UsageError(f"{folder}/{error}") from None


def save_model(folder: Path, model: Model, *, half: bool = False) -> None:
    """Write a model's config, labels and weights; each file appears whole or not at all.

    Args:
        half: Store float16: half the size, and more digits than a prediction shows.
    """
    folder.mkdir(parents=True, exist_ok=True)
    held = model.config.model_dump(mode="json")
    labels = held.pop("labels" if isinstance(model, Tagger) else "codes")
    write_whole(folder / "config.json", json.dumps(held, indent=1, ensure_ascii=False))
    write_whole(folder / "labels.json", json.dumps(labels, ensure_ascii=False))
    tensors = pack(model.state_dict()) if isinstance(model, Tfidf) else model.state_dict()
    save_tensors(folder / "model.safetensors", tensors, half=half)
    if isinstance(model, (Tagger, Diagnoser)) and isinstance(model.encoder, OnnxEncoder):
        part = folder / f"{GRAPH}.{os.getpid()}.part"
        part.write_bytes(model.encoder.graph)
        part.replace(folder / GRAPH)


def save_tensors(path: Path, tensors: dict[str, Tensor], *, half: bool = False) -> None:
    """Write tensors as safetensors under a temporary name and move them into place.

    Raises:
        OSError: They could not be written; what was there before is as it was.
    """
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    held = {key: value.detach().cpu().contiguous() for key, value in tensors.items()}
    if half:
        held = {key: value.half() if value.dtype == torch.float32 else value for key, value in held.items()}
    part = path.with_name(f"{path.name}.{os.getpid()}.part")  # processes of one run may write side by side
    try:
        save_file(held, part)
        part.chmod(0o644)  # safetensors writes files that only their owner can read
        part.replace(path)
    except SafetensorError as error:  # a full disk, above all, which is an OSError everywhere else
        number = re.search(r"os error (\d+)", str(error))
        if number is None:
            raise
        raise OSError(int(number[1]), os.strerror(int(number[1])), str(path)) from None
    finally:
        part.unlink(missing_ok=True)


def write_whole(path: Path, text: str) -> None:
    """Write a text file under a temporary name and move it into place."""
    part = path.with_name(f"{path.name}.{os.getpid()}.part")  # processes of one run may write side by side
    part.write_text(text, "utf-8")
    part.replace(path)
