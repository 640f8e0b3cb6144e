"""Each entity as a note of its own, its context as codes: what a classifier of contexts reads and learns."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from clinlp.note import Diagnosis, Lang, Note
from clinlp.spans import Context, Span
from clinlp.text.blocks import Blocks
from clinlp.text.context import add_context
from clinlp.text.language import detect_language
from clinlp.text.rules import EFFECTS, Effect
from clinlp.text.sections import find_sections

OPEN: Final = "\ue000"
CLOSE: Final = "\ue001"
"""Stand around the entity in the text that is read; no note holds them."""

RULED: Final = tuple(f"ruled_{effect}" for effect in EFFECTS)
"""Fields beside the text of an entity: 1 where the rules say so, else 0. A model that reads them corrects the rules."""

_AROUND: Final = 160  # characters on either side, at most those of the sentence


@dataclass(frozen=True, slots=True)
class Mention:
    """One entity with the words around it.

    Attributes:
        at: Its place among the note's entities.
        text: Its section, the heading of its list, and its sentence with the entity marked.
    """

    at: int
    span: Span
    text: str


def mentions(note: Note, lang: Lang, sections: Sequence[Span]) -> list[Mention]:
    """Give the entities of a note with what a classifier reads of each, in their order."""
    placed = sorted((Mention(at, span, "") for at, span in enumerate(note.entities)), key=_start)
    found = []
    for block, members in Blocks(note.text, lang).of(placed):
        heading = "" if block.heading is None else note.text[slice(*block.heading)][-_AROUND:] + " "
        for one in members:
            span = one.span
            before = note.text[max(block.start, span.start - _AROUND) : span.start]
            after = note.text[span.end : min(block.end, span.end + _AROUND)]
            words = f"{before}{OPEN}{note.text[span.start : span.end]}{CLOSE}{after}"
            found.append(Mention(one.at, span, f"{_section(span, sections)}: {heading}{words}"))
    return sorted(found, key=_place)


def mention_notes(notes: Iterable[Note]) -> Iterator[Note]:
    """Give a note for each entity that has a context, with codes of what it says; notes of a patient stay together."""
    for note in notes:
        if not note.entities:
            continue
        lang = note.lang or detect_language(note.text)
        sections = note.sections or find_sections(note.text, lang)
        ruled = add_context(note.text, note.entities, lang, sections)
        for one in mentions(note, lang, sections):
            if one.span.context is not None:
                codes = tuple(map(Diagnosis, effects_of(one.span.context)))
                patient = note.patient_id or note.note_id
                fields = ruled_fields(ruled[one.at].context)
                yield Note(f"{note.note_id}#{one.at}", one.text, patient, lang, diagnoses=codes, fields=fields)


def ruled_fields(context: Context | None) -> dict[str, int]:
    """Write what the rules say of an entity as fields beside its text."""
    said = effects_of(context or Context())
    return {name: int(effect in said) for name, effect in zip(RULED, EFFECTS, strict=True)}


def effects_of(context: Context) -> tuple[Effect, ...]:
    """What a context says, in one list."""
    said = {name for name in EFFECTS if getattr(context, name, False) or context.experiencer == name}
    return tuple(name for name in EFFECTS if name in said)


def _section(span: Span, sections: Iterable[Span]) -> str:
    label = "text"
    for section in sections:
        if section.start <= span.start < section.end:
            label = section.label
    return label.replace("_", " ")


def _start(mention: Mention) -> int:
    return mention.span.start


def _place(mention: Mention) -> int:
    return mention.at
