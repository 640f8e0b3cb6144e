"""`clinlp evaluate`: how good predictions, a model or the PHI rules are against gold notes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

import typer

from clinlp.cli.console import console, say, table
from clinlp.errors import UsageError
from clinlp.note import Diagnosis, Note

Attribute = Literal["entities", "phi", "diagnoses"]
RULES = "rules"


class _Predicted(NamedTuple):
    """Notes as they came out, what to score in them, and how codes were read."""

    notes: list[Note]
    attributes: tuple[Attribute, ...]
    threshold: float = 0.5
    code_length: int | None = None
    single: bool = False  # exactly one code a note: the first one, whatever its probability


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(evaluate)


def evaluate(
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
    json_file: Annotated[Path | None, typer.Option("--json", metavar="FILE", help="Write all numbers here.")] = None,
    threshold: Annotated[
        float | None, typer.Option(help="Probability from which a code counts; else the model's own, or 0.5.")
    ] = None,
    device: Annotated[str | None, typer.Option(help="`cpu`, `cuda`, `cuda:1` ...; else a GPU if there is one.")] = None,
) -> None:
    """Score predictions against gold notes, paired by id.

    Entities and PHI: strict matches (same borders, same label) and overlap matches (a shared
    character, same label), as precision, recall and F1 of each label, micro and macro. PHI also: how
    much of it leaks, whatever its label. Diagnoses: micro and macro F1, precision and recall among the
    first codes, MAP.

    **Examples**

    - `clinlp evaluate out/ gold.jsonl`
    - `clinlp evaluate runs/problems/best test.jsonl --json scores.json`
    - `clinlp evaluate rules phi.jsonl --attribute phi`
    """
    from clinlp.records import read_notes

    notes = list(read_notes(gold))
    found = _predict(predicted, notes, attribute, device)
    if found.code_length is not None:
        notes = [_shortened(note, found.code_length) for note in notes]
    scores: dict[str, Any] = {}
    for each in found.attributes:
        if each == "diagnoses":
            chosen = found.threshold if threshold is None else threshold
            scores[each] = _diagnoses(notes, found, chosen)
        else:
            scores[each] = _spans(notes, found.notes, each)
    if json_file is not None:
        _write(json_file, {"n_notes": len(notes), **scores})
        say(f"all numbers: {json_file}")


def _predict(predicted: str, gold: Sequence[Note], attribute: Attribute | None, device: str | None) -> _Predicted:
    """Read predictions, or make them from the texts of gold alone."""
    path = Path(predicted)
    if predicted == RULES and not path.exists():
        return _by_rules(gold, attribute)
    if not path.exists() or (path / "model.safetensors").is_file() or (path / "labels.json").is_file():
        return _by_model(predicted, gold, attribute, device)
    from clinlp.records import read_notes

    notes = list(read_notes(path))
    held: dict[Attribute, bool] = {
        "entities": any(note.entities for note in gold),
        "phi": any(note.phi for note in gold),
        "diagnoses": any(note.diagnoses is not None for note in gold),
    }
    attributes = (attribute,) if attribute else tuple(name for name, there in held.items() if there)
    if not attributes:
        raise UsageError("gold: notes with entities, phi or diagnoses needed, got none of them; name one: --attribute")
    return _Predicted(notes, attributes)


def _by_rules(gold: Sequence[Note], attribute: Attribute | None) -> _Predicted:
    if attribute not in (None, "phi"):
        raise UsageError(f"rules: they find phi, got --attribute {attribute}")
    from clinlp.deid import default_detectors, find_phi

    return _Predicted(find_phi([_bare(note) for note in gold], default_detectors()), ("phi",))


def _by_model(model: str, gold: Sequence[Note], attribute: Attribute | None, device: str | None) -> _Predicted:
    from clinlp.models.store import read_config
    from clinlp.models.tagger import TaggerConfig

    config = read_config(model)
    task: Attribute = config.task if isinstance(config, TaggerConfig) else "diagnoses"
    if attribute not in (None, task):
        raise UsageError(f"{model}: a model of {task}, got --attribute {attribute}")
    notes = [_bare(note) for note in gold]
    if isinstance(config, TaggerConfig) and config.task == "phi":
        from clinlp.deid import find_phi
        from clinlp.inference.phi import PhiTagger

        return _Predicted(find_phi(notes, [PhiTagger.load(model, device=device)]), ("phi",))
    if isinstance(config, TaggerConfig):
        from clinlp.inference.entities import EntityPredictor

        return _Predicted(EntityPredictor.load(model, device=device)(notes), ("entities",))
    from clinlp.inference.diagnosis import DiagnosisPredictor

    predictor = DiagnosisPredictor.load(model, device=device, top=len(config.codes))
    predictor.evidence = False  # all codes of all notes are ranked: where each looked would fill the memory
    return _Predicted(predictor(notes), ("diagnoses",), config.threshold, config.code_length, config.single)


def _bare(note: Note) -> Note:
    """What a model may see of a gold note."""
    return Note(note.note_id, note.text, note.patient_id, note.lang, note.time)


def _shortened(note: Note, length: int) -> Note:
    """Cut gold codes to the length that the model learned."""
    if note.diagnoses is None:
        return note
    codes = dict.fromkeys(diagnosis.code[:length] for diagnosis in note.diagnoses)
    return replace(note, diagnoses=tuple(map(Diagnosis, codes)))


def _spans(gold: Sequence[Note], predicted: Sequence[Note], attribute: Literal["entities", "phi"]) -> dict[str, Any]:
    """Show and give the scores of entities or PHI."""
    from clinlp.metrics.entities import score_entities
    from clinlp.metrics.prf import COLUMNS

    scores: dict[str, Any] = {}
    for match, words in (("strict", "same borders and label"), ("overlap", "a shared character and the same label")):
        scored = score_entities(gold, predicted, match, attribute)  # type: ignore[arg-type]
        shown = table(f"{attribute}, {match} matches: {words}", ("label", *COLUMNS))
        for row in scored.rows():
            shown.add_row(*row)
        console().print(shown)
        scores[match] = scored.to_dict()
    if attribute == "phi":
        scores["leakage"] = _leakage(gold, predicted)
    return scores


def _leakage(gold: Sequence[Note], predicted: Sequence[Note]) -> dict[str, Any]:
    """Show and give how much PHI survives, whatever its label."""
    from clinlp.metrics.leakage import score_leakage

    by_id = {note.note_id: note for note in predicted}  # complete: the strict scores have paired them
    scored = score_leakage(gold, [by_id[note.note_id] for note in gold])
    shown = table("PHI removed, whatever its label", ("label", "spans", "span recall", "character recall"))
    for name, leak in (*scored.labels.items(), ("all", scored.overall)):
        shown.add_row(name, f"{leak.n_spans:,}", f"{100 * leak.span_recall:.1f}", f"{100 * leak.character_recall:.1f}")
    console().print(shown)
    say(
        f"{100 * scored.clean_share:.1f} % of {scored.n_notes:,} notes without a leak; "
        f"{100 * scored.over_redaction:.2f} % of the other characters removed\n"
    )
    return {
        "n_notes": scored.n_notes,
        "n_notes_clean": scored.n_notes_clean,
        "clean_share": scored.clean_share,
        "over_redaction": scored.over_redaction,
        "labels": {
            name: {"n_spans": leak.n_spans, "span_recall": leak.span_recall, "character_recall": leak.character_recall}
            for name, leak in (*scored.labels.items(), ("all", scored.overall))
        },
    }


def _diagnoses(gold: Sequence[Note], found: _Predicted, threshold: float) -> dict[str, Any]:
    """Show and give the scores of diagnosis codes."""
    from clinlp.metrics.diagnosis import score_diagnoses

    scored = score_diagnoses(gold, found.notes, threshold)
    if found.single:  # all codes are ranked, the first one is the prediction
        firsts = [replace(note, diagnoses=(note.diagnoses or ())[:1]) for note in found.notes]
        first = score_diagnoses(gold, firsts, 0.0)
        scored = replace(scored, micro=first.micro, codes=first.codes, exact=first.exact)
    chosen = "the first code counts" if found.single else f"from probability {threshold:g}"
    shown = table(f"diagnoses of {scored.n_notes:,} notes, {chosen}", ("score", "%"))
    for row in scored.rows():
        shown.add_row(*row)
    console().print(shown)
    return scored.to_dict()


def _write(path: Path, scores: dict[str, Any]) -> None:
    import json

    try:
        path.write_text(json.dumps(scores, indent=1, ensure_ascii=False) + "\n", "utf-8")
    except OSError as error:
        raise UsageError(f"{path}: cannot be written ({error.strerror})") from None
