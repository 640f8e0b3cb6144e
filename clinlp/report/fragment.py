"""A note inside somebody else's page, such as a notebook: HTML that needs no script."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Final

from clinlp.errors import DataError, UsageError
from clinlp.note import Diagnosis, Note
from clinlp.report.assets import asset, showable
from clinlp.report.names import CONTEXT_NAMES, context_marks, label_names, section_name
from clinlp.report.page import Kinds, colours, number_labels
from clinlp.report.segments import Mark, Segment, lay_out, segments
from clinlp.spans import Span

_MOST: Final = 20  # notes at once; a page of `clinlp report` holds thousands


@dataclass(frozen=True, slots=True)
class Shown:
    """Notes for a notebook to display: the value of a cell. Saved with the notebook, and the notes' text with it."""

    notes: tuple[Note, ...] = field(repr=False)

    def __repr__(self) -> str:
        """Say how many notes there are, and no word of them."""
        return f"Shown({len(self.notes)} notes)"

    def _repr_html_(self) -> str:
        return fragment(self.notes)


def show(notes: Note | Iterable[Note]) -> Shown:
    """Give what a notebook displays of one note, or of a few.

    Raises:
        UsageError: Something else than a note, such as a spaCy Doc.
        DataError: There are too many; a page holds thousands.
    """
    held = (notes,) if isinstance(notes, Note) or not isinstance(notes, Iterable) else tuple(notes)
    if not all(isinstance(note, Note) for note in held):
        raise UsageError(
            f"show: a note or some notes needed, got {type(notes).__name__}; clinlp.pipes.convert.doc_to_note(doc, "
            'note_id="1") makes one of a Doc'
        )
    if len(held) > _MOST:
        raise DataError(f"show: {_MOST} notes at most needed, got {len(held):,}; clinlp report shows thousands")
    return Shown(held)


def fragment(notes: Sequence[Note]) -> str:
    """Draw notes as one element with its own style, which reaches nothing outside it."""
    kinds, _ = number_labels(notes)
    n_codes = max((len(note.diagnoses or ()) for note in notes), default=0)
    inner = asset("marks.css") + "\n".join([*colours(kinds), *_lights(n_codes)])
    style = f"{asset('fragment.css')}.clinlp {{ {inner} }}"
    drawn = "".join(_note(note, kinds) for note in notes)
    return showable(f'<div class="clinlp"><style>{style}</style>{drawn}</div>')


def _lights(n_codes: int) -> Iterator[str]:
    """Light the evidence of a diagnosis while it is hovered or focused."""
    for at in range(n_codes):
        row = f"article:has(.c{at}:is(:hover, :focus)) .e{at}"
        yield f"{row}, {row} > .m {{ background: var(--lit); }} {row} {{ box-shadow: 0 0 0 3px var(--lit); }}"


def _note(note: Note, kinds: Kinds) -> str:
    lang = {"zh": ' lang="zh-Hans"', "en": ' lang="en"', None: ""}[note.lang]
    diagnoses = _diagnoses(note) if note.diagnoses is not None else ""
    return (
        f"<article><header><bdi>{escape(note.note_id)}</bdi></header><div class=body>"
        f'<div class="text"{lang}>{"".join(_text(note, kinds))}</div>{diagnoses}</div></article>'
    )


def _text(note: Note, kinds: Kinds) -> Iterator[str]:
    """The note's text, with a box around every span and a sign where a section begins."""
    marks = lay_out((kind, span) for kind in ("entities", "phi") for span in getattr(note, kind))
    signs: dict[int, list[str]] = {}
    for section in note.sections:
        name = escape(section_name(section.label, note.lang))
        signs.setdefault(section.start, []).append(f'<span class="sec" data-name="{name}"></span>')
    evidence = lay_out((str(i), span) for i, d in enumerate(note.diagnoses or ()) for span in d.evidence)
    for segment in segments(len(note.text), [*marks, *evidence], signs):
        yield from signs.get(segment.start, ())
        inner = escape(note.text[segment.start : segment.end])
        supports = sorted({int(mark.kind) for mark in segment.marks if mark.kind.isdigit()})
        for mark in reversed(segment.marks):
            if not mark.kind.isdigit():
                inner = _box(mark, segment, inner, note, kinds)
        yield f'<span class="ev {" ".join(f"e{at}" for at in supports)}">{inner}</span>' if supports else inner


def _box(mark: Mark, segment: Segment, inner: str, note: Note, kinds: Kinds) -> str:
    """Draw one span's box around the part of it that a segment holds, and its label after the last part."""
    span, kind = mark.span, mark.kind
    held = context_marks(span.context)
    names = label_names(kind, span.label)
    own = "phi" if kind == "phi" else f"l{kinds[kind, span.label]}"
    classes = ["m", own, f"d{min(mark.lane, 4)}", *held]
    classes += [name for name, there in (("a", segment.start == span.start), ("z", segment.end == span.end)) if there]
    box = f'<span class="{" ".join(classes)}" title="{escape(_tip(span, names, held))}">{inner}</span>'
    if segment.end != span.end:
        return box
    shown = [names[1], *(CONTEXT_NAMES[key][1] for key in held)] if note.lang == "zh" else [span.label, *held]
    return f'{box}<span class="tag {own}" data-n="{escape(" · ".join(shown))}"></span>'


def _tip(span: Span, names: tuple[str, str], held: Sequence[str]) -> str:
    """Say in one line what a span is."""
    facts = [" ".join(dict.fromkeys((span.label, *names)))]
    facts += [" ".join(CONTEXT_NAMES[key]) for key in held]
    if span.score is not None:
        facts.append(f"score 置信度 {span.score:.2f}")
    return " · ".join(facts)


def _diagnoses(note: Note) -> str:
    """List codes by falling probability, each with a bar."""
    numbered: Mapping[int, Diagnosis] = dict(enumerate(note.diagnoses or ()))
    ordered = sorted(numbered, key=lambda at: -(1.0 if numbered[at].score is None else numbered[at].score or 0.0))
    rows = "".join(_diagnosis(at, numbered[at]) for at in ordered)
    return f"<aside><h3>Diagnoses 诊断</h3>{rows or '<p class=faint>none 无</p>'}</aside>"


def _diagnosis(at: int, diagnosis: Diagnosis) -> str:
    share, bar = "", ""
    if diagnosis.score is not None:
        share = f"{100 * diagnosis.score:.1f}%"
        bar = f'<meter aria-hidden="true" min="0" max="1" value="{diagnosis.score:.4f}"></meter>'
    return (
        f'<div class="dx c{at}" tabindex="0"><b><bdi>{escape(diagnosis.code)}</bdi></b><span>{share}</span>{bar}'
        f"<small>evidence 依据: {len(diagnosis.evidence)}</small></div>"
    )
