"""De-identify, tokenize and annotate English and Chinese medical records.

>>> import clinlp
>>> clinlp.deidentify("Seen by Dr. Jane Doe on 03/12/2021.")
'Seen by Dr. [NAME] on [DATE].'
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal, overload

from clinlp.errors import AlignmentError, DataError, Failure, UsageError
from clinlp.note import Diagnosis, Note
from clinlp.rewrite import Edit, rewrite
from clinlp.spans import Context, Span

if TYPE_CHECKING:
    from clinlp.inference.pipeline import Pipeline
    from clinlp.inference.release import Deidentifier
    from clinlp.records import WriteReport
    from clinlp.report.fragment import Shown

__all__ = [
    "AlignmentError",
    "Context",
    "DataError",
    "Diagnosis",
    "Edit",
    "Failure",
    "Note",
    "Span",
    "UsageError",
    "deidentify",
    "load",
    "read_notes",
    "rewrite",
    "show",
    "write_notes",
]
__version__ = "0.1.0"


def load(
    *,
    deid: Literal["tag", "mask", "placeholder", "surrogate", "off"] = "tag",
    phi: str = "bundled",
    entities: str = "bundled",
    diagnosis: str = "bundled",
    known: Sequence[str] = (),
    key_file: str | Path | None = None,
    device: str | None = None,
) -> Pipeline:
    """Give the whole pipeline: a function from notes to released, annotated notes.

    Args:
        deid: How PHI is replaced; `off` keeps the text and marks PHI as spans over it.
        phi: The tagger beside the rules: `bundled` (by language), `off` for rules alone, or a model folder.
        entities: The same for entities.
        diagnosis: The same for diagnosis codes.
        known: Columns of the notes that name the patient, `COLUMN=LABEL`.
        key_file: The secret that surrogates come from; else the environment variable `CLINLP_KEY`.
        device: `cpu`, `cuda`, `cuda:1` ...; else a GPU if there is one.

    Raises:
        UsageError: A model that was named is none, or there is no key for surrogates.
    """
    from clinlp.inference.pipeline import Pipeline, PipelineConfig

    config = PipelineConfig(
        deid=deid,
        phi=phi,
        entities=entities,
        diagnosis=diagnosis,
        known=tuple(known),
        key_file=None if key_file is None else Path(key_file),
        device=device,
    )
    return Pipeline(config)


@overload
def deidentify(note: Note, mode: Literal["tag", "mask", "placeholder"] = "tag", *, phi: str = "bundled") -> Note: ...
@overload
def deidentify(note: str, mode: Literal["tag", "mask", "placeholder"] = "tag", *, phi: str = "bundled") -> str: ...
def deidentify(
    note: Note | str, mode: Literal["tag", "mask", "placeholder"] = "tag", *, phi: str = "bundled"
) -> Note | str:
    """Find PHI and replace it; a string comes back as a string, a note as a note.

    Args:
        mode: `tag` writes `[NAME]`, `mask` a filler of the same length, `placeholder` `[NAME-1]`.
        phi: The tagger beside the rules: `bundled` (by language), a model folder, or `off`, which loads no
            model and misses more.

    Raises:
        DataError: What would come back may still hold PHI.
        UsageError: There is no such model.
    """
    held = note if isinstance(note, Note) else Note("text", note)
    with_one = _deidentifier(mode, phi)
    [found] = with_one.find([held])
    released = with_one.release(found)
    return released if isinstance(note, Note) else released.text


@lru_cache(maxsize=4)
def _deidentifier(mode: Literal["tag", "mask", "placeholder"], phi: str) -> Deidentifier:
    from clinlp.inference.config import PipelineConfig
    from clinlp.inference.release import Deidentifier

    return Deidentifier(PipelineConfig(deid=mode, phi=phi, keep_fields=("*",)))


def read_notes(path: str | Path) -> Iterator[Note]:
    """Read notes one by one from a file or folder of any known format.

    Raises:
        UsageError: There is no such file, or its format is not known.
        DataError: A record is bad; the message names the file and line, and quotes no text.
    """
    from clinlp.records import read_notes as read

    return read(Path(path))


def write_notes(notes: Iterable[Note], path: str | Path) -> WriteReport:
    """Write notes in the format of the file's name; the report counts what it cannot hold."""
    from clinlp.records import write_notes as write

    return write(notes, Path(path))


def show(notes: Note | Iterable[Note]) -> Shown:
    """Give what a notebook displays of one note, or of a few: spans, context, diagnoses and their evidence.

    A note alone displays no text, since it may hold PHI. What a notebook displays is saved with it.

    Raises:
        UsageError: Something else than a note, such as a spaCy Doc.
        DataError: There are too many notes; `clinlp report` makes a page of thousands.
    """
    from clinlp.report.fragment import show as made

    return made(notes)
