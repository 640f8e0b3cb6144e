"""Alignment of a text and what a de-identifier made of it: textbook cases of both languages, and properties."""

from __future__ import annotations

import random
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clinlp.metrics.align import align, removed_spans
from clinlp.metrics.diff import shared_runs
from clinlp.metrics.leakage import score_note
from clinlp.metrics.release import removed_from
from clinlp.note import Note
from clinlp.spans import Span

EN = "Seen by Dr. Jorun Mabaso on 12 May 2021. Tel 555-0142."
ZH = "患者欧阳若兰，电话13812345678，2021年12月3日入院。"


def lost(original: str, released: str) -> list[str]:
    return [original[span.start : span.end] for span in removed_spans(original, released)]


@pytest.mark.parametrize(
    ("original", "released", "expected"),
    [
        (EN, EN, []),
        (EN, "Seen by Dr. [NAME] on [DATE]. Tel [PHONE].", ["Jorun Mabaso", "12 May 2021", "555-0142"]),
        (EN, "Seen by Dr. <PERSON> on 12 May 2021. Tel 555-0142.", ["Jorun Mabaso"]),
        (EN, "Seen by Dr. [**Name 3**] on 12 May 2021. Tel ___.", ["Jorun Mabaso", "555-0142"]),
        (EN, "Seen by Dr. ***** ****** on 12 May 2021. Tel ***-****.", ["Jorun Mabaso", "555", "0142"]),
        (EN, "Seen by Dr. XXXXX on 12 May 2021. Tel 555-0142.", ["Jorun Mabaso"]),
        (EN, "Seen by Dr.  on . Tel .", ["Jorun Mabaso", "12 May 2021", "555-0142"]),
        (EN, "Seen by Dr. Temi Olsson on 12 May 2021. Tel 555-0142.", ["Jorun Mabaso"]),
        (EN, "", [EN]),
        (ZH, ZH, []),
        (ZH, "患者[姓名]，电话[电话]，[日期]入院。", ["欧阳若兰", "13812345678", "2021年12月3日"]),
        (ZH, "患者【姓名】，电话***********，2021年12月3日入院。", ["欧阳若兰", "13812345678"]),
        (ZH, "患者，电话，入院。", ["欧阳若兰", "13812345678", "2021年12月3日"]),
        (ZH, "患者欧阳某，电话138****5678，2021年12月3日入院。", ["若兰", "1234"]),
        (ZH, "患者<姓名-1>，电话13812345678，2021年12月3日入院。", ["欧阳若兰"]),
        ("北京医院就诊", "[医院]就诊", ["北京医院"]),
        ("General Hospital, ward 3", "[HOSPITAL], ward [BED]", ["General Hospital", "3"]),
        ("Mabasoson came", "[NAME]son came", ["Mabaso"]),  # part of a word survives
        ("Mabasoson came", "Petersen came", ["Mabasoson"]),  # two words that end alike
        ("Annabel Okoye came", "Ann Lee came", ["Annabel Okoye"]),  # two names that begin alike
        ("Jorun came", "J**** came", ["orun"]),
        ("Tel 12345678", "Tel 12**56**", ["34", "78"]),
        ("Tel 12345678", "Tel xx34xxxx", ["12", "5678"]),
        ("At 86036 Rua Mabaso", "At 8[LOCATION]", ["6036 Rua Mabaso"]),
        ("Max Xu came", "xxx xx came", ["Max Xu"]),
        ("No 21316412608", "No <CARD_NR_3>", ["21316412608"]),  # as long as the number, and not its mask
        ("To a.b@c.de. Test", "To [EMAIL]. Test", ["a.b@c.de"]),
        ("Mabaso, Jorun came", "Jorun Mabaso came", [","]),  # another order hides nothing
        ("(Jorun Mabaso)", "([NAME])", ["Jorun Mabaso"]),
        ("[Jorun by Dr Lie on May 3]", "[[N] by Dr Lie on [D]]", ["Jorun", "May 3"]),
        ("BP [high] <90, 【主诉】头痛", "BP [high] <90, 【主诉】头痛", []),
        ("BP [high], seen by Jorun", "BP [high], seen by [NAME]", ["Jorun"]),
    ],
)
def test_textbook_cases(original: str, released: str, expected: list[str]) -> None:
    assert lost(original, released) == expected


