"""`clinlp audit`: what a de-identified dump leaks, and how sure that is."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, NamedTuple

import typer
from pydantic import Field

from clinlp.cli.console import SCORES, console, remark, say, spare_inputs, table
from clinlp.cli.options import takes
from clinlp.config import Config
from clinlp.errors import DataError, Failure, UsageError
from clinlp.note import Note
from clinlp.records.options import ReadOptions

if TYPE_CHECKING:  # numpy: loaded with the command, not with its help
    from clinlp.metrics.audit import Audit
    from clinlp.metrics.intervals import Interval
    from clinlp.metrics.leakage import NoteLeakage

By = Literal["auto", "spans", "text"]
_UNLIKE = 0.2  # share of a note below which two texts are hardly the same note's
_PANELS: dict[type[Config], str]


class AuditOptions(ReadOptions):
    """How PREDICTED is read, what counts, and how intervals are made."""

    spans: Literal["entities", "phi"] = "phi"
    by: By = Field(
        default="auto",
        description="`spans`: what PREDICTED marks as PHI is removed; `text`: what its text no longer says; "
        "`auto`: text where any note's text differs from GOLD's",
    )
    words_only: bool = Field(default=False, description="count letters and digits alone: spaces and marks may stay")
    level: float = Field(default=0.95, gt=0.5, lt=1.0, description="how sure the intervals and the bound are")
    resamples: int = Field(default=2000, ge=100, le=100_000, description="draws of the bootstrap")
    unit: Literal["patients", "notes"] = Field(
        default="patients", description="what is drawn; a note without patient_id stands alone"
    )
    seed: int = Field(default=0, ge=0, description="of the draws")


_PANELS = {AuditOptions: "What counts", ReadOptions: "How PREDICTED is read"}


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(rich_help_panel=SCORES)(audit)


@takes(AuditOptions, _PANELS, names={"format": "--from --format"}, hidden=("duplicate_ids", "spans"))
def audit(
    config: AuditOptions,
    gold: Annotated[Path, typer.Argument(metavar="GOLD", help="Notes with their true PHI, in any format.")],
    predicted: Annotated[
        Path, typer.Argument(metavar="PREDICTED", help="The same notes with PHI found, or de-identified by any tool.")
    ],
    json_file: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Write all numbers and every leak here.")
    ] = None,
    html_file: Annotated[
        Path | None, typer.Option("--html", metavar="FILE", help="Write a page to read and to file.")
    ] = None,
) -> None:
    """Measure what de-identification leaks, by any tool, with intervals.

    Notes are joined by id. PREDICTED holds either PHI spans over the same text, or released text with
    tags, masks, surrogates or nothing where PHI was: then the two texts are aligned, and what stands
    unchanged has leaked. A span leaks if any of its characters survives, whatever label it was found
    under. Spans under `phi_ignore` of GOLD count neither way.

    What a surrogate shares with what it stands for counts as left in the text, such as the year of a
    moved date. The PHI spans of our own releases say what are surrogates, and nothing in them does.

    Shows and writes ids, offsets, labels and numbers, never words of a note.

    **Examples**

    - `clinlp audit gold.jsonl out/`
    - `clinlp audit gold.jsonl released.csv --text-column deid_text --html audit.html --json audit.json`
    - `clinlp audit gold.jsonl released.jsonl --by text --level 0.99`
    """
    from clinlp.metrics.audit import Sampling
    from clinlp.metrics.audit import audit as add_up

    spare_inputs((json_file, html_file), (gold, predicted))
    coverage: Counter[str] = Counter()
    notes = _score(gold, predicted, config, coverage)
    n_spans, n_tags = coverage.pop("n_gold_spans", 0), coverage.pop("n_gold_tags", 0)
    if n_spans and n_tags == n_spans:
        raise DataError(
            f"{gold}: notes as they were needed, got released ones, whose PHI is replaced; GOLD comes first"
        )
    if not any(note.overall.n_spans for note in notes):
        raise DataError(f"{gold}: PHI needed in a note that both sides hold, got none in {len(notes):,} notes")
    sampling = Sampling(config.level, config.resamples, config.seed, config.unit)
    made = add_up(notes, sampling, coverage, words_only=config.words_only)
    _show(made)
    if json_file is not None:
        _write(json_file, json.dumps(made.to_dict(), indent=1, ensure_ascii=False) + "\n")
        say(f"all numbers: {json_file}")
    if html_file is not None:
        from clinlp.report.audit import render_audit

        _write(html_file, render_audit(made, f"De-identification audit · {predicted.name} against {gold.name}"))
        say(f"page: {html_file}")


class _Scored(NamedTuple):
    """A note whose two texts are the same: scored by its spans, and as if its text were released."""

    by_spans: NoteLeakage
    by_text: NoteLeakage


def _score(gold: Path, predicted: Path, config: AuditOptions, coverage: Counter[str]) -> list[NoteLeakage]:
    """Score each note that both sides hold, and count how, and what could not be scored."""
    from clinlp.deid.deidentify import is_replaced
    from clinlp.metrics.leakage import score_note
    from clinlp.metrics.release import removed_from

    same: list[_Scored] = []
    aligned: list[NoteLeakage] = []
    places: list[tuple[bool, int]] = []  # of each note, in order: whether its text is the same, and where it is
    for truth, guess in _pairs(gold, predicted, config, coverage):
        coverage["n_gold_spans"] += len(truth.phi)
        coverage["n_gold_tags"] += sum(is_replaced(truth.text[span.start : span.end]) for span in truth.phi)
        if truth.text == guess.text:
            by_spans, by_text = (score_note(truth, each, words_only=config.words_only) for each in (guess.phi, ()))
            places.append((True, len(same)))
            same.append(_Scored(by_spans, by_text))
        elif config.by == "spans":
            coverage["n_other_text_left_out"] += 1
        else:
            removed, found = removed_from(truth, guess)
            places.append((False, len(aligned)))
            aligned.append(score_note(truth, removed, words_only=config.words_only))
            coverage["n_spaces_changed"] += found.n_spaces
            coverage["n_words_respelled"] += found.n_respelled
            coverage["n_escapes"] += found.n_escapes
            coverage["n_hardly_alike"] += found.kept_share < _UNLIKE
    as_text = config.by == "text" or bool(aligned)
    coverage["n_by_text" if as_text else "n_by_spans"] = len(places)
    coverage["n_unchanged"] = len(same) if as_text else 0
    _remark(coverage, config.by)
    if not places:
        raise DataError(
            f"{predicted}: notes of {gold} needed, got none that can be scored "
            f"({coverage['n_missing']:,} missing, {coverage['n_extra']:,} of other ids, "
            f"{coverage['n_other_text_left_out']:,} with another text)"
        )
    return [(same[at].by_text if as_text else same[at].by_spans) if alike else aligned[at] for alike, at in places]


def _pairs(gold: Path, predicted: Path, config: AuditOptions, coverage: Counter[str]) -> Iterator[tuple[Note, Note]]:
    """Join two dumps by id as they are read; only notes whose other half has not come yet are held."""
    from clinlp.records import ReadOptions

    theirs = {name: getattr(config, name) for name in ReadOptions.model_fields}
    streams = (
        _notes(gold, ReadOptions(spans="phi", duplicate_ids="keep"), "gold", coverage),
        _notes(predicted, ReadOptions(**theirs | {"duplicate_ids": "keep"}), "predicted", coverage),
    )
    waiting: tuple[dict[str, Note], dict[str, Note]] = ({}, {})
    for pair in zip_longest(*streams):
        for side, note in enumerate(pair):
            if note is None:
                continue
            other = waiting[1 - side].pop(note.note_id, None)
            if other is None:
                waiting[side][note.note_id] = note
            else:
                yield (other, note) if side else (note, other)
    for name, rest in zip(("missing", "extra"), waiting, strict=True):
        coverage[f"n_{name}"] = len(rest)
        if rest:
            where = "PREDICTED" if name == "missing" else "GOLD"
            remark(f"notes that are not in {where}, not scored: {len(rest):,}; the first: {next(iter(rest))}")


def _notes(path: Path, options: ReadOptions, side: str, coverage: Counter[str]) -> Iterator[Note]:
    """Read the good records; of an id the first counts."""
    from clinlp.records import read_records

    seen: set[str] = set()
    first: Failure | None = None
    for _, note in read_records(path, options):
        coverage[f"n_{side}"] += 1
        if isinstance(note, Failure):
            coverage[f"n_{side}_unreadable"] += 1
            first = first or note
        elif note.note_id in seen:
            coverage[f"n_{side}_twice"] += 1
        else:
            seen.add(note.note_id)
            yield note
    if first is not None:
        n, where = coverage[f"n_{side}_unreadable"], f"{first.source}:{first.line}"
        remark(f"records that are not readable: {n:,}; the first: {where}: {first.reason or first.error}")
    if coverage[f"n_{side}_twice"]:
        remark(f"{path}: records left out, for their id came before: {coverage[f'n_{side}_twice']:,}")


def _remark(coverage: Counter[str], by: By) -> None:
    """Say what a reader of the numbers must know."""
    if coverage["n_other_text_left_out"]:
        n = coverage["n_other_text_left_out"]
        remark(f"notes with another text than GOLD's, so that spans cannot be compared, not scored: {n:,}")
    if by == "auto" and coverage["n_by_text"]:
        remark(f"texts differ: all {coverage['n_by_text']:,} notes are scored by their text; --by says otherwise")
    if coverage["n_hardly_alike"]:
        remark(
            f"notes that share under a fifth of their text with GOLD's: {coverage['n_hardly_alike']:,}; other notes?"
        )


def _show(made: Audit) -> None:
    """Show the shares with their intervals, each label, and the bound."""
    scores, percent = made.scores, f"{100 * made.sampling.level:g} %"
    way = "text" if made.coverage["n_by_text"] else "spans"
    leakage, recall = scores.overall, made.overall
    shown = table(f"{scores.n_notes:,} notes by their {way}", ("share", "%", percent, "n", "of"))
    for name, share, n, of in (
        ("PHI characters removed", recall.characters, leakage.n_characters_removed, leakage.n_characters),
        ("PHI spans removed whole", recall.spans, leakage.n_spans_removed, leakage.n_spans),
        ("notes with PHI, no leak", recall.notes, leakage.n_notes_clean, leakage.n_notes),
        ("other characters removed", made.over_redaction, scores.n_other_removed, scores.n_other),
    ):
        shown.add_row(name, *_percent(share), f"{n:,}", f"{of:,}")
    console().print(shown)
    shown = table(
        "PHI removed in %, whatever its label", ("label", "n", "leaked", "whole", "characters", "spans", "notes")
    )
    for (name, leakage), recall in zip(scores.labels.items(), made.labels.values(), strict=True):
        shares = (_percent(share)[0] for share in (recall.characters, recall.spans, recall.notes))
        counts = (leakage.n_spans, leakage.n_spans - leakage.n_spans_removed, leakage.n_spans_untouched)
        shown.add_row(name, *(f"{n:,}" for n in counts), *shares)
    console().print(shown)
    say(
        f"{made.n_units_leaking:,} of {made.n_units:,} {made.sampling.unit} with PHI leak: "
        f"at most {100 * made.leaking_at_most:.2f} % do (exact bound, {percent})"
    )
    marks = sum(not leak.n_letters_left for leak in scores.leaks)
    if marks:
        say(f"leaked spans that keep nothing but spaces or marks: {marks:,}; --words-only does not count these")


def _percent(share: Interval) -> tuple[str, str]:
    """Write a share in percent, and its interval."""
    if math.isnan(share.value):
        return "–", "–"
    return f"{100 * share.value:.2f}", f"{100 * share.low:.2f}–{100 * share.high:.2f}"


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, "utf-8")
    except OSError as error:
        raise UsageError(f"{path}: cannot be written ({error.strerror})") from None
