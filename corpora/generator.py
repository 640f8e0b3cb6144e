"""Seeded synthetic notes in the canonical JSON form, with gold spans, contexts and codes."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

from corpora.layout import Page, Style
from corpora.patient import Patient, draw_patient, fits
from corpora.pieces import Piece
from corpora.slots import Writer
from corpora.vocabulary import Pool, Section, Template, Vocabulary, load_vocabulary

Record = dict[str, Any]
MAX_WALK = 8
MIN_SUPPORT = 2
BRIEF = Template("brief", "outpatient", (), (Section("-", (("", "brief", 1, 2),), ""),))


def make_notes(lang: str, notes: int, seed: int, part: str = "train") -> Iterator[Record]:
    """That many notes; the same for the same seed.

    Args:
        part: `train` uses nothing that is held out; `heldout` draws it about half of the time.
    """
    vocabulary = load_vocabulary(lang)
    rng = random.Random(f"{lang} {seed} {part}")  # noqa: S311 - invented records, not secrets
    patient: Patient | None = None
    for number in range(1, notes + 1):
        template = _draw_template(vocabulary.templates, part, rng)
        if patient is None or rng.random() > 0.3 or not fits(patient.disease, template):
            patient = draw_patient(vocabulary, template, f"synth-{lang}-{seed}-p{number:05d}", part, rng)
        yield _write(vocabulary, patient, template, part, rng) | {"note_id": f"synth-{lang}-{seed}-{number:05d}"}


def make_brief_notes(lang: str, notes: int, seed: int, part: str = "train") -> Iterator[Record]:
    """That many notes of a line or two, in which most codes stand by name; otherwise as `make_notes`."""
    vocabulary = load_vocabulary(lang)
    rng = random.Random(f"brief {lang} {seed} {part}")  # noqa: S311 - invented records, not secrets
    for number in range(1, notes + 1):
        patient = draw_patient(vocabulary, BRIEF, f"brief-{lang}-{seed}-p{number:05d}", part, rng)
        yield _write(vocabulary, patient, BRIEF, part, rng) | {"note_id": f"brief-{lang}-{seed}-{number:05d}"}


def _draw_template(templates: tuple[Template, ...], part: str, rng: random.Random) -> Template:
    names = Pool(template.name for template in templates)
    name = rng.choice(names.of(part, rng))
    return next(template for template in templates if template.name == name)


def _write(vocabulary: Vocabulary, patient: Patient, template: Template, part: str, rng: random.Random) -> Record:
    writer = Writer(vocabulary, patient, template, part, rng)
    writer.names_disease |= template is BRIEF
    page = Page(Style.draw(vocabulary.style, rng), rng)
    for section in template.sections:
        lines: list[list[Piece]] = []
        for walk, bank, least, most in section.parts:
            lines += _walk(writer, walk, bank) if walk else writer.lines(bank, rng.randint(least, most))
        heading = ""
        if section.label != "-" and rng.random() > 0.05:
            heading = writer.draw(vocabulary.headings[section.label])
        page.add(section.label, heading, lines, section.layout)
    return _record(vocabulary, patient, template, page)


def _walk(writer: Writer, kind: str, bank: str) -> list[list[Piece]]:
    """One line for each thing that the patient has."""
    lines: list[list[Piece]] = []
    seen: set[str] = set()
    for item in writer.items(kind):
        name = str(item)
        if name in seen or len(seen) == MAX_WALK:
            continue
        seen.add(name)
        writer.force(kind, item)
        lines += writer.lines(bank, 1)
        writer.forced.clear()
    return lines


def _record(
    vocabulary: Vocabulary,
    patient: Patient,
    template: Template,
    page: Page,
) -> Record:
    """The canonical JSON form, without its id."""
    text, borders, sections = page.finish()
    marked = [(piece, start, end) for piece, (start, end) in zip(page.pieces, borders, strict=True) if piece.label]
    entities: list[Record] = []
    phi: list[Record] = []
    for piece, start, end in marked:
        span: Record = {"start": start, "end": end, "label": piece.label}
        if piece.is_phi:
            phi.append(span)
            continue
        context = piece.context()
        entities.append(span if context is None else span | {"context": context})
    stay = {"admission": "admit", "discharge": "discharge", "operation": "surgery"}
    written = patient.dates[stay.get(template.note_type, "relative_day")]
    return {
        "note_id": "",
        "patient_id": patient.patient_id,
        "lang": vocabulary.lang,
        "time": written.isoformat(),
        "text": text,
        "entities": entities,
        "phi": phi,
        "sections": [{"start": s, "end": e, "label": label} for s, e, label in sections],
        "diagnoses": _diagnoses(patient, marked),
        "fields": {"note_type": template.note_type, "template": template.name, "sex": "M" if patient.male else "F"},
    }


def _diagnoses(patient: Patient, marked: list[tuple[Piece, int, int]]) -> list[Record]:
    """The codes that the text shows, each with the mentions that show it."""
    reach: dict[int, tuple[int, int]] = {}
    for piece, start, end in marked:
        if piece.group:
            low, high = reach.get(piece.group, (start, end))
            reach[piece.group] = (min(low, start), max(high, end))
    shown: dict[str, dict[int, Record]] = {}
    support: dict[int, Record] = {}
    words: set[str] = set()
    for piece, _, _ in marked:
        if not piece.affirmed or not (piece.code or piece.supports):
            continue
        start, end = reach[piece.group]
        evidence = {"start": start, "end": end, "label": piece.label}
        if piece.code:
            shown.setdefault(piece.code, {})[piece.group] = evidence
        if piece.supports == patient.disease.code:
            support[piece.group] = evidence
            words.add(piece.text.lower())
    if patient.disease.code not in shown and len(words) >= MIN_SUPPORT:
        shown[patient.disease.code] = support
    return [{"code": code, "evidence": list(shown[code].values())} for code in sorted(shown)]
