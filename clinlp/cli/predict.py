"""`clinlp predict`: the diagnoses of one note of your own, and the words that support each, on your own screen."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, Literal, TypeAlias

import typer

from clinlp.cli.console import RECORDS, console, remark, say, table
from clinlp.cli.options import Device
from clinlp.errors import DataError, Failure, UsageError
from clinlp.note import Diagnosis, Lang, Note
from clinlp.records.options import Format

if TYPE_CHECKING:
    from rich.table import Table
    from rich.text import Text

    from clinlp.inference.diagnosis import DiagnosisPredictor

Evidence: TypeAlias = Literal["attention", "gradients", "shapley", "lime", "off"]
_BAR: Final = 20  # characters
_LONGEST: Final = 60  # of a stretch of evidence, in characters


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(rich_help_panel=RECORDS)(predict)


def predict(
    source: Annotated[
        str | None,
        typer.Argument(metavar="NOTE", help="A text file, a file of records, or `-` for standard input."),
    ] = None,
    text: Annotated[str | None, typer.Option(help="The note itself, instead of a file.")] = None,
    note_id: Annotated[str | None, typer.Option("--id", help="Which note, in a file of many.")] = None,
    given: Annotated[
        list[str] | None,
        typer.Option("--field", metavar="NAME=VALUE", help="A field of the note, for a model that reads some."),
    ] = None,
    form: Annotated[Format | None, typer.Option("--format", help="Of the file, where its name does not tell.")] = None,
    model: Annotated[
        str, typer.Option(help="A model folder or name; `bundled` is the bundled one of the note's language.")
    ] = "bundled",
    top: Annotated[int, typer.Option(min=1, help="How many codes are shown, whatever their probability.")] = 5,
    evidence: Annotated[
        Evidence,
        typer.Option(
            help="`attention`: where the model looked, at once. `gradients`, `shapley`, `lime`: what each word adds or "
            "takes away (clinlp-emr[explain])."
        ),
    ] = "attention",
    as_json: Annotated[bool, typer.Option("--json", help="Write the note as one JSON record instead.")] = False,
    device: Device = None,
) -> None:
    """Rank the diagnoses of one note, with the words that support each.

    Shows words of the note on the screen, and writes nothing anywhere else. Words that speak against a
    code are marked with a minus (not by attention, which has no sign).

    **Examples**

    - `clinlp predict letter.txt`
    - `clinlp predict --text "患者血糖升高，多饮多尿3年。" --top 3`
    - `clinlp predict notes.jsonl --id 17 --model runs/codes/best --evidence gradients --json`
    """
    note = _with_fields(_read(source, text, note_id, form), given or ())

    from clinlp.inference.diagnosis import DiagnosisPredictor
    from clinlp.text.language import detect_language

    lang = note.lang or detect_language(note.text)
    name = f"diagnosis-{lang}" if model == "bundled" else model
    predictor = DiagnosisPredictor.load(name, device=device, top=top)
    predictor.evidence = evidence == "attention"
    _need_read(given or (), predictor)
    asked = _patient(source, note, form) if predictor.whole_patients else [note]
    found = predictor(asked)[next(at for at, each in enumerate(asked) if each is note)]
    if evidence != "attention" and evidence != "off":  # noqa: PLR1714  the type checker follows this one
        from clinlp.inference.attribution import Explainer

        [found] = Explainer(predictor, evidence, against=True)([found])
    if as_json:
        from clinlp.records import to_record

        say(json.dumps(to_record(found), ensure_ascii=False))
    else:
        _show(found, predictor, name, lang, evidence)


def _need_read(given: Sequence[str], predictor: DiagnosisPredictor) -> None:
    """Refuse a field that the model does not read: a slip in its name would be a value that is missing.

    Raises:
        UsageError: There is one.
    """
    for name in (each.partition("=")[0] for each in given):
        if name not in predictor.columns:
            known = ", ".join(predictor.columns)
            raise UsageError(
                f"--field: one of {known} needed, got {name!r}"
                if known
                else "--field: a model of fields needed, got one of texts alone"
            )


def _show(note: Note, predictor: DiagnosisPredictor, name: str, lang: Lang, evidence: Evidence) -> None:
    """Show the codes, and what is to be known of them and of their evidence."""
    from clinlp.data.titles import title_of
    from clinlp.inference.network import NoteRanker

    titles = {code: title_of(names, lang) for code, names in predictor.titles.items()}
    console().print(_table(note, name, titles, with_words=evidence != "off"))
    if predictor.ahead:
        remark("these are the codes that the patient's next visit is expected to have")
    if evidence == "attention" and isinstance(predictor.ranker, NoteRanker):  # others say what they found
        remark("attention shows where the model looked; --evidence gradients shows what each word adds")


def _read(source: str | None, text: str | None, note_id: str | None, form: Format | None) -> Note:
    """Find the one note that is meant.

    Raises:
        UsageError: None or two are named, or the file is not there.
        DataError: The file has no such note, or cannot be read.
    """
    if (source is None) == (text is None):
        raise UsageError(f"one of NOTE and --text needed, got {'neither' if text is None else 'both'}")
    if source is None or source == "-":
        if note_id is not None or form is not None:
            raise UsageError(f"--{'id' if note_id is not None else 'format'}: a file needed, got a text")
        return _with_words(Note("text", _standard_input() if text is None else text))
    return _with_words(_in_file(Path(source), note_id, form))


def _in_file(path: Path, note_id: str | None, form: Format | None) -> Note:
    """Read files until the note is found; a bad record matters only if it may be the one."""
    from clinlp.records import ReadOptions, read_records

    if form is None and path.is_file() and not path.suffix:
        form = "txt"
    chosen: Note | None = None
    for _, read in read_records(path, ReadOptions(format=form)):
        if note_id is not None and read.note_id != note_id:
            continue
        if isinstance(read, Failure):
            raise DataError(f"{read.source}:{read.line}: {read.reason or read.error}")
        if note_id is not None:
            return read
        if chosen is not None:
            raise UsageError(f"{path}: one note needed, got several; name one with --id")
        chosen = read
    if chosen is None:
        raise DataError(f"{path}: a note {'of the id asked for ' if note_id is not None else ''}needed, got none")
    return chosen


def _with_fields(note: Note, given: Sequence[str]) -> Note:
    """Add fields that were given by hand.

    Raises:
        UsageError: One has no name.
    """
    parted = [each.partition("=") for each in given]
    for name, equals, _ in parted:
        if not (name and equals):
            raise UsageError("--field: NAME=VALUE needed, got something else")
    return replace(note, fields={**note.fields, **{name: value for name, _, value in parted}})


def _patient(source: str | None, note: Note, form: Format | None) -> list[Note]:
    """Give the notes of the patient in the same file, in its order: without dates that is the order of time."""
    from clinlp.records import ReadOptions, read_notes

    if source in (None, "-") or note.patient_id is None:
        remark("one note alone: the model reads all notes of a patient, where a file of records has them")
        return [note]
    held = read_notes(Path(str(source)), ReadOptions(format=form))
    return [note if each.note_id == note.note_id else each for each in held if each.patient_id == note.patient_id]


def _with_words(note: Note) -> Note:
    if not note.text.strip():
        raise DataError(f"note {note.note_id}: a text with words needed, got none")
    try:
        note.text.encode()
    except UnicodeEncodeError:
        raise DataError(f"note {note.note_id}: a text in UTF-8 needed, got other bytes") from None
    return note


def _standard_input() -> str:
    try:
        return sys.stdin.buffer.read().decode("utf-8-sig")
    except UnicodeDecodeError:
        raise DataError("standard input: UTF-8 needed, got another encoding") from None


def _table(note: Note, model: str, titles: Mapping[str, str], *, with_words: bool) -> Table:
    """Lay out the codes, their names if the model has any, a bar for each probability, and the words."""
    from rich.text import Text

    named = any(each.code in titles for each in note.diagnoses or ())
    heads = ("code", *(("name",) if named else ()), "probability", "", *(("evidence",) if with_words else ()))
    shown = table(f"diagnoses by {model}", heads, left=1 + named)
    for column in shown.columns[2 + named :]:
        column.justify = "left"
    for each in note.diagnoses or ():
        score = each.score or 0.0
        name = (Text(_safe(titles.get(each.code, ""))),) if named else ()
        row: list[str | Text] = [Text(each.code, "bold"), *name, f"{100 * score:.1f} %", Text(_bar(score), "cyan")]
        shown.add_row(*row, *((_words(note.text, each),) if with_words else ()))
    return shown


def _bar(score: float) -> str:
    """Draw a probability in eighths of a character."""
    eighths = round(score * _BAR * 8)
    part = " ▏▎▍▌▋▊▉"[eighths % 8].strip()
    return "█" * (eighths // 8) + part


def _words(text: str, diagnosis: Diagnosis) -> Text:
    """Write the words of the evidence, the strongest first, with their share; nothing that steers a terminal."""
    from rich.text import Text

    written = Text()
    ranked = sorted(diagnosis.evidence, key=lambda span: (span.label == "AGAINST", -(span.score or 0.0), span.start))
    for span in ranked:
        words = " ".join(text[span.start : span.end].split())
        words = _safe(words if len(words) <= _LONGEST else f"{words[: _LONGEST - 1]}…")
        against = span.label == "AGAINST"
        written.append("\n" if written else "")
        written.append(f"{'−' if against else ''}{words}", "red" if against else "green")
        written.append("" if span.score is None else f" {100 * span.score:.0f} %", "dim")
    return written


def _safe(words: str) -> str:
    """Take out what steers a terminal."""
    return "".join(each if each.isprintable() else "\ufffd" for each in words)
