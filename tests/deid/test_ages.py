"""Ages over 89 become 90+ in the words in which they are written."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clinlp.deid.dates import cap_age
from clinlp.note import Lang

AGES: list[tuple[Lang, str, str | None]] = [
    ("en", "93 y/o", "90+ y/o"),
    ("en", "93-year-old", "90+-year-old"),
    ("en", "93yo F", "90+yo F"),
    ("en", "93", "90+"),
    ("en", "90", "90+"),
    ("en", "95+", "90+"),
    ("en", "aged 104", "aged 90+"),
    ("en", "89", "89"),
    ("en", "45-year-old", "45-year-old"),
    ("en", "in his 60s", "in his 60s"),
    ("en", "90s", "90+"),
    ("en", "85-93 years", "85-90+ years"),
    ("en", "93 years and 5 months", "90+ years"),
    ("en", "95 months", "95 months"),
    ("en", "100 days old", "100 days old"),
    ("en", "ninety-three-year-old", "90+-year-old"),
    ("en", "Ninety three years old", "90+ years old"),
    ("en", "one hundred and two years", "90+ years"),
    ("en", "sixty-five years", "sixty-five years"),
    ("en", "nonagenarian", "90+-year-old"),
    ("en", "930", None),
    ("en", "old", None),
    ("en", "93 Quill", None),
    ("en", "12/03/1928", None),
    ("en", "", None),
    ("zh", "93岁", "90+岁"),
    ("zh", "９３岁", "９０＋岁"),
    ("zh", "93周岁", "90+周岁"),
    ("zh", "93岁5个月", "90+岁"),
    ("zh", "男，93岁", "男，90+岁"),
    ("zh", "年龄：93", "年龄：90+"),
    ("zh", "65岁", "65岁"),
    ("zh", "89岁", "89岁"),
    ("zh", "100天", "100天"),
    ("zh", "96个月", "96个月"),
    ("zh", "三岁半", "三岁半"),
    ("zh", "九十三岁", "90+岁"),
    ("zh", "九十岁", "90+岁"),
    ("zh", "八十九岁", "八十九岁"),
    ("zh", "九旬老人", "90+岁老人"),
    ("zh", "百岁老人", "90+岁老人"),
    ("zh", "一百零二岁", "90+岁"),
    ("zh", "张三93岁", None),
    ("zh", "岁", None),
    ("zh", "930岁", None),
]


@pytest.mark.parametrize(("lang", "words", "capped"), AGES)
def test_age(lang: Lang, words: str, capped: str | None) -> None:
    assert cap_age(words, lang=lang) == capped


@given(
    st.integers(0, 150), st.sampled_from([("en", "{}-year-old"), ("en", "{} y/o"), ("zh", "{}岁"), ("zh", "年龄{}")])
)
def test_only_ages_over_89_change(age: int, form: tuple[Lang, str]) -> None:
    lang, written = form
    assert cap_age(written.format(age), lang=lang) == written.format(age if age < 90 else "90+")
