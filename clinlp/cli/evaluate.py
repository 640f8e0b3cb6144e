"""`clinlp evaluate`: how good predictions, a model or the PHI rules are against gold notes, and how sure that is."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from clinlp.cli.codes import drawn, show_codes, show_groups
from clinlp.cli.console import SCORES, console, say, spare_inputs, table, write_json
from clinlp.cli.options import By, Device, JsonFile, SamplingOptions, Threshold, Train, percent_range, takes
from clinlp.cli.predicted import Attribute, Predicted, gold_of, predict
from clinlp.note import Note

if TYPE_CHECKING:  # numpy: loaded with the command, not with its help
    from clinlp.metrics.intervals import Sampling
    from clinlp.metrics.prf import NoteCounts


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(rich_help_panel=SCORES)(evaluate)


@takes(SamplingOptions, {SamplingOptions: "Intervals"})
def evaluate(
    config: SamplingOptions,
    predicted: Annotated[
        str,
        typer.Argument(
            metavar="PREDICTED", help="Predicted notes, a model folder, a bundled model's name, or `rules` (for PHI)."
        ),
    ],
    gold: Annotated[Path, typer.Argument(metavar="GOLD", help="Annotated notes, in any format.")],
    attribute: Annotated[
        Attribute | None, typer.Option(help="What to score; else what the model predicts, or all that GOLD holds.")
    ] = None,
    json_file: JsonFile = None,
    threshold: Threshold = None,
    by: By = None,
    train: Train = None,
    device: Device = None,
) -> None:
    """Score predictions against gold notes, paired by id, with bootstrap intervals.

    Entities and PHI: strict matches (same borders, same label) and overlap matches (a shared
    character, same label), as precision, recall and F1 of each label, micro and macro. PHI also: how
    much of it leaks, whatever its label. Entities with scores: how far these are from the share that
    is right. Diagnoses: micro and macro F1, precision and recall among the first codes, MAP, areas under
    ROC and precision-recall curves; ICD-10 codes also as categories and chapters.

    Intervals draw the notes of a patient together, where notes say whose they are.

    **Examples**

    - `clinlp evaluate out/ gold.jsonl`
    - `clinlp evaluate runs/problems/best test.jsonl --json scores.json`
    - `clinlp evaluate rules phi.jsonl --attribute phi`
    """
    from clinlp.metrics.views import groups
    from clinlp.records import read_notes

    spare_inputs((json_file,), (predicted, gold, train))
    notes = list(read_notes(gold))
    if by is not None:
        groups(notes, by)  # a field that no note has is refused before a model runs
    found = predict(predicted, notes, attribute, device)
    notes = gold_of(notes, found)
    scores: dict[str, Any] = {}
    for each in found.attributes:
        if each == "diagnoses":
            scores[each], counts = show_codes(notes, found, threshold, config.sampling, train)
        else:
            scores[each], counts = _spans(notes, found.notes, each, config.sampling)
            if each == "entities" and (confidence := _confidence(notes, found)) is not None:
                scores[each]["calibration"] = confidence
        if by is not None:
            scores[each]["groups"] = show_groups(notes, counts, by, config.sampling)
    if json_file is not None:
        write_json(json_file, {"n_notes": len(notes), **scores})


def _spans(
    gold: Sequence[Note], predicted: Sequence[Note], attribute: Literal["entities", "phi"], sampling: Sampling
) -> tuple[dict[str, Any], Sequence[NoteCounts]]:
    """Show and give the scores of entities or PHI; and what each note counts by strict matches."""
    from clinlp.metrics.compare import measure
    from clinlp.metrics.entities import score_entities
    from clinlp.metrics.prf import COLUMNS

    scores: dict[str, Any] = {}
    strict: Sequence[NoteCounts] = ()
    for match, words in (("strict", "same borders and label"), ("overlap", "a shared character and the same label")):
        scored = score_entities(gold, predicted, match, attribute)  # type: ignore[arg-type]
        strict = strict or scored.notes
        measured = measure(scored.notes, sampling)
        ranges = {label: kinds["f1"] for label, kinds in measured.labels.items()}
        ranges |= {"micro": measured.overall["f1"], "macro": measured.overall["macro_f1"]}
        title = f"{attribute}, {match} matches: {words}"
        shown = table(title, ("label", *COLUMNS, f"F1 {100 * sampling.level:g} %"))
        for row in scored.rows():
            shown.add_row(*row, percent_range(ranges[row[0]]) if row[0] in ranges else "")
        console().print(shown)
        scores[match] = scored.to_dict() | {"intervals": measured.to_dict()}
    say(drawn(measured))
    if attribute == "phi":
        scores["leakage"] = _leakage(gold, predicted, sampling)
    return scores, strict


def _confidence(gold: Sequence[Note], found: Predicted) -> dict[str, float] | None:
    """Show and give how far the scores of found entities are from the share that is right; None without scores."""
    from clinlp.metrics.calibration import calibration_error, outcomes, tempered

    held = outcomes(gold, found.notes)
    if not len(held):
        return None
    error, (temperature, offset) = calibration_error(held.scores, held.right), found.line
    before = calibration_error(tempered(held.scores, 1 / temperature, -offset * temperature), held.right)
    said = f"expected calibration error of {len(held):,} scores: {100 * error:.1f} %"
    say(said + (f" ({100 * before:.1f} % before calibration)\n" if found.line != (1.0, 0.0) else "\n"))
    fitted = {"temperature": temperature, "offset": offset}
    return {"n_spans": len(held), "error": error, "error_before": before} | fitted


def _leakage(gold: Sequence[Note], predicted: Sequence[Note], sampling: Sampling) -> dict[str, Any]:
    """Show and give how much PHI survives, whatever its label."""
    from clinlp.metrics.compare import measure
    from clinlp.metrics.leakage import score_leakage
    from clinlp.metrics.prf import NoteCounts

    by_id = {note.note_id: note for note in predicted}  # complete: the strict scores have paired them
    scored = score_leakage(gold, [by_id[note.note_id] for note in gold])
    shown = table("PHI removed, whatever its label", ("label", "spans", "span recall", "character recall"))
    for name, leak in (*scored.labels.items(), ("all", scored.overall)):
        shown.add_row(name, f"{leak.n_spans:,}", f"{100 * leak.span_recall:.1f}", f"{100 * leak.character_recall:.1f}")
    console().print(shown)
    counts = [NoteCounts(note.note_id, note.patient_id, shares=note.shares) for note in scored.notes]
    overall = measure(counts, sampling).overall
    ranges = {name: overall[name] for name in ("character_recall", "span_recall", "clean_share", "over_redaction")}
    say(
        f"{100 * scored.clean_share:.1f} % ({percent_range(ranges['clean_share'])}) of {scored.n_notes:,} notes "
        f"without a leak; {100 * scored.over_redaction:.2f} % of the other characters removed\n"
    )
    return {
        "n_notes": scored.n_notes,
        "n_notes_clean": scored.n_notes_clean,
        "clean_share": scored.clean_share,
        "over_redaction": scored.over_redaction,
        "intervals": {name: each.to_dict() for name, each in ranges.items()},
        "labels": {
            name: {"n_spans": leak.n_spans, "span_recall": leak.span_recall, "character_recall": leak.character_recall}
            for name, leak in (*scored.labels.items(), ("all", scored.overall))
        },
    }
