"""What `clinlp evaluate` shows of diagnosis codes, and of the groups of notes that are scored apart."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clinlp.cli.console import console, say, table
from clinlp.cli.options import percent_range
from clinlp.cli.predicted import Predicted, chosen, score_codes, shortened
from clinlp.note import Note

if TYPE_CHECKING:  # numpy: loaded with the command, not with its help
    from clinlp.metrics.compare import Measured
    from clinlp.metrics.diagnosis import DiagnosisScores
    from clinlp.metrics.intervals import Sampling
    from clinlp.metrics.prf import NoteCounts

_CODES = {"micro precision": "precision", "micro recall": "recall", "micro F1": "f1", "macro F1": "macro_f1"}
_CODES |= {"top 1": "top1", "MAP": "map"}
_AREAS = {"micro_roc": "micro ROC AUC", "micro_pr": "micro PR AUC"}
_AREAS |= {"macro_roc": "macro ROC AUC", "macro_pr": "macro PR AUC"}
_SHARES = {"f1": "micro F1", "macro_f1": "macro F1", "map": "MAP"}
_N_CONFUSIONS = 10


def show_codes(
    gold: Sequence[Note], found: Predicted, threshold: float | None, sampling: Sampling, train: Path | None
) -> tuple[dict[str, Any], Sequence[NoteCounts]]:
    """Show and give the scores of diagnosis codes; and what each note counts."""
    from clinlp.metrics.areas import score_areas
    from clinlp.metrics.compare import measure

    scored = score_codes(gold, found, threshold)
    measured = measure(scored.notes, sampling)
    areas = score_areas(gold, found.notes, sampling)
    title = f"diagnoses of {scored.n_notes:,} notes, {chosen(found, threshold)}"
    shown = table(title, ("score", "%", f"{100 * sampling.level:g} %"))
    for name, value in scored.rows():
        share = measured.overall.get(_CODES.get(name, name))
        shown.add_row(name, value, percent_range(share) if share else "")
    for kind, name in _AREAS.items():
        area = getattr(areas, kind)
        shown.add_row(name, f"{100 * area.value:.1f}", percent_range(area))
    console().print(shown)
    say(drawn(measured))
    if areas.n_one_class:
        say(f"macro areas: {areas.n_codes:,} codes; {areas.n_one_class:,} left out, which all notes have or none")
    made = scored.to_dict() | {"intervals": measured.to_dict(), "areas": areas.to_dict()}
    made |= _views(gold, found, threshold, sampling, scored)
    if train is not None:
        made["bands"] = _bands(gold, found, threshold, sampling, train)
    if found.single:
        made["confusions"] = _confusions(gold, found)
    return made, scored.notes


def drawn(measured: Measured) -> str:
    """Say what the intervals rest on."""
    patients = f" of {measured.n_units:,} patients" if measured.sampling.unit == "patients" else ""
    return f"intervals from {measured.sampling.n_resamples:,} draws of {measured.n_notes:,} notes{patients}\n"


def show_groups(gold: Sequence[Note], notes: Sequence[NoteCounts], field: str, sampling: Sampling) -> dict[str, Any]:
    """Show and give the scores of each group of notes that a field parts."""
    from clinlp.metrics.compare import measure
    from clinlp.metrics.views import groups

    counted = {each.note_id: each for each in notes}
    measured = {
        name: (len(kept), measure(kept, sampling, n_labels=0))
        for name, group in groups(gold, field).items()
        if (kept := [counted[note.note_id] for note in group if note.note_id in counted])
    }
    return _table(f"by {field}", measured, sampling)


def _views(
    gold: Sequence[Note], found: Predicted, threshold: float | None, sampling: Sampling, scored: DiagnosisScores
) -> dict[str, Any]:
    """Show and give the same predictions as chapters and categories, where codes are of ICD-10."""
    from clinlp.metrics.compare import measure
    from clinlp.metrics.prf import COLUMNS
    from clinlp.metrics.views import OTHER, category, chapter

    known = [code for code in scored.codes if chapter(code) != OTHER]
    if 2 * len(known) < len(scored.codes) or not known:
        return {}
    made: dict[str, Any] = {}
    if any(len(code) > 3 for code in known):
        scores = score_codes(gold, found, threshold, category)
        row = {"all": (scores.n_notes, measure(scores.notes, sampling))}
        made["categories"] = _table("the same as categories, three characters", row, sampling)
        made["categories"]["codes"] = {code: prf.to_dict() for code, prf in scores.codes.items()}
    scores = score_codes(gold, found, threshold, chapter)
    measured = measure(scores.notes, sampling)
    shown = table("the same as chapters of ICD-10", ("chapter", *COLUMNS, f"F1 {100 * sampling.level:g} %"))
    for name, prf in scores.codes.items():
        shown.add_row(name, *prf.cells(), percent_range(measured.labels[name]["f1"]))
    shown.add_row("micro", *scores.micro.cells(), percent_range(measured.overall["f1"]))
    console().print(shown)
    made["chapters"] = scores.to_dict() | {"intervals": measured.to_dict()}
    return made


def _bands(
    gold: Sequence[Note], found: Predicted, threshold: float | None, sampling: Sampling, train: Path
) -> dict[str, Any]:
    """Show and give the scores of frequent and rare codes, by how many training notes have them."""
    from clinlp.metrics.compare import measure
    from clinlp.metrics.views import BANDS, only
    from clinlp.records import read_notes

    notes = (shortened(note, found.code_length) for note in read_notes(train))
    counts = Counter(code for note in notes for code in {diagnosis.code for diagnosis in note.diagnoses or ()})
    measured = {}
    for band in BANDS:
        scores = score_codes(gold, found, threshold, only(band, counts))
        if scores.codes:
            measured[f"{band}, {len(scores.codes):,} codes"] = scores.n_notes, measure(scores.notes, sampling)
    return _table("codes by their notes in train: head over 50, torso, tail 5 or fewer, unseen", measured, sampling)


def _table(title: str, measured: dict[str, tuple[int, Measured]], sampling: Sampling) -> dict[str, Any]:
    """Show and give scores with their intervals, a row each."""
    there = [name for name in _SHARES if all(name in each.overall for _, each in measured.values())]
    columns = [part for name in there for part in (_SHARES[name], f"{100 * sampling.level:g} %")]
    shown = table(title, ("", "notes", *columns))
    for name, (n, each) in measured.items():
        cells = [c for s in there for c in (f"{100 * each.overall[s].value:.1f}", percent_range(each.overall[s]))]
        shown.add_row(name, f"{n:,}", *cells)
    console().print(shown)
    return {name: {"n_notes": n} | each.to_dict() for name, (n, each) in measured.items()}


def _confusions(gold: Sequence[Note], found: Predicted) -> list[dict[str, Any]]:
    """Show the most frequent confusions and give all cells of the matrix that are not 0."""
    from clinlp.metrics.areas import confusions

    cells = confusions(gold, found.notes)
    wrong = [(pair, n) for pair, n in cells.most_common() if pair[0] != pair[1]][:_N_CONFUSIONS]
    if wrong:
        shown = table("most frequent confusions", ("gold", "predicted", "notes"), left=2)
        for (wanted, got), n in wrong:
            shown.add_row(wanted, got or "none", f"{n:,}")
        console().print(shown)
    return [{"gold": wanted, "predicted": got, "n": n} for (wanted, got), n in sorted(cells.items())]
