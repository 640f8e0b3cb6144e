"""One self-contained HTML page of an audit: ids, offsets, labels and numbers, and no word of a note."""

from __future__ import annotations

import math
from collections.abc import Iterator
from html import escape
from itertools import islice
from typing import Final

from clinlp.metrics.audit import Audit, Recall
from clinlp.metrics.intervals import Interval
from clinlp.metrics.leakage import Leakage
from clinlp.report.assets import asset, policy, showable, template
from clinlp.report.document import draw_table
from clinlp.report.names import label_names

_SHOWN: Final = 2_000  # rows of a list; the JSON file holds all

_COVERAGE: Final[dict[str, tuple[str, str]]] = {
    "n_gold": ("records of gold", "标准记录"),
    "n_predicted": ("records audited", "被审记录"),
    "n_by_spans": ("notes scored by their PHI spans", "按标注评分的病历"),
    "n_by_text": ("notes scored by their released text", "按去标识文本评分的病历"),
    "n_unchanged": ("of them with an unchanged text", "其中文本未变"),
    "n_missing": ("gold notes without a counterpart, not scored", "缺失，未评分"),
    "n_extra": ("other notes, not scored", "多余，未评分"),
    "n_other_text_left_out": ("notes with another text, not scored", "文本不同，未评分"),
    "n_gold_twice": ("gold records whose id came before, left out", "标准中重复编号"),
    "n_predicted_twice": ("audited records whose id came before, left out", "被审中重复编号"),
    "n_gold_unreadable": ("gold records that are not readable", "标准中无法读取"),
    "n_predicted_unreadable": ("audited records that are not readable", "被审中无法读取"),
    "n_hardly_alike": ("notes that share under a fifth of their text with gold", "与标准文本几乎不同"),
    "n_spaces_changed": ("places with other spaces, not counted as removed", "空白变化"),
    "n_words_respelled": ("words with another case or width, not counted as removed", "大小写或全半角变化"),
    "n_escapes": ("HTML escapes read as what they stand for", "HTML 转义"),
}


def render_audit(audit: Audit, title: str = "De-identification audit") -> str:
    """Draw an audit as one HTML page that opens offline.

    Args:
        title: Heading of the page.
    """
    style = asset("audit.css")
    scores = audit.scores
    page = template("audit.html").substitute(
        policy=policy(style),
        title=escape(title),
        style=style,
        summary=f"{scores.n_notes:,} notes 份病历 · {scores.overall.n_spans:,} PHI spans 处隐私信息 · "
        f"{scores.overall.n_spans - scores.overall.n_spans_removed:,} leaked 处泄露",
        cards="\n".join(_cards(audit)),
        bound=_bound(audit),
        tables="\n".join(_tables(audit)),
        method=_method(audit),
    )
    return showable(page)


def _cards(audit: Audit) -> Iterator[str]:
    """Give the four numbers that matter most."""
    overall, scores = audit.overall, audit.scores
    counts = scores.overall
    for name, share, of in (
        (
            "PHI characters removed 隐私字符去除率",
            overall.characters,
            (counts.n_characters_removed, counts.n_characters),
        ),
        ("PHI spans removed whole 隐私信息完整去除率", overall.spans, (counts.n_spans_removed, counts.n_spans)),
        ("Notes with PHI and no leak 无泄露病历", overall.notes, (counts.n_notes_clean, counts.n_notes)),
        ("Other characters removed 误删率", audit.over_redaction, (scores.n_other_removed, scores.n_other)),
    ):
        yield (
            f'<div class="card"><span>{name}</span><b>{_percent(share.value)} %</b>'
            f'<span class="faint">{_range(share)}</span><span class="faint">{of[0]:,} / {of[1]:,}</span></div>'
        )


def _bound(audit: Audit) -> str:
    unit, chinese = ("patients", "患者") if audit.sampling.unit == "patients" else ("notes", "病历")
    level, most = f"{100 * audit.sampling.level:g} %", f"{100 * audit.leaking_at_most:.2f} %"
    return (
        f"{audit.n_units_leaking:,} of {audit.n_units:,} {unit} with PHI leak: "
        f"with {level} confidence at most {most} of such {unit} do (exact bound). "
        f"以 {level} 的置信度，有泄露的{chinese}不超过 {most}。"
    )


