"""Known identifiers: any value in any distortion is found at the right place; any value at all is taken."""

from __future__ import annotations

import datetime as dt
import unicodedata
from collections.abc import Callable
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from clinlp.deid import PhiLabel
from clinlp.deid.known import known_detector
from clinlp.note import Note

GIVEN = ["Tomasz", "Ellen", "Priya", "Kwame", "Beatriz", "Quentin", "Ingeborg"]
LAST = ["Okafor", "Marchetti", "Szymanska", "Raman", "Alvarado", "Oyelaran"]


def _mark(word: str, at: int) -> str:
    """Add an accent that stands apart, or a zero-width space, after one letter."""
    at %= len(word)
    return word[: at + 1] + ("\u0301" if at % 2 else "\u200b") + word[at + 1 :]


@st.composite
def written_names(draw: st.DrawFn) -> tuple[str, str]:
    first, last = draw(st.sampled_from(GIVEN)), draw(st.sampled_from(LAST))
    value = draw(st.sampled_from([f"{first} {last}", f"{last}, {first}", f"{last.upper()} {first.upper()}, MD"]))
    a, b = draw(st.sampled_from([(first, last), (last, first)]))
    if draw(st.booleans()):
        a = _mark(a, draw(st.integers(0, 9)))
    if draw(st.booleans()):
        b = b[:3] + "-\n" + b[3:]
    cases: list[Callable[[str], str]] = [str, str.upper, str.lower]
    case = draw(st.sampled_from(cases))
    sep = draw(st.sampled_from([" ", "  ", "\n", ", ", " \n ", "-"]))
    text = case(a + sep + b)
    if draw(st.booleans()) and "\n" not in text and text.isascii():
        text = " ".join(a) + "  " + " ".join(b)
    return value, text


@st.composite
def written_names_zh(draw: st.DrawFn) -> tuple[str, str]:
    name = draw(st.sampled_from("张赵钱孙李周吴郑陈")) + draw(
        st.sampled_from(["建国", "秀英", "明轩", "梓涵", "志强", "桂兰"])
    )
    gaps = [draw(st.sampled_from(["", " ", "\n", "\u3000", "\u200b"])) for _ in range(2)]
    text = name[0] + gaps[0] + name[1] + gaps[1] + name[2]
    return name, text.translate(str.maketrans("张赵钱孙国陈", "張趙錢孫國陳")) if draw(st.booleans()) else text


@st.composite
def written_numbers(draw: st.DrawFn) -> tuple[str, str]:
    digits = draw(st.text("0123456789", min_size=7, max_size=12))
    sep = draw(st.sampled_from(["", "-", " ", ".", "\u00a0"]))
    cut = draw(st.integers(2, len(digits) - 2))
    text = digits[:cut] + sep + digits[cut:]
    return digits, text.translate({48 + i: 0xFF10 + i for i in range(10)}) if draw(st.booleans()) else text


@st.composite
def written_dates(draw: st.DrawFn) -> tuple[str, str]:
    day = draw(st.dates(dt.date(1901, 1, 1), dt.date(2024, 12, 31)))
    form = draw(
        st.sampled_from(
            [
                "{d.year}年{d.month}月{d.day}日",
                "{d:%m/%d/%Y}",
                "{d.day} {d:%B} {d.year}",
                "{d:%b} {d.day}, {d.year}",
                "{d.month}-{d.day}-{d:%y}",
                "{d:%Y%m%d}",
            ]
        )
    )
    return day.isoformat(), form.format(d=day)