@pytest.mark.parametrize(
    ("original", "released", "counts"),
    [
        ("Fever.\r\n  Dr. Mabaso\tcame", "Fever.\nDr. [NAME] came", (1, 0, 0)),
        ("发热。\n\n  王医生看过", "发热。 [NAME]医生看过", (0, 0, 0)),
        ("头痛，  发热。", "头痛， 发热。", (1, 0, 0)),
        ("T < 37 & Mabaso's son", "T &lt; 37 &amp; [NAME]&#39;s son", (0, 0, 3)),
        ("a &lt; b", "a &lt; b", (0, 0, 0)),
        ("Seen By Mabaso, ECG fine", "seen by [NAME], ecg fine", (0, 3, 0)),
        ("血压１２０，王医生", "血压120，[NAME]医生", (0, 1, 0)),
    ],
)
def test_changes_that_remove_nothing_are_counted(original: str, released: str, counts: tuple[int, int, int]) -> None:
    found = align(original, released)
    assert all(original[span.start : span.end] in ("Mabaso", "王") for span in found.removed)
    assert (found.n_spaces, found.n_respelled, found.n_escapes) == counts


def test_spaces_between_replaced_spans_stay_where_they_are_written_again() -> None:
    note = gold("Jorun Mabaso\n 12 May came", "Jorun Mabaso", "12 May")
    for released, n_removed in (("[NAME] [DATE] came", 0), ("[NAME][DATE] came", 2), ("***** ****** ** *** came", 0)):
        removed, _ = removed_from(note, Note("n", released))
        scored = score_note(note, removed)
        assert (scored.n_other_removed, scored.leaks) == (n_removed, ())


def gold(text: str, *words: str) -> Note:
    return Note("n", text, phi=tuple(Span(text.index(w), text.index(w) + len(w), "NAME") for w in words))


def leaked(note: Note, released: str, *replaced: str) -> list[tuple[int, int]]:
    spans = tuple(Span(released.index(w), released.index(w) + len(w), "NAME") for w in replaced)
    removed, _ = removed_from(note, Note("n", released, phi=spans))
    return [(leak.start, leak.n_characters_left) for leak in score_note(note, removed).leaks]


@pytest.mark.parametrize(
    ("note", "released", "expected"),
    [
        (gold(EN, "Jorun Mabaso", "12 May 2021"), EN, [(12, 12), (28, 11)]),
        (gold(EN, "Jorun Mabaso", "12 May 2021"), "Seen by Dr. [NAME] on [DATE]. Tel 555-0142.", []),
        (gold(EN, "Jorun Mabaso"), "Seen by Dr. ***** ****** on 12 May 2021. Tel 555-0142.", []),  # its space may stay
        (gold(EN, "555-0142"), "Seen by Dr. Jorun Mabaso on 12 May 2021. Tel 555-****.", [(45, 3)]),
        (gold(EN, "Jorun Mabaso"), "Seen by Dr. [Jorun Mabaso] on 12 May 2021. Tel 555-0142.", [(12, 12)]),
        (gold("Bed 1, fine", "1"), "Bed [BED-1], fine", []),  # the number of a placeholder
        (gold("Bed 1, fine", "1"), "Bed (1), fine", [(4, 1)]),
        (gold("General Hospital, fine", "General Hospital"), "[HOSPITAL], fine", []),
        (gold(ZH, "欧阳若兰", "2021年12月3日"), "患者李梅，电话13812345678，2019年11月4日入院。", []),  # 年月日 alone
        (gold(ZH, "欧阳若兰"), "患者欧阳某某，电话13812345678，2021年12月3日入院。", [(2, 2)]),
        (gold(ZH, "欧阳若兰"), "患者：若兰欧阳，电话13812345678，2021年12月3日入院。", [(2, 2)]),
        (gold("患者高明，高明亮。", "高明"), "患者[姓名]，高明亮。", []),
    ],
)
def test_gold_spans_of_released_texts(note: Note, released: str, expected: list[tuple[int, int]]) -> None:
    assert leaked(note, released) == expected