def _tables(audit: Audit) -> Iterator[str]:
    yield draw_table(
        "By category 按类别",
        ("label 类别", "spans 处", "leaked 泄露", "whole 完整泄露", "characters 字符 %", "spans 处 %", "notes 病历 %"),
        [*_categories(audit)],
    )
    leaky = [note for note in audit.scores.notes if note.leaks]
    leaks = list(islice(audit.scores.leaks, _SHOWN))
    if leaky:
        n_leaks = audit.scores.overall.n_spans - audit.scores.overall.n_spans_removed
        yield draw_table(
            f"Notes that leak 泄露病历: {_first(len(leaky))}",
            ("note 病历", "spans 处", "leaked 泄露", "characters left 残留字符"),
            [
                (escape(n.note_id), f"{n.overall.n_spans:,}", f"{len(n.leaks):,}", f"{_left(n.overall):,}")
                for n in leaky[:_SHOWN]
            ],
        )
        yield draw_table(
            f"Leaked spans 泄露处: {_first(n_leaks)}",
            (
                "note 病历",
                "start 起",
                "end 止",
                "label 类别",
                "characters left 残留字符",
                "letters, digits 其中字母数字",
            ),
            [
                (
                    *(escape(leak.note_id), f"{leak.start}", f"{leak.end}", escape(leak.label)),
                    *(f"{leak.n_characters_left:,}", f"{leak.n_letters_left:,}"),
                )
                for leak in leaks
            ],
        )
    said = [
        (f"{en} {zh}", f"{audit.coverage[key]:,}") for key, (en, zh) in _COVERAGE.items() if audit.coverage.get(key)
    ]
    if said:
        yield draw_table("What was scored 评分范围", ("what 内容", "n"), said)


def _categories(audit: Audit) -> Iterator[tuple[str, ...]]:
    for label, leakage in audit.scores.labels.items():
        names = dict.fromkeys((label, *label_names("phi", label)))
        yield _category(" ".join(names), leakage, audit.labels[label])
    yield _category("all 合计", audit.scores.overall, audit.overall)


def _category(name: str, leakage: Leakage, recall: Recall) -> tuple[str, ...]:
    shares = (
        f"{_percent(each.value)} <small>{_range(each)}</small>"
        for each in (recall.characters, recall.spans, recall.notes)
    )
    counts = (leakage.n_spans, leakage.n_spans - leakage.n_spans_removed, leakage.n_spans_untouched)
    return (escape(name), *(f"{n:,}" for n in counts), *shares)


def _first(n: int) -> str:
    """Say how many there are, and that the first are shown where these are not all."""
    return f"{n:,}" if n <= _SHOWN else f"the first {_SHOWN:,} of {n:,} 仅列前 {_SHOWN:,} 条"


def _left(leakage: Leakage) -> int:
    return leakage.n_characters - leakage.n_characters_removed


def _method(audit: Audit) -> str:
    sampling = audit.sampling
    counted = ("letter or digit", "字母、数字或汉字") if audit.words_only else ("character", "字符")
    return (
        f"A span leaks if any {counted[0]} of it survives, whatever label it was found under. "
        f"Intervals: percentile bootstrap over {sampling.unit}, {100 * sampling.level:g} %, "
        f"{sampling.n_resamples:,} resamples, seed {sampling.seed}; where nothing leaked they cannot say more than the "
        "exact bound. Offsets are characters of the gold text, half-open. "
        f"任一{counted[1]}残留即为泄露，不论类别；"
        f"区间为按{'患者' if sampling.unit == 'patients' else '病历'}重抽样的百分位自助法；"
        "位置为标准文本的字符偏移，左闭右开。"
    )


def _percent(value: float) -> str:
    return "–" if math.isnan(value) else f"{100 * value:.2f}"


def _range(share: Interval) -> str:
    return "" if math.isnan(share.low) else f"{100 * share.low:.2f}–{100 * share.high:.2f}"
