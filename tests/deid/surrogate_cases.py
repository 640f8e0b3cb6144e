"""Notes that the tests of surrogates share."""

from __future__ import annotations

import random
from datetime import date, timedelta

from clinlp.deid.surrogates import Surrogates
from clinlp.note import Lang, Note
from clinlp.spans import Span

KEY = b"a key that is only for tests"
OURS = Surrogates(KEY)


def note_of(*values: tuple[str, str], lang: Lang = "en", patient: str = "p1", note_id: str = "n1") -> Note:
    """Put labelled values behind each other, a line each."""
    text, phi = "", []
    for label, words in values:
        phi.append(Span(len(text) + 2, len(text) + 2 + len(words), label))
        text += f"- {words}\n"
    return Note(note_id, text, patient_id=patient, lang=lang, phi=tuple(phi))


def surrogate(label: str, words: str, *, lang: Lang = "en", patient: str = "p1", ours: Surrogates = OURS) -> str:
    return ours.replacements(note_of((label, words), lang=lang, patient=patient))[0]


def mask(words: str) -> str:
    """Give the layout of a number: what each character is, but not which."""
    kinds = [(str.isdecimal, "9"), (str.isupper, "A"), (str.islower, "a")]
    return "".join(next((sign for is_kind, sign in kinds if is_kind(one)), one) for one in words)


def words(note: Note) -> tuple[str, ...]:
    return tuple(note.text[span.start : span.end] for span in note.phi)


def visit(patient: int, number: int) -> Note:
    """Write one of a patient's notes, English for even patients and Chinese for odd ones."""
    rng = random.Random(patient)  # noqa: S311  nothing secret
    mrn, day = str(rng.randrange(10**7, 10**8)), date(2021, 1, 1) + timedelta(number)
    if patient % 2:
        name = rng.choice("邵郝龚孟武乔薛雷") + rng.choice("国强丽静") + rng.choice("华明芳军")
        mobile = f"136{rng.randrange(10**8):08d}"
        parts = [
            ("患者", name, "NAME"),
            ("，住院号", mrn, "MRN"),
            ("，电话", mobile, "PHONE"),
            ("，", str(day), "DATE"),
        ]
        parts += [("入", "云河市第二人民医院", "HOSPITAL"), ("。", f"{name[0]}某", "NAME"), ("诉咳嗽", "", "")]
    else:
        first, last = rng.choice(("Amina", "Gregory", "Deborah")), rng.choice(("Kowalski", "Holloway", "Okafor"))
        parts = [
            ("", f"{last.upper()}, {first.upper()}", "NAME"),
            (", MRN ", mrn, "MRN"),
            (", seen ", str(day), "DATE"),
        ]
        parts += [
            (" at ", "Fairhaven General Hospital", "HOSPITAL"),
            (". Mx. ", last, "NAME"),
            (" has a cough", "", ""),
        ]
    text, phi = "", []
    for before, words, label in parts:
        text += before
        if words:
            phi.append(Span(len(text), len(text) + len(words), label))
        text += words
    at = text.index("咳嗽" if patient % 2 else "cough")
    entity = Span(at, len(text), "SYMPTOM")
    return Note(f"{patient}-{number}", text, patient_id=str(patient), phi=tuple(phi), entities=(entity,))
