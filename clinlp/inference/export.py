"""Model folders in another form, and what the form changes: answers on dev notes, and speed."""

from __future__ import annotations

import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeAlias

import numpy as np
import torch
from torch import Tensor

from clinlp.data.batches import by_length, pad
from clinlp.data.pieces import PieceReader, read_pieces
from clinlp.deid import find_phi
from clinlp.errors import DataError, UsageError
from clinlp.inference.decision import choice
from clinlp.inference.device import Precision, autocast
from clinlp.inference.diagnosis import DiagnosisPredictor
from clinlp.inference.entities import EntityPredictor
from clinlp.inference.network import NoteRanker
from clinlp.inference.phi import PhiTagger
from clinlp.models.diagnoser import Diagnoser
from clinlp.models.export import convert
from clinlp.models.form import Form
from clinlp.models.store import find_model, load_model, save_model, write_whole
from clinlp.models.tagger import Tagger
from clinlp.note import Diagnosis, Note
from clinlp.tagging.windows import overlapping

Model: TypeAlias = Tagger | Diagnoser
Answer: TypeAlias = tuple[int, int, int, str]  # the note's place, start, end, label; a code has no place in it
_BATCH_PIECES: Final = 8192
_UNREAL: Final = -1e3  # scores below stand for what is impossible


@dataclass(frozen=True, slots=True)
class Speed:
    """Characters a second of a model in a form and a precision."""

    form: Form
    precision: Precision
    characters_per_s: float


@dataclass(frozen=True, slots=True)
class Parity:
    """How an exported model's answers compare with those of the model as it was trained, in float32.

    Attributes:
        n_before: Spans, or codes of notes, that the trained model finds.
        n_after: Those that the export finds.
        n_same: Those that both find: same borders, same label.
        difference: The largest between emissions of the two (probabilities of codes, of a diagnoser).
        speeds: The trained model in float32, in bf16 if that is what it would compute in here, the export.
    """

    n_notes: int
    n_characters: int
    n_before: int
    n_after: int
    n_same: int
    difference: float
    speeds: tuple[Speed, ...]

    @property
    def same(self) -> float:
        """Share of answers that both give, of those that either gives."""
        either = self.n_before + self.n_after - self.n_same
        return self.n_same / either if either else 1.0