@st.composite
def written_addresses(draw: st.DrawFn) -> tuple[str, str]:
    number, flat = draw(st.integers(1, 9999)), draw(st.integers(1, 99))
    name, town = (
        draw(st.sampled_from(["Alder", "Quarry Hill", "Vinegar"])),
        draw(st.sampled_from(["Tolland", "New Kirk"])),
    )
    kind, short = draw(st.sampled_from([("Street", "St"), ("Avenue", "Ave."), ("Road", "Rd"), ("Lane", "Ln")]))
    unit = draw(st.sampled_from(["Apt", "Apartment", "Unit"]))
    code = f"{draw(st.integers(10000, 99999))}"
    value = f"{number} {name} {draw(st.sampled_from([kind, short]))}, {unit} {flat}, {town}, MA {code}"
    sep = draw(st.sampled_from([", ", "\n", " "]))
    state = draw(st.sampled_from(["MA", "Massachusetts"]))
    written = f"{number} {name} {kind if draw(st.booleans()) else short}"
    written += f"{sep}{unit} {flat}" * draw(st.booleans()) + f"{sep}{town}"
    written += f", {state}{' ' + code if draw(st.booleans()) else ''}" * draw(st.booleans())
    return value, written.upper() if draw(st.booleans()) else written


@st.composite
def written_addresses_zh(draw: st.DrawFn) -> tuple[str, str]:
    province, city, district = draw(
        st.sampled_from(
            [("江苏省", "南京市", "鼓楼区"), ("四川省", "成都市", "武侯区"), ("浙江省", "杭州市", "余杭区")]
        )
    )
    road = draw(st.sampled_from(["中山北路", "青年大街", "学府路", "柳树巷"]))
    number = f"{draw(st.integers(1, 999))}号"
    rest = draw(st.sampled_from(["", "3栋502室", "2单元301", "锦绣花园5幢"]))
    levels = [province, city, district]
    kept = [level if draw(st.booleans()) else level[:-1] for level in levels if draw(st.booleans())]
    gap = draw(st.sampled_from(["", " ", "\u200b"]))
    return province + city + district + road + number + rest, gap.join(
        [*kept, road + number, *([rest] if rest else [])]
    )


@given(
    st.one_of(
        st.tuples(st.just(PhiLabel.LOCATION), written_addresses()),
        st.tuples(st.just(PhiLabel.LOCATION), written_addresses_zh()),
        st.tuples(st.just(PhiLabel.NAME), written_names()),
        st.tuples(st.just(PhiLabel.NAME), written_names_zh()),
        st.tuples(st.just(PhiLabel.MRN), written_numbers()),
        st.tuples(st.just(PhiLabel.DATE), written_dates()),
    ),
    st.sampled_from([("Seen today: ", "; stable."), ("患者：", "，一般情况可。"), ("\u202e(", ")"), ("", "")]),
)
@settings(max_examples=300, deadline=None)
def test_a_value_is_found_in_any_distortion(case: tuple[PhiLabel, tuple[str, str]], around: tuple[str, str]) -> None:
    label, (value, written) = case
    text = around[0] + written + around[1]
    start, end = len(around[0]), len(around[0]) + len(written)
    [spans] = known_detector({"c": label})([Note("n", text, fields={"c": value})])
    covered = {at for span in spans for at in range(span.start, span.end)}
    assert covered <= set(range(start, end))
    assert {at for at in range(start, end) if text[at].isalnum()} <= covered


SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.dates(),
    st.datetimes(),
    st.binary(max_size=5),
    st.text(max_size=30),
    st.sampled_from(
        [
            "Smith, ",
            "张",
            "(",
            "'",
            "-",
            "O'",
            "0",
            "00",
            "1/2",
            "..",
            "Mr.",
            "𝒥𝑜 ﬁ",
            "İ ß",
            "\u0301",
            "路",
            "省市区",
            ";;",
            "a b c",
        ]
    ),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=3), inner, max_size=2)),
    max_leaves=5,
)


@given(VALUES, st.text(max_size=40), st.sampled_from(list(PhiLabel)))
@settings(max_examples=300, deadline=None)
def test_any_value_of_any_label_is_taken(value: Any, text: str, label: PhiLabel) -> None:
    text = f"{text} {value}"
    [spans] = known_detector({"c": label})([Note("n", text, fields={"c": value})])
    assert all(0 <= span.start < span.end <= len(text) and span.label == label for span in spans)
    assert all(unicodedata.category(text[span.start]) not in ("Cf", "Zs") for span in spans)
