"""Gold PHI of the corpora means the same everywhere: what policy lets stay is not marked, what it removes is."""

from __future__ import annotations

from collections import Counter

import pytest

from clinlp.note import Note
from clinlp.spans import Span
from corpora.mixes import synthetic_notes
from corpora.policy import faults, stays, under_policy
from corpora.queries import joined
from corpora.written import parse_marks, written_notes


def marked(words: str) -> Note:
    text, phi = joined(parse_marks(words))
    return Note("n", text, phi=tuple(phi))


@pytest.mark.parametrize(
    ("lang", "parts"), [("en", ("train", "dev", "seen", "check", "asked")), ("zh", ("train", "dev"))]
)
def test_notes_written_by_hand_keep_to_the_policy(lang, parts):
    found = [fault for part in parts for note in written_notes(lang, part) for fault in faults(note)]
    assert not found


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_notes_of_the_generators_keep_to_the_policy(lang):
    notes = [note for note in synthetic_notes(f"phi-{lang}", 300, 7, "heldout") if not note.note_id.startswith(lang)]
    wrong = Counter(fault.rule for note in notes for fault in faults(note))
    assert len(notes) > 250
    assert not wrong


@pytest.mark.parametrize(
    ("label", "words"),
    [
        *[("DATE", words) for words in ("2019", "'98", "2019年", "二〇一九年", "Monday", "周三", "14:30")],
        *[("LOCATION", words) for words in ("Ohio", "Kenya", "New South Wales", "河南省", "新疆维吾尔自治区")],
        *[("AGE", words) for words in ("89", "8", "六十岁")],
        ("DEPARTMENT", "cardiology"),
        *[("ORG", words) for words in ("中国工商银行", "太平人寿", "中国移动")],
    ],
)
def test_what_identifies_nobody_stays(label, words):
    assert stays(words, Span(0, len(words), label))


@pytest.mark.parametrize(
    ("label", "words"),
    [
        *[("DATE", words) for words in ("3/14", "March", "Easter", "Monday the 3rd", "三月五日", "May 2019")],
        *[("LOCATION", words) for words in ("Bangor, Maine", "Leeds", "北京", "洛阳")],
        *[("AGE", words) for words in ("90", "101", "９５", "九 十 八", "ninety-one", "90s")],
        ("NAME", "Georgia"),
        ("ORG", "昆山农商行"),
    ],
)
def test_what_identifies_goes(label, words):
    assert not stays(words, Span(0, len(words), label))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("in [[BED:Bed 4, Room 412-B]] since", "in Bed [[BED:4]], Room [[BED:412-B]] since"),
        ("pump [[DEVICE:S/N 12345]] alarms", "pump S/N [[DEVICE:12345]] alarms"),
        ("at [[PHONE:ext. 4412]] or [[PHONE:555-0100 ext. 3]]", "at ext. [[PHONE:4412]] or [[PHONE:555-0100 ext. 3]]"),
        ("seen in [[DATE:2019]] by [[NAME:Ana Lim]]", "seen in 2019 by [[NAME:Ana Lim]]"),
        ("收入[[DEPARTMENT:心内科]]，[[AGE:91岁]]", "收入心内科，[[AGE:91岁]]"),
    ],
)
def test_gold_is_put_under_the_policy(before, after):
    assert under_policy(marked(before)) == marked(after)


@pytest.mark.parametrize(
    ("words", "rules"),
    [
        ("seen in [[DATE:2019]]", ["stays"]),
        ("bed [[BED:bed 4]]", ["unit"]),
        ("Dr. [[NAME:Dr. Ana Lim]]", ["title"]),
        ("from [[LOCATION:Bangor]], Maine", ["state"]),
        ("on Monday [[DATE:3/14]]", ["beside"]),
        ("seen 3/14/2021", ["date"]),
        ("seen on 14 March 2021", ["date"]),
        ("于2021年3月14日入院", ["date"]),
        ("ana@lim.example wrote", ["email"]),
        ("call 212-555-0100", ["phone"]),
        ("he lies in Room 12 now", ["room"]),
        ("[[NAME:Ana Lim]] came. Ana Lim left.", ["again"]),
        ("from [[LOCATION:Bangor, Maine]] on [[DATE:Monday 3/14]], 38 y, in 2019, BP 120/80", []),
    ],
)
def test_each_fault_has_its_rule(words, rules):
    assert [fault.rule for fault in faults(marked(words))] == rules
