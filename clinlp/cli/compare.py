"""`clinlp compare`: whether one run is better than another on the same gold notes, or only luckier."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from pydantic import Field

from clinlp.cli.console import SCORES, console, remark, say, spare_inputs, table, write_json
from clinlp.cli.options import Device, JsonFile, SamplingOptions, Threshold, percent_range, takes
from clinlp.cli.predicted import Attribute, Predicted, count_spans, gold_of, predict, score_codes, shortened
from clinlp.errors import DataError, UsageError
from clinlp.note import Note

if TYPE_CHECKING:  # numpy: loaded with the command, not with its help
    from clinlp.metrics.compare import Comparison
    from clinlp.metrics.intervals import Interval
    from clinlp.metrics.prf import NoteCounts

_NAMES = {
    "f1": "F1",
    "macro_f1": "macro F1",
    "top1": "top 1",
    "map": "MAP",
    "character_recall": "characters",
    "span_recall": "spans",
    "clean_share": "clean notes",
    "over_redaction": "over-redaction",
}


class CompareOptions(SamplingOptions):
    """How two runs are compared."""

    match: Literal["strict", "overlap"] = Field(
        default="strict", description="`strict`: same borders and label; `overlap`: a shared character and the label"
    )
    shuffles: int = Field(default=10_000, ge=100, le=1_000_000, description="random swaps of the significance test")
    show_labels: int = Field(
        default=100, ge=0, description="labels or codes with rows of their own at most, the commonest of GOLD"
    )


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(rich_help_panel=SCORES)(compare)


@takes(CompareOptions, {CompareOptions: "What counts", SamplingOptions: "Intervals"})
def compare(
    config: CompareOptions,
    gold: Annotated[Path, typer.Argument(metavar="GOLD", help="Annotated notes, in any format.")],
    a: Annotated[
        str, typer.Argument(metavar="A", help="Predicted notes of one run, a model folder or name, or `rules`.")
    ],
    b: Annotated[str, typer.Argument(metavar="B", help="The same of the other run.")],
    attribute: Annotated[
        Attribute | None, typer.Option(help="What to compare; else what the models predict, or all that GOLD holds.")
    ] = None,
    json_file: JsonFile = None,
    threshold: Threshold = None,
    device: Device = None,
) -> None:
    """Compare two runs over the same gold notes: scores, difference and its interval, and a paired test.

    Intervals are the bootstrap's, and that of the difference scores both runs over the same draws. The
    test is approximate randomisation (Noreen 1989): p is how often a difference as large comes from
    swapping, at random, what the two runs found. All notes of a patient are drawn and swapped together.
    `p, all` is corrected for how many labels there are (Holm 1979).

    **Examples**

    - `clinlp compare gold.jsonl lstm.jsonl bert.jsonl`
    - `clinlp compare test.jsonl runs/one/best runs/two/best --json compared.json`
    - `clinlp compare phi.jsonl rules phi-en --attribute phi --match overlap`
    """
    from clinlp.metrics.compare import compare as hold_against
    from clinlp.records import read_notes

    spare_inputs((json_file,), (gold, a, b))
    notes = list(read_notes(gold))
    if not notes:
        raise DataError(f"{gold}: annotated notes needed, got none")
    runs = [predict(each, notes, attribute, device) for each in (a, b)]
    attributes = [each for each in runs[0].attributes if each in runs[1].attributes]
    if runs[0].ahead != runs[1].ahead:
        raise UsageError("compare: two models of the same visit needed, got one that forecasts the next")
    if not attributes:
        raise UsageError(f"compare: two runs that find the same needed, got {runs[0].attributes[0]} and others")
    compared = {}
    for each in attributes:
        one, other = (_count(notes, run, runs, each, config, threshold) for run in runs)
        found = hold_against(one, other, config.sampling, n_shuffles=config.shuffles, n_labels=config.show_labels)
        _show(found, each if each == "diagnoses" else f"{each}, {config.match} matches", found.sampling.level)
        compared[each] = found.to_dict()
    if json_file is not None:
        how = {"gold": str(gold), "a": a, "b": b, "match": config.match}
        write_json(json_file, how | compared)


def _count(
    notes: Sequence[Note],
    run: Predicted,
    runs: Sequence[Predicted],
    attribute: Attribute,
    config: CompareOptions,
    threshold: float | None,
) -> Sequence[NoteCounts]:
    """Count what a run finds in each note; codes at the shortest length that a run has."""
    if attribute != "diagnoses":
        return count_spans(notes, run.notes, attribute, config.match)
    length = min((each.code_length for each in runs if each.code_length), default=None)
    found = run._replace(notes=[shortened(note, length) for note in run.notes])
    gold = gold_of(notes, found._replace(code_length=length))
    return [
        replace(note, shares={name: share for name, share in note.shares.items() if "@" not in name})
        for note in score_codes(gold, found, threshold).notes
    ]


def _show(found: Comparison, what: str, level: float) -> None:
    """Show the scores of all labels together, then each label's F1, then what it rests on."""
    sure = f"{100 * level:g} %"
    columns = ("A", sure, "B", sure, "B − A", sure, "p")
    shown = table(what, ("score", *columns))
    for name, row in found.overall.items():
        sides = (cell for share in (row.a, row.b) for cell in (_value(share), percent_range(share)))
        shown.add_row(_NAMES.get(name, name), *sides, *_gain(row.difference), _p(row.p))
    console().print(shown)
    if found.labels:
        shown = table("F1 of each label", ("label", "gold", "A", "B", "B − A", sure, "p", "p, all"))
        for label, rows in found.labels.items():
            row = rows["f1"]
            n_gold, both = f"{found.counts[label][0].n_gold:,}", (_value(row.a), _value(row.b))
            shown.add_row(label, n_gold, *both, *_gain(row.difference), _p(row.p), _p(row.p_holm))
        console().print(shown)
    if found.n_labels_left_out:
        remark(f"labels without a row, part of all other scores: {found.n_labels_left_out:,}; --show-labels shows more")
    unit = found.sampling.unit
    notes = f"{found.n_notes:,} notes" + (f" of {found.n_units:,} patients" if unit == "patients" else "")
    tried = f"all {found.n_shuffles:,} swaps" if found.exact else f"{found.n_shuffles:,} random swaps"
    say(f"{notes}; the runs differ in {found.n_units_differing:,} {unit}; p from {tried}\n")


def _value(share: Interval) -> str:
    return "–" if math.isnan(share.value) else f"{100 * share.value:.1f}"


def _gain(share: Interval) -> tuple[str, str]:
    """Write a difference in points with its sign, and its interval."""
    if math.isnan(share.low):
        return "–", "–"
    value, low, high = (f"{100 * number:+.1f}" for number in (share.value, share.low, share.high))
    return value, f"{low}…{high}"


def _p(p: float | None) -> str:
    """Write a p as far as it can be told from 0."""
    if p is None or math.isnan(p):
        return "–"
    return f"{p:.4f}" if p >= 0.0001 else "<.0001"
