"""`clinlp calibrate` and `calibrate-codes`: thresholds for PHI and sets of codes, with a stated bound."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, Literal

import typer

from clinlp.cli.console import SCORES, remark, say
from clinlp.errors import DataError, UsageError
from clinlp.note import Note
from clinlp.spans import Span

if TYPE_CHECKING:  # numpy and torch: loaded with the command, not with its help
    from clinlp.deid.conformal import Calibration
    from clinlp.models.decision import SetsConfig

_LIKE_THESE: Final = "the promise holds for notes like the calibration notes, and for no others"


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command(rich_help_panel=SCORES)(calibrate)
    app.command(rich_help_panel=SCORES)(calibrate_codes)


def calibrate(
    gold: Annotated[Path, typer.Argument(metavar="GOLD", help="Notes with all their `phi`; half of them choose.")],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="FILE", help="Where the thresholds go, as JSON.")],
    phi: Annotated[
        str,
        typer.Option(
            help="PHI tagger beside the rules, as in the release: `bundled` (by language), `off`, or a folder."
        ),
    ] = "bundled",
    alpha: Annotated[float, typer.Option(help="The risk that must not be passed.")] = 0.01,
    risk: Annotated[
        Literal["characters", "notes"],
        typer.Option(
            help="`characters`: share of a note's PHI characters that leaks; `notes`: share of notes with any."
        ),
    ] = "characters",
    confidence: Annotated[
        float | None, typer.Option(help="Hold the bound with this probability, not on average over calibration sets.")
    ] = None,
    recall: Annotated[
        float, typer.Option(help="Share of each label's characters that its own threshold finds.")
    ] = 0.99,
    seed: Annotated[int, typer.Option(help="Chooses the halves, by patient.")] = 1,
) -> None:
    """Choose thresholds for found PHI with a stated bound on what still leaks.

    One half of the notes' patients sets a threshold for each label, the other half lowers them
    together until conformal risk control promises the risk. The promise holds for notes like these,
    not for others. Use the file with `--thresholds FILE`.

    **Examples**

    - `clinlp calibrate gold.jsonl -o thresholds.json --alpha 0.01`
    - `clinlp calibrate gold.jsonl -o thresholds.json --risk notes --alpha 0.05 --confidence 0.9`
    """
    from clinlp.data.splits import split
    from clinlp.deid.conformal import base_thresholds, require_notes, write_thresholds
    from clinlp.deid.conformal import calibrate as choose
    from clinlp.records import read_notes

    if out.exists():
        raise UsageError(f"{out}: a new file needed for the thresholds, got one that is there")
    notes = list(read_notes(gold))
    if not any(note.phi for note in notes):
        raise DataError(f"{gold}: notes with phi needed, got none")
    first, second = split(notes, 0.5, seed)
    require_notes(len(second), alpha, confidence)
    of_first, of_second = _candidates((first, second), phi)
    base = base_thresholds(first, of_first, recall)
    found = choose(second, of_second, base, alpha=alpha, risk=risk, confidence=confidence)
    write_thresholds(found, out)
    _say_bound(found, "of a note's PHI characters leak" if risk == "characters" else "of notes leak any PHI")
    say(f"{found.over_redaction:.2%} of their other characters are removed")
    for label, threshold in found.thresholds.items():
        say(f"{label:>14} {threshold:.3f}")
    remark(_LIKE_THESE)


def _candidates(parts: Iterable[Sequence[Note]], phi: str) -> Iterator[list[list[Span]]]:
    """Give, for each part, what a release finds in its notes, however improbable; what they mark is not looked at."""
    from clinlp.inference.config import PipelineConfig
    from clinlp.inference.release import Deidentifier

    finder = Deidentifier(PipelineConfig(phi=phi))
    for part in parts:
        yield finder.candidates([replace(note, phi=()) for note in part])


def calibrate_codes(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="A model folder, or a bundled model's name.")],
    gold: Annotated[Path, typer.Argument(metavar="GOLD", help="Notes with codes, neither trained on nor dev.")],
    alpha: Annotated[
        float,
        typer.Option(help="What may be missed: notes whose code is not in the set, or a share of a note's codes."),
    ] = 0.1,
    confidence: Annotated[
        float | None, typer.Option(help="Hold the bound with this probability, not on average over calibration sets.")
    ] = None,
    method: Annotated[
        Literal["aps", "lac"] | None,
        typer.Option(help="For a model of a single code: `aps` adapts to hard notes, `lac` has the smallest sets."),
    ] = None,
    max_set: Annotated[int | None, typer.Option(min=1, help="Say how often a set has more codes than this.")] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="FOLDER", help="A calibrated copy; else MODEL itself is.")
    ] = None,
) -> None:
    """Choose prediction sets of codes with a stated bound on what they miss.

    Of a model of a single code: the share of notes whose code is not in its set (APS or LAC). Of the
    others: the share of a note's codes that is not in its set (conformal risk control). The promise holds
    for notes like these, before any is abstained from. Use them with `clinlp annotate --diagnosis MODEL
    --sets`, or `--max-set 5` to abstain where a set has more codes.

    **Examples**

    - `clinlp calibrate-codes runs/icd/best calibration.jsonl --alpha 0.1`
    - `clinlp calibrate-codes diagnosis-en calibration.jsonl -o models/icd-sets --alpha 0.2 --confidence 0.9`
    """
    from clinlp.inference.promise import promise_sets
    from clinlp.records import read_notes

    made = promise_sets(model, list(read_notes(gold)), alpha=alpha, confidence=confidence, method=method, out=out)
    sets, sizes = made.sets, made.sizes
    _say_bound(
        sets, "of a note's codes are missed" if sets.method == "share" else "of notes have a code that is missed"
    )
    say(f"a set has {sizes.mean():.1f} codes on average, {int(sizes.max())} at most ({sets.method})")
    if max_set is not None:
        say(f"{(sizes > max_set).mean():.2%} of the sets have more than {max_set} codes: --max-set abstains from them")
    if made.n_silent:
        remark(f"{made.n_silent:,} notes hold no word and were left out: they get no set")
    remark(_LIKE_THESE)


def _say_bound(found: Calibration | SetsConfig, what: str) -> None:
    """Say what is promised, how surely, and what the notes that it was chosen on show."""
    sure = "on average" if found.confidence is None else f"with confidence {found.confidence:g}"
    say(f"at most {found.bound:.2%} {what}, {sure}; {found.observed:.2%} of the {found.n_notes:,} calibration notes'")
