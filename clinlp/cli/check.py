"""`clinlp check`: what is wrong with annotated notes, before one trains on them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from clinlp.cli.console import TRAINING, console, remark, say, spare_inputs, table
from clinlp.cli.options import takes
from clinlp.config import Config
from clinlp.data.checks.config import CheckConfig
from clinlp.errors import UsageError
from clinlp.records.options import ReadOptions

if TYPE_CHECKING:  # numpy: loaded with the command, not with its help
    from clinlp.data.checks.findings import Finding, Findings, Part, Place, StringUse
    from clinlp.data.checks.run import Tell

_PANELS: dict[type[Config], str] = {CheckConfig: "What counts", ReadOptions: "How notes are read"}
_MOST_ROWS = 30  # labels or codes that a table holds; --json has them all


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(rich_help_panel=TRAINING)(check)


@takes(CheckConfig, _PANELS, names={"format": "--from --format"}, hidden=("duplicate_ids",))
def check(
    config: CheckConfig,
    data: Annotated[Path, typer.Argument(metavar="DATA", help="Annotated notes to train on, in any format.")],
    dev: Annotated[Path | None, typer.Option(metavar="FILE", help="Notes to choose the best epoch on.")] = None,
    test: Annotated[Path | None, typer.Option(metavar="FILE", help="Notes to score the model on.")] = None,
    json_file: Annotated[Path | None, typer.Option("--json", metavar="OUT", help="Write everything here.")] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Exit with 1 if there are findings.")] = False,
    ignore: Annotated[
        list[str] | None,
        typer.Option(metavar="KIND", help="A kind of finding to leave out; may be given several times."),
    ] = None,
) -> None:
    """Look for what is wrong with annotated notes, before training on them.

    Spans that overlap, repeat, or begin or end in spaces or punctuation; words with several labels, or
    labelled here and not there; notes that are the same or nearly, ids that came before, and patients
    in two parts; what BIOES tags, pieces or windows would lose; codes that train does not have.

    Shows and writes ids, offsets, labels, codes and numbers. Words of notes come with `--show-text`
    alone. Notes are read as a stream, twice.

    **Examples**

    - `clinlp check notes.jsonl`
    - `clinlp check train.jsonl --dev dev.jsonl --test test.jsonl --encoder models/bert --json findings.json`
    - `clinlp check train.jsonl --dev dev.jsonl --strict --ignore nested_span --ignore lost_to_overlap`
    """
    from clinlp.data.checks.findings import KINDS
    from clinlp.data.checks.run import check as look

    spare_inputs((json_file,), (data, dev, test))
    for kind in ignore or ():
        if kind not in KINDS:
            raise UsageError(f"--ignore: a kind of finding needed, got {kind}; known are {', '.join(KINDS)}")
    parts = {"train" if dev or test else "data": data}
    parts |= {name: path for name, path in (("dev", dev), ("test", test)) if path is not None}
    with _progress() as tell:
        found = look(parts, config, tell=tell).without(ignore or ())
    _show(found)
    if config.spans == "entities" and not any(part.n_spans for part in found.parts.values()):
        other = sum(part.n_other_spans for part in found.parts.values())
        if other:
            remark(f"no entities; --spans phi checks the {other:,} PHI spans")
    if json_file is not None:
        _write(json_file, json.dumps(found.to_dict(), indent=1, ensure_ascii=False) + "\n")
        say(f"all numbers: {json_file}")
    if strict and found.findings:
        raise typer.Exit(1)


def _show(found: Findings) -> None:
    """Show the parts, what was found in them, and the first strings and pairs."""
    _show_parts(found.parts)
    _show_lengths(found.parts, "characters")
    _show_lengths(found.parts, "pieces")
    names = list(dict.fromkeys(label for part in found.parts.values() for label in part.labels))
    labels = {name: [part.labels.get(name) for part in found.parts.values()] for name in names}
    _show_counts(
        "spans of each label", found.parts, {k: [use.n_spans if use else 0 for use in v] for k, v in labels.items()}
    )
    codes = list(dict.fromkeys(code for part in found.parts.values() for code in part.codes))
    counts = {code: [part.codes.get(code, 0) for part in found.parts.values()] for code in codes}
    _show_counts("notes of each code", found.parts, counts)
    _show_strings("words with several labels, the most often in doubt", found.differing)
    _show_strings("words labelled in some places only, the most often on both sides", found.partly)
    if found.pairs:
        shown = table("notes much alike", ("note", "and", "similarity"), left=2)
        for pair in found.pairs:
            ends = (f"{pair.part}: {pair.note_id}", f"{pair.other_part}: {pair.other_id}")
            shown.add_row(*map(_plain, ends), f"{pair.similarity:.3f}")
        console().print(shown)
    _show_findings(found.findings)


def _show_parts(parts: Mapping[str, Part]) -> None:
    shown = table("what there is", ("", *parts))
    rows: dict[str, Callable[[Part], int]] = {
        "notes": lambda part: part.n_notes,
        "without spans": lambda part: part.n_without_spans,
        "longer than a window": lambda part: part.n_windowed,
        "spans": lambda part: part.n_spans,
        "labels": lambda part: len(part.labels),
        "characters": lambda part: part.characters.total,
        "pieces": lambda part: part.pieces.total,
        "pieces unknown": lambda part: part.n_unknown_pieces,
        "notes annotated with codes": lambda part: part.n_annotated,
        "notes with codes": lambda part: part.n_with_codes,
        "codes given": lambda part: sum(part.codes.values()),
        "different codes": lambda part: len(part.codes),
    }
    has_spans = any(part.n_spans for part in parts.values())
    for name, count in rows.items():
        counts = [count(part) for part in parts.values()]
        if any(counts) and (has_spans or name != "without spans"):
            shown.add_row(name, *(f"{n:,}" for n in counts))
    console().print(shown)


def _show_lengths(parts: Mapping[str, Part], unit: Literal["characters", "pieces"]) -> None:
    """Show how many notes there are of each length."""
    lengths = [getattr(part, unit) for part in parts.values()]
    shown = table(f"notes by their {unit}", (unit, *parts))
    for at in range(max(len(each.histogram) for each in lengths)):
        low, high = next(each.histogram[at][:2] for each in lengths if at < len(each.histogram))
        counts = [each.histogram[at][2] if at < len(each.histogram) else 0 for each in lengths]
        if any(counts):
            shown.add_row(f"{low:,} to {high - 1:,}", *(f"{n:,}" for n in counts))
    for name, value in (("median", "median"), ("90 % at most", "p90"), ("99 % at most", "p99"), ("longest", "most")):
        shown.add_row(name, *(f"{getattr(each, value):,}" for each in lengths))
    console().print(shown)


def _show_counts(title: str, parts: Iterable[str], counts: Mapping[str, list[int]]) -> None:
    if not counts:
        return
    shown = table(title, ("", *parts))
    for name, row in islice(counts.items(), _MOST_ROWS):
        shown.add_row(_plain(name), *(f"{n:,}" for n in row))
    if len(counts) > _MOST_ROWS:
        shown.add_row(f"and {len(counts) - _MOST_ROWS:,} more")
    console().print(shown)


def _show_strings(title: str, strings: Iterable[StringUse]) -> None:
    """Show strings by a place where they stand."""
    rows = list(strings)
    if not rows:
        return
    shown = table(title, ("for instance at", "as", "labelled", "unlabelled", "% first label"), left=2)
    for use in rows:
        where = _where(use.places[0]) if use.text is None else use.text
        labels = ", ".join(f"{label} {n:,}" for label, n in use.labels.items())
        first = 100 * max(use.labels.values()) / (use.n_labelled + use.n_unlabelled)
        cells = (f"{use.n_labelled:,}", f"{use.n_unlabelled:,}", f"{first:.0f}")
        shown.add_row(_plain(where), _plain(labels), *cells)
    console().print(shown)


def _show_findings(findings: Iterable[Finding]) -> None:
    from clinlp.data.checks.findings import KINDS

    rows = list(findings)
    if not rows:
        say("nothing found")
        return
    shown = table("what was found", ("kind", "part", "for instance", "n", "%"), left=3)
    for finding in rows:
        where = _where(finding.places[0]) if finding.places else ""
        cells = map(_plain, (finding.kind, finding.part, where))
        shown.add_row(*cells, f"{finding.n:,}", f"{100 * finding.share:.1f}")
    console().print(shown)
    for kind in dict.fromkeys(finding.kind for finding in rows):
        say(f"{kind}: {KINDS[kind].says}")


def _where(place: Place) -> str:
    """Write a place as one would look it up."""
    offsets = f" [{place.start}, {place.end})" if place.start is not None else ""
    said = "".join(f" {each}" for each in (place.label, place.other, place.text) if each is not None)
    return f"{place.note_id}{offsets}{said}"


def _plain(words: str) -> str:
    """Keep what a file holds from being read as markup."""
    from rich.markup import escape

    return escape(words)


@contextmanager
def _progress() -> Iterator[Tell | None]:
    """Say on standard error what is being read; None where that is no terminal."""
    from rich.console import Console

    screen = Console(stderr=True, highlight=False)
    if not screen.is_terminal:
        yield None
        return
    with screen.status("reading") as status:
        yield lambda stage, n: status.update(f"{stage}: {n:,} notes")


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, "utf-8")
    except OSError as error:
        raise UsageError(f"{path}: cannot be written ({error.strerror})") from None
