"""What is scored: predicted notes from files, or made by a model or the rules from gold's texts alone."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

from clinlp.errors import DataError, UsageError
from clinlp.note import Diagnosis, Note

if TYPE_CHECKING:
    from clinlp.metrics.choice import Choice
    from clinlp.metrics.diagnosis import DiagnosisScores, View
    from clinlp.metrics.entities import Match
    from clinlp.metrics.prf import NoteCounts

Attribute = Literal["entities", "phi", "diagnoses"]
RULES = "rules"
_OF_MODELS = (
    "model.safetensors",
    "labels.json",
    "best/labels.json",
)  # a run's folder is refused with the name of its model


class Predicted(NamedTuple):
    """Notes as they came out, what to score in them, and how codes were read."""

    notes: list[Note]
    attributes: tuple[Attribute, ...]
    choice: Choice | None = None  # of the model; else from 0.5 on
    code_length: int | None = None
    single: bool = False  # exactly one code a note: the first one, whatever its probability
    line: tuple[float, float] = (1.0, 0.0)  # by which the log-odds of entities were divided, and what was added
    ahead: bool = False  # codes are those of the patient's next visit


def predict(predicted: str, gold: Sequence[Note], attribute: Attribute | None, device: str | None) -> Predicted:
    """Read predictions, or make them from the texts of gold alone."""
    path = Path(predicted)
    if predicted == RULES and not path.exists():
        return _by_rules(gold, attribute)
    if not path.exists() or any((path / name).is_file() for name in _OF_MODELS):
        return _by_model(predicted, gold, attribute, device)
    from clinlp.records import read_notes

    notes = list(read_notes(path))
    attributes = (attribute,) if attribute else _marked(gold)
    if not attributes:
        raise UsageError("gold: notes with entities, phi or diagnoses needed, got none of them; name one: --attribute")
    if any(note.diagnoses is not None for note in notes):  # a note of which a model said nothing has no code
        notes = [note if note.diagnoses is not None else replace(note, diagnoses=()) for note in notes]
    return Predicted(notes, attributes, _choice_of_job(path))


def _choice_of_job(path: Path) -> Choice | None:
    """Say which codes of a job's output count: those that its model chose are those that are there."""
    from clinlp.batch.output import MANIFEST
    from clinlp.metrics.choice import Choice

    manifest = (path if path.is_dir() else path.parent) / MANIFEST
    try:
        config = json.loads(manifest.read_text("utf-8"))["config"]
        ranked = config["top"] is not None or config["diagnosis"] == "off"
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return None if ranked else Choice(0.0)


def _marked(gold: Sequence[Note]) -> tuple[Attribute, ...]:
    """What the notes are annotated with."""
    held: dict[Attribute, bool] = {
        "entities": any(note.entities for note in gold),
        "phi": any(note.phi for note in gold),
        "diagnoses": any(note.diagnoses is not None for note in gold),
    }
    return tuple(name for name, there in held.items() if there)


def _check(gold: Sequence[Note], task: Attribute) -> None:
    """Refuse to score against nothing, before a model is loaded: all that it found would be wrong."""
    if task not in _marked(gold):
        raise DataError(f"gold: notes with {task} needed, got none in {len(gold):,}")


def _by_rules(gold: Sequence[Note], attribute: Attribute | None) -> Predicted:
    if attribute not in (None, "phi"):
        raise UsageError(f"rules: they find phi, got --attribute {attribute}")
    from clinlp.deid import default_detectors, find_phi

    _check(gold, "phi")
    return Predicted(find_phi([_bare(note) for note in gold], default_detectors()), ("phi",))


def _by_model(model: str, gold: Sequence[Note], attribute: Attribute | None, device: str | None) -> Predicted:
    from clinlp.models.store import read_config
    from clinlp.models.tagger import TaggerConfig

    config = read_config(model)
    task: Attribute = config.task if isinstance(config, TaggerConfig) else "diagnoses"
    if attribute not in (None, task):
        raise UsageError(f"{model}: a model of {task}, got --attribute {attribute}")
    _check(gold, task)
    notes = [_bare(note) for note in gold]
    if isinstance(config, TaggerConfig) and config.task == "phi":
        from clinlp.deid import find_phi
        from clinlp.inference.phi import PhiTagger

        return Predicted(find_phi(notes, [PhiTagger.load(model, device=device)]), ("phi",))
    if isinstance(config, TaggerConfig):
        from clinlp.inference.entities import EntityPredictor

        found = EntityPredictor.load(model, device=device)(notes)
        return Predicted(found, ("entities",), line=(config.temperature, config.offset))
    from clinlp.inference.decision import choice
    from clinlp.inference.diagnosis import DiagnosisPredictor

    predictor = DiagnosisPredictor.load(model, device=device, top=len(config.codes))
    predictor.evidence = False  # all codes of all notes are ranked: where each looked would fill the memory
    return Predicted(
        predictor(notes), ("diagnoses",), choice(config), config.code_length, config.single, ahead=predictor.ahead
    )


def gold_of(notes: Sequence[Note], found: Predicted) -> list[Note]:
    """Give gold as the predictions have it: codes of their length, of the next visit if that is what was forecast."""
    if found.ahead:
        from clinlp.data.patients import next_codes

        notes = next_codes(notes)
    return [shortened(note, found.code_length) for note in notes]


def _bare(note: Note) -> Note:
    """What a model may see of a gold note."""
    return Note(note.note_id, note.text, note.patient_id, note.lang, note.time, fields=note.fields)


def shortened(note: Note, length: int | None) -> Note:
    """Cut codes to the length that a model learned; of those that become one the first stays."""
    if note.diagnoses is None or length is None:
        return note
    codes: dict[str, Diagnosis] = {}
    for diagnosis in note.diagnoses:
        codes.setdefault(diagnosis.code[:length], replace(diagnosis, code=diagnosis.code[:length]))
    return replace(note, diagnoses=tuple(codes.values()))


def chosen(found: Predicted, threshold: float | None = None) -> Choice:
    """Say which codes count: by the threshold given, else as the model says."""
    from clinlp.metrics.choice import Choice

    if threshold is not None and not found.single:
        return Choice(threshold)
    return found.choice or Choice()


def score_codes(
    gold: Sequence[Note], found: Predicted, threshold: float | None = None, view: View | None = None
) -> DiagnosisScores:
    """Score codes in the model's own way, or by the threshold given."""
    from clinlp.metrics.diagnosis import score_diagnoses

    return score_diagnoses(gold, found.notes, chosen(found, threshold), view=view)


def count_spans(
    gold: Sequence[Note], predicted: Sequence[Note], attribute: Literal["entities", "phi"], match: Match
) -> tuple[NoteCounts, ...]:
    """Count the spans of each note in the order of gold; of PHI also what leaks, whatever its label."""
    from clinlp.metrics.entities import score_entities

    notes = score_entities(gold, predicted, match, attribute).notes
    if attribute == "entities":
        return notes
    from clinlp.metrics.leakage import score_leakage

    by_id = {note.note_id: note for note in predicted}  # complete: the spans' scores have paired them
    leakage = score_leakage(gold, [by_id[note.note_id] for note in gold])
    return tuple(replace(note, shares=each.shares) for note, each in zip(notes, leakage.notes, strict=True))