def export_model(
    model: str | Path, out: Path, form: Form, dev: Sequence[Note] | None = None, *, max_different: float = 0.0
) -> Parity | None:
    """Write a model folder in another form; with dev notes, only if its answers are still the same.

    Args:
        model: A model folder or a bundled model's name.
        out: Folder to make.
        dev: Notes to compare on; their own spans have no say.
        max_different: Share of answers that may differ.

    Returns:
        The comparison, if there are dev notes.

    Raises:
        UsageError: The model cannot be exported, or the output is taken.
        DataError: Too many answers differ, or there are no answers to compare. Nothing is written.
        MissingExtraError: ONNX is asked for and not installed.
    """
    folder = find_model(model)
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UsageError(f"{out}: a folder to make needed, got one that is there; choose another -o")
    before = load_model(folder)
    if not isinstance(before, (Tagger, Diagnoser)):
        raise UsageError(f"{model}: a network needed to export, got a model of the kind {before.config.model}")
    reader = read_pieces(folder)
    try:
        after = convert(before, form)
    except UsageError as error:
        raise UsageError(f"{model}: {error}") from None
    part = out.with_name(f"{out.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    try:
        save_model(part, after)
        reader.save(part)
        _write_card(folder, part, form)
        parity = None if dev is None else compare(before, _network(part), reader, dev)
        if parity is not None:
            _check(parity, max_different, str(model))
        if out.exists():
            out.rmdir()
        part.replace(out)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return parity


def _network(folder: Path) -> Model:
    """Load what was exported."""
    model = load_model(folder)
    if not isinstance(model, (Tagger, Diagnoser)):
        raise TypeError(f"a network needed, got {type(model).__name__}")
    return model


def compare(before: Model, after: Model, reader: PieceReader, notes: Sequence[Note]) -> Parity:
    """Run both models over notes, one after the other."""
    bare = [Note(note.note_id, note.text, note.patient_id, note.lang, note.time, fields=note.fields) for note in notes]
    wanted: list[tuple[Model, Precision]] = [(before, "fp32"), (after, "fp32")]
    if isinstance(autocast(torch.device("cpu"), "auto", before.config.encoder.kind), torch.autocast):
        wanted.insert(1, (before, "bf16"))
    answers, speeds = [], []
    n_characters = sum(len(note.text) for note in bare)
    for model, precision in wanted:
        found, seconds = _answers(model, reader, bare, precision)
        answers.append(found)
        speeds.append(Speed(model.config.encoder.form, precision, n_characters / seconds))
    if isinstance(before, Tagger) and isinstance(after, Tagger):
        difference = _emission_difference(before, after, reader, bare)
    else:
        difference = max((abs(score - answers[-1][code]) for code, score in answers[0].items()), default=0.0)
    old, new = (_kept(before, each) for each in (answers[0], answers[-1]))
    return Parity(len(bare), n_characters, len(old), len(new), len(old & new), difference, tuple(speeds))


def _kept(model: Model, answers: dict[Answer, float]) -> set[Answer]:
    """Give the answers that count: all spans; of all codes, those that the model would give."""
    if isinstance(model, Tagger):
        return set(answers)
    ranked: dict[int, list[Diagnosis]] = {}
    for answer, score in answers.items():  # of a note, the most probable code comes first
        ranked.setdefault(answer[0], []).append(Diagnosis(answer[3], score))
    chosen = {at: choice(model.config)(each) for at, each in ranked.items()}
    return {answer for answer in answers if answer[3] in chosen[answer[0]]}


def _check(parity: Parity, max_different: float, model: str) -> None:
    """Refuse what differs too much, and a comparison that says nothing.

    Raises:
        DataError: It is so.
    """
    if not parity.n_before and not parity.n_after:
        raise DataError(f"dev: notes in which {model} finds something needed, got {parity.n_notes:,} without")
    if 1 - parity.same > max_different:
        raise DataError(
            f"{model}: at most {100 * max_different:g} % of the answers on dev may differ, got "
            f"{100 * (1 - parity.same):.2f} % ({parity.n_same:,} the same; {parity.n_before:,} before, "
            f"{parity.n_after:,} after; largest difference of emissions {parity.difference:.2g}); nothing was written"
        )


def _answers(
    model: Model, reader: PieceReader, notes: Sequence[Note], precision: Precision
) -> tuple[dict[Answer, float], float]:
    """Give all answers with their scores, and the seconds that the quicker of two runs took."""
    run: Any
    if isinstance(model, Diagnoser):
        ranker = NoteRanker(model, reader, precision=precision)
        run = DiagnosisPredictor(ranker, top=len(model.config.codes), evidence=False)
    else:
        run = (PhiTagger if model.config.task == "phi" else EntityPredictor)(model, reader, precision=precision)
    run(notes[:1])  # the first call makes memory and sessions ready
    seconds = float("inf")
    for _ in range(2):
        began = time.perf_counter()
        found = run(notes)
        seconds = min(seconds, time.perf_counter() - began)
    answers: dict[Answer, float] = {}
    for at, each in enumerate(found):
        if isinstance(model, Diagnoser):
            answers |= {(at, 0, 0, diagnosis.code): diagnosis.score or 0.0 for diagnosis in each.diagnoses or ()}
        else:
            spans = each.entities if isinstance(each, Note) else _found_phi(notes[at], each)
            answers |= {(at, span.start, span.end, span.label): span.score or 0.0 for span in spans}
    return answers, seconds


def _found_phi(note: Note, candidates: Sequence[Any]) -> Sequence[Any]:
    """Give the PHI that candidates come to at the usual threshold."""
    [found] = find_phi([note], [lambda _: [candidates]])
    return found.phi


@torch.inference_mode()
def _emission_difference(before: Tagger, after: Tagger, reader: PieceReader, notes: Sequence[Note]) -> float:
    """Give the largest difference between the scores that two taggers give the pieces of notes."""
    read = [reader(note.text) for note in notes]
    windows = [
        pieces.features[window.start : window.end]
        for pieces in read
        if len(pieces)
        for window in overlapping(len(pieces), *before.config.windowing)
    ]
    largest = 0.0
    for group in by_length(np.array([len(window) for window in windows], np.int64), _BATCH_PIECES):
        pieces, mask = pad([windows[at] for at in group.tolist()])
        largest = max(largest, _difference(before.emissions(pieces, mask), after.emissions(pieces, mask), mask))
    return largest


def _difference(one: Tensor, other: Tensor, mask: Tensor) -> float:
    """Compare scores of pieces, `(window, piece, tag)`, or of spans, `(window, label, start, reach)`."""
    real = mask[:, :, None] if one.ndim == 3 else mask[:, None, :, None]
    possible = real & (one > _UNREAL)
    return float((one - other).abs().masked_fill(~possible, 0.0).max())


def _write_card(source: Path, target: Path, form: Form) -> None:
    """Copy the model card with a word on the form."""
    card = source / "README.md"
    text = card.read_text("utf-8").rstrip() + "\n\n" if card.is_file() else ""
    write_whole(target / "README.md", f"{text}Exported as {form} from a model whose encoder was trained in float32.\n")