def test_known_replacements_hide_the_words_that_surrogates_share() -> None:
    note = gold(EN, "12 May 2021")
    released = EN.replace("12 May 2021", "19 May 2021")
    assert leaked(note, released) == [(28, 8)]
    assert leaked(note, released, "19 May 2021") == []
    assert leaked(note, EN + " ", "12 May 2021") == [(28, 11)]  # a replacement that is the same replaced nothing
    masked = ZH.replace("13812345678", "138****5678")  # a mask lets through what it lets through
    assert leaked(gold(ZH, "13812345678"), masked, "138****5678") == [(9, 7)]
    chinese = gold(ZH, "2021年12月3日")
    assert leaked(chinese, ZH.replace("12月3日", "11月3日"), "2021年11月3日") == []


WORDS = st.sampled_from(
    ["fever", "no", "seen", "by", "Mabaso", "Jorun", "12", "5", ",", "热", "痛", "王", "若兰", "。", "("]
)
TEXTS = st.lists(WORDS, max_size=40)
REPLACEMENTS = st.sampled_from(["[NAME]", "<PERSON>", "***", "", "[**Date 4**]", "【姓名】"])


@given(TEXTS)
def test_the_same_text_lost_nothing(words: list[str]) -> None:
    text = " ".join(words)
    assert removed_spans(text, text) == []
    assert lost(text, text.replace(" ", "\n")) == []


@given(TEXTS, st.data())
def test_no_more_is_lost_than_was_replaced(words: list[str], data: st.DataObject) -> None:
    out = data.draw(st.lists(st.booleans(), min_size=len(words), max_size=len(words)))
    shown = [data.draw(REPLACEMENTS) if gone else word for word, gone in zip(words, out, strict=True)]
    found = lost(" ".join(words), " ".join(shown))
    n_lost = sum(len("".join(each.split())) for each in found)
    assert n_lost <= sum(len(word) for word, gone in zip(words, out, strict=True) if gone)


@given(st.data())
def test_what_stands_once_is_found_where_it_was(data: st.DataObject) -> None:
    n = data.draw(st.integers(1, 200))
    words = [f"w{at}x" if at % 3 else chr(0x4E00 + at) for at in range(n)]
    out = set(data.draw(st.lists(st.integers(0, n - 1), max_size=30)))
    shown = [data.draw(REPLACEMENTS) if at in out else word for at, word in enumerate(words)]
    text = " ".join(words)
    flags = bytearray(len(text))
    for span in removed_spans(text, " ".join(shown)):
        flags[span.start : span.end] = b"\x01" * len(span)
    at = 0
    for number, word in enumerate(words):
        assert set(flags[at : at + len(word)]) == {int(number in out)}
        at += len(word) + 1


@settings(max_examples=60)
@given(st.lists(st.integers(0, 3), max_size=14), st.lists(st.integers(0, 3), max_size=14))
def test_short_sequences_share_the_most_they_can(one: list[int], other: list[int]) -> None:
    table = [[0] * (len(other) + 1) for _ in range(len(one) + 1)]
    for i, x in enumerate(one):
        for j, y in enumerate(other):
            table[i + 1][j + 1] = table[i][j] + 1 if x == y else max(table[i][j + 1], table[i + 1][j])
    runs = shared_runs(one, other)
    assert sum(length for *_, length in runs) == table[-1][-1]
    end = (0, 0)
    for x, y, length in runs:
        assert (x >= end[0], y >= end[1]) == (True, True)
        assert one[x : x + length] == other[y : y + length]
        end = (x + length, y + length)


@pytest.mark.parametrize("vocabulary", [1, 2, 40, 4000])
def test_long_sequences_are_aligned_soon_and_well(vocabulary: int) -> None:
    numbers = random.Random(vocabulary)  # noqa: S311  nothing secret
    before = [numbers.randrange(vocabulary) for _ in range(20_000)]
    after: list[int] = []
    n_lost = 0
    for item in before:
        gone = numbers.random() < 0.03
        n_lost += gone
        after.append(-1 if gone else item)
    began = time.perf_counter()
    n_shared = sum(length for *_, length in shared_runs(before, after))
    assert time.perf_counter() - began < 4  # 0.1 where nothing else runs
    assert len(before) - n_shared <= 1.02 * n_lost


def test_unlike_texts_of_any_size_come_to_an_end() -> None:
    numbers = random.Random(5)  # noqa: S311  nothing secret
    one, other = ([numbers.randrange(30) for _ in range(20_000)] for _ in range(2))
    began = time.perf_counter()
    assert shared_runs(one, other)
    assert time.perf_counter() - began < 4
    assert align("abc def", "王五来了").kept_share == 0.0
