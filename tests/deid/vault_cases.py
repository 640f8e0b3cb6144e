"""Notes with PHI in both languages, and releases of them, for the tests of the vault."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import date
from pathlib import Path

from hypothesis import strategies as st

from clinlp.deid import Mode, deidentify
from clinlp.deid.keys import Key
from clinlp.deid.vault import VaultWriter, seal
from clinlp.note import Diagnosis, Lang, Note
from clinlp.spans import Context, Span

KEY = Key(bytes(range(32)))
OTHER = Key(bytes(range(1, 33)))
LANGS: tuple[Lang, ...] = ("en", "zh")
MODES: tuple[Mode, ...] = ("tag", "mask", "placeholder", "off")

SENTINELS = ("Zyxqwv", "Quoxly", "祁缇澜", "苏黎禾", "90417735")
"""Words of invented people and numbers, none of which may show where it is not meant to."""

PHI = {
    "en": (
        ("Zyxqwv Quoxly", "NAME"),
        ("Quoxly", "NAME"),
        ("3 May 2019", "DATE"),
        ("90417735", "MRN"),
        ("[NAME]", "NAME"),
    ),
    "zh": (
        ("祁缇澜", "NAME"),
        ("苏黎禾", "NAME"),
        ("二〇一九年五月三日", "DATE"),
        ("90417735", "MRN"),
        ("[NAME]", "NAME"),
    ),
}
REST = {
    "en": ("Seen by Dr. ", ", no chest pain. ", "\r\n", " has asthma ", "😀 e\u0301 "),
    "zh": ("主治医师：", "，否认胸痛。", "\n", "患有哮喘", "𠮷 "),
}


EN = Note(
    "en-1",
    "Zyxqwv Quoxly, MRN 90417735, has asthma. Seen 3 May 2019.",
    "p-90417735",
    "en",
    date(2019, 5, 3),
    entities=(Span(33, 39, "DISEASE"), Span(7, 39, "LONG")),
    phi=(Span(0, 13, "NAME"), Span(19, 27, "MRN"), Span(46, 56, "DATE")),
    sections=(Span(0, 57, "other"),),
    diagnoses=(Diagnosis("J45", 0.9, (Span(33, 39, "DISEASE"),)),),
    fields={"ward": "7b", "name": "Zyxqwv"},
)
ZH = Note(
    "中-1",
    "患者祁缇澜，住院号90417735，患哮喘。记录者：苏黎禾。",
    None,
    "zh",
    entities=(Span(19, 21, "DISEASE"),),
    phi=(Span(2, 5, "NAME"), Span(9, 17, "MRN"), Span(26, 29, "NAME")),
    fields={"病区": "七", "医生": "苏黎禾"},
)
BOTH = (EN, ZH)


@st.composite
def notes(draw: st.DrawFn) -> Note:
    """A note whose spans begin and end anywhere, in the midst of PHI too."""
    lang: Lang = draw(st.sampled_from(LANGS))
    text, phi = "", []
    for kind in draw(st.lists(st.booleans(), min_size=1, max_size=8)):
        if not kind:
            text += draw(st.sampled_from(REST[lang]))
            continue
        words, label = draw(st.sampled_from(PHI[lang]))
        phi.append(Span(len(text), len(text) + len(words), label, 0.5))
        text += words
    places = st.tuples(st.integers(0, len(text) - 1), st.integers(1, 12)).map(
        lambda place: (place[0], min(len(text), sum(place)))
    )
    contexts = st.sampled_from((None, Context(negated=True), Context(experiencer="family")))
    spans = st.lists(
        st.builds(lambda place, *rest: Span(*place, *rest), places, st.sampled_from("AB"), st.just(0.5), contexts),
        max_size=4,
    ).map(tuple)
    codes = st.lists(st.builds(Diagnosis, st.sampled_from(("I10", "J45")), st.none(), spans), max_size=2).map(tuple)
    fields = st.dictionaries(
        st.sampled_from(("ward", "医生", "age", "tokens")),
        st.none() | st.integers(-9, 9) | st.sampled_from(SENTINELS) | st.lists(st.booleans(), max_size=2),
    )
    return Note(
        draw(st.sampled_from(("n1", "编号/2 \u2028"))),
        text,
        draw(st.none() | st.sampled_from(SENTINELS)),
        lang,
        draw(st.none() | st.dates()),
        draw(spans),
        tuple(phi),
        draw(spans),
        draw(st.none() | codes),
        draw(fields),
    )


def release(note: Note, mode: Mode = "tag", keep: tuple[str, ...] = (), *, shift: date | None = None) -> Note:
    """What a release leaves of a note: no patient, no time or a shifted one, and the columns that are kept."""
    fields = {name: value for name, value in note.fields.items() if name in keep}
    return replace(deidentify(note, mode), patient_id=None, time=shift, fields=fields)


def make(path: Path, originals: Iterable[Note], released: Iterable[Note], key: Key = KEY) -> Path:
    with VaultWriter(path, key) as vault:
        vault.write(seal(original, each, key) for original, each in zip(originals, released, strict=True))
    return path


def no_phi(words: str) -> bool:
    return not any(sentinel in words for sentinel in SENTINELS)
