"""`clinlp evidence`: how far the evidence that a model gives can be trusted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias

import typer

from clinlp.cli.console import SCORES, console, remark, say, spare_inputs, table, write_json
from clinlp.cli.options import Device, JsonFile
from clinlp.errors import DataError
from clinlp.note import Diagnosis, Note

if TYPE_CHECKING:
    from clinlp.inference.attribution import Explainer
    from clinlp.inference.faithfulness import Trial

Method: TypeAlias = Literal["attention", "gradients", "shapley", "lime"]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(rich_help_panel=SCORES)(evidence)


def evidence(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="A model folder or a bundled model's name.")],
    source: Annotated[Path, typer.Argument(metavar="NOTES", help="Notes, in any format; with gold evidence or not.")],
    method: Annotated[Method, typer.Option(help="What is judged.")] = "attention",
    top: Annotated[int, typer.Option(min=1, help="Codes of each note that are judged, the most probable first.")] = 1,
    n_notes: Annotated[int, typer.Option("--notes", min=1, help="Read so many notes at most.")] = 200,
    json_file: JsonFile = None,
    device: Device = None,
) -> None:
    """Judge evidence: does the model rest on it, and do people mark the same?

    Faithful: without the words of the evidence the probability falls (comprehensiveness, high is good),
    with them alone it stays (sufficiency, low is good), both more so than with random words of the
    same number. Plausible: tokens and spans agree with gold evidence, where notes have it.

    **Examples**

    - `clinlp evidence diagnosis-en test.jsonl`
    - `clinlp evidence runs/codes/best test.jsonl --method gradients --notes 50 --json trust.json`
    """
    from itertools import islice

    from clinlp.inference.attribution import Explainer
    from clinlp.inference.diagnosis import DiagnosisPredictor
    from clinlp.inference.faithfulness import measure_faithfulness
    from clinlp.records import read_notes

    spare_inputs((json_file,), (model, source))
    gold = list(islice(read_notes(source), n_notes))
    notes = [Note(note.note_id, note.text, note.patient_id, note.lang, note.time, fields=note.fields) for note in gold]
    predictor = DiagnosisPredictor.load(model, device=device)
    explainer = Explainer(predictor, method)
    trial = measure_faithfulness(predictor, explainer, notes, top=top)
    if not trial.evidence.n:
        raise DataError(f"{source}: notes of two words or more needed, got none")
    _show(trial, method, len(notes))
    numbers: dict[str, Any] = {
        "method": method,
        "n_notes": len(notes),
        "n_short": trial.n_short,
        "faithfulness": trial.evidence.to_dict(),
        "random": trial.floor.to_dict(),
    }
    if any(each.evidence for note in gold for each in note.diagnoses or ()):
        numbers["plausibility"] = _plausibility(gold, explainer)
    if json_file is not None:
        write_json(json_file, numbers)


def _show(trial: Trial, method: str, n_notes: int) -> None:
    """Show what erasing did, beside random tokens."""
    heads = ("tokens", "fall without", "random", "fall with them alone", "random")
    shown = table(f"faithfulness of {method}, {trial.evidence.n:,} codes of {n_notes:,} notes", heads)
    ours, floor = trial.evidence, trial.floor
    columns = (ours.comprehensiveness, floor.comprehensiveness, ours.sufficiency, floor.sufficiency)
    for share, *row in zip(ours.shares, *columns, strict=True):
        shown.add_row(f"{100 * share:g} %", *(f"{each:.3f}" for each in row))
    areas = (ours.comprehensiveness_area, floor.comprehensiveness_area, ours.sufficiency_area, floor.sufficiency_area)
    shown.add_row("mean", *(f"{each:.3f}" for each in areas))
    console().print(shown)
    say("fall without: comprehensiveness, high is good; fall with them alone: sufficiency, low is good")
    if trial.n_short:
        remark(f"{trial.n_short:,} of {n_notes:,} notes have fewer than two words and count nowhere")


def _plausibility(gold: Sequence[Note], explainer: Explainer) -> dict[str, Any]:
    """Explain the gold codes that the model knows, and show and give how that agrees with gold evidence."""
    from clinlp.metrics.plausibility import score_plausibility
    from clinlp.text.tokens import tokenize

    config = explainer.diagnoser.config
    known = set(config.codes)
    marked = [replace(note, diagnoses=_cut(note.diagnoses or (), config.code_length)) for note in gold]
    marked = [note for note in marked if any(each.evidence for each in note.diagnoses or ())]
    asked = [
        replace(note, diagnoses=tuple(Diagnosis(code) for code in dict.fromkeys(d.code for d in note.diagnoses or ())))
        for note in marked
    ]
    asked = [replace(note, diagnoses=tuple(d for d in note.diagnoses or () if d.code in known)) for note in asked]
    scored = score_plausibility(marked, explainer(asked), tokenize)
    shown = table(f"agreement with gold evidence, {scored.n:,} codes", ("", "precision", "recall", "F1"))
    rows = (("tokens", scored.tokens), ("spans, half shared", scored.spans), ("spans, touching", scored.touching))
    for name, prf in rows:
        shown.add_row(name, *prf.cells()[3:])
    console().print(shown)
    say(f"mean token F1 of a code: {100 * scored.token_f1:.1f} %")
    if scored.n_not_explained:
        remark(f"{scored.n_not_explained:,} codes with gold evidence are not among the model's and count nowhere")
    return scored.to_dict()


def _cut(diagnoses: Sequence[Diagnosis], length: int | None) -> tuple[Diagnosis, ...]:
    return tuple(replace(each, code=each.code[:length]) for each in diagnoses)
