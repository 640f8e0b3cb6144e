"""Figures: the same bytes from the same numbers, words as words, no style or state left behind."""

from __future__ import annotations

import re
from xml.etree import ElementTree as ET

import numpy as np
import pytest

from clinlp.metrics.intervals import Interval
from clinlp.report import plots
from clinlp.report.figures import COLOURS, Picture, plain

mpl = pytest.importorskip("matplotlib")
EVIL = """</svg><script>alert(1)</script> style="x" $\\frac{1}$ & 气虚证"""


def parse(svg: str) -> ET.Element:
    return ET.fromstring(svg)  # noqa: S314  our own


def matrix(label: str = "症状") -> Picture:
    counts = np.array([[30.0, 2.0], [1.0, 9.0]])
    return plots.confusion_matrix(counts, ["DISEASE", label], ["DISEASE", label], ("Labels", "类别"))


@pytest.fixture(scope="module")
def drawn() -> Picture:
    share = Interval(0.8, 0.7, 0.85)
    rows = {label: {"f1": share, "precision": share, "recall": share} for label in ("DISEASE", EVIL)}
    return plots.scores_by_label("f1", ("F1", "各类别"), rows, 0.95)


def test_the_same_numbers_make_the_same_bytes() -> None:
    one, other = matrix(), matrix()
    assert (one.svg, one.png) == (other.svg, other.png)
    assert one.png.startswith(b"\x89PNG")


def test_chinese_stays_words_in_svg() -> None:
    assert ">症状</text>" in matrix().svg


def test_a_label_is_shown_as_it_is_and_is_no_markup(drawn: Picture) -> None:
    said = [element.text for element in parse(drawn.svg).iter() if element.tag.endswith("text")]
    assert plain(EVIL).replace("\\$", "$") in said
    assert "<script" not in drawn.svg


def test_an_inline_figure_fits_a_strict_policy_and_the_colours_of_the_page(drawn: Picture) -> None:
    inline = drawn.inline()
    tags = re.findall(r"<[^>]+>", inline)
    assert not [tag for tag in tags if "style=" in tag or tag.startswith(("<style", "<?xml", "<!DOCTYPE", "<metadata"))]
    assert 'fill="currentColor"' in inline
    assert f'"{COLOURS[0]}"' in inline
    ids = re.findall(r' id="([^"]+)"', "".join(tags))
    assert len(ids) == len(set(ids))
    assert all(each.startswith("f1-") for each in ids)
    assert {*re.findall(r'(?:url\(|href=")#([^")]+)', inline)} <= {*ids}
    parse(inline)


def test_nothing_of_the_users_own_settings_is_changed_or_counts() -> None:
    before = matrix().svg
    with mpl.rc_context({"font.size": 30, "axes.grid": False, "figure.facecolor": "red"}):
        held = dict(mpl.rcParams)
        assert matrix().svg == before
        assert dict(mpl.rcParams) == held


def test_one_value_and_one_row_can_be_drawn() -> None:
    share = Interval(0.0, float("nan"), float("nan"))
    assert plots.scores_by_label("f1", ("F1", ""), {"X": dict.fromkeys(("f1", "precision", "recall"), share)}, 0.95).png
    assert plots.histogram("n", ("n", "长度"), {"en": [7]}, ("characters", "字符数")).png
    assert plots.epochs([0.5], {}, None).png
