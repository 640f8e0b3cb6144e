"""The figures of reports: bars, curves, reliability, confusions, distributions. They hold no word of a note."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

import numpy as np

from clinlp.metrics.calibration import Bin, Floats
from clinlp.metrics.intervals import Interval
from clinlp.report.curves import Line, Sweep
from clinlp.report.figures import COLOURS, FAINT, INK, PAPER, Picture, picture, plain, words

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Title = tuple[str, str]
_DARK: Final = "#1b2027"  # words on a cell's own colour, which no theme changes
_LIGHT: Final = "#fefefe"
_MOST_DIGITS: Final = 24  # rows of a matrix whose cells still have room for numbers


def scores_by_label(name: str, title: Title, rows: Mapping[str, Mapping[str, Interval]], level: float) -> Picture:
    """Draw F1 of each label with its interval, and precision and recall beside it, the first row on top."""

    def draw(figure: Figure) -> None:
        axes = figure.add_subplot()
        at = np.arange(len(rows))[::-1]
        f1 = [kinds["f1"] for kinds in rows.values()]
        value = np.array([each.value for each in f1])
        below = np.nan_to_num(value - [each.low for each in f1]).clip(0)
        above = np.nan_to_num(np.array([each.high for each in f1]) - value).clip(0)
        axes.errorbar(
            value, at, xerr=[below, above], fmt="o", ms=5, elinewidth=2, color=COLOURS[0],
            label=f"F1, {100 * level:g} %",
        )  # fmt: skip
        for kind, (english, chinese), mark, colour in (
            ("precision", ("precision", "精确率"), "|", COLOURS[1]),
            ("recall", ("recall", "召回率"), "x", COLOURS[2]),
        ):
            shares = [kinds[kind].value for kinds in rows.values()]
            axes.plot(shares, at, mark, ms=7, mew=1.6, color=colour, label=words(english, chinese))
        axes.set_yticks(at, [plain(label) for label in rows])
        axes.set_ylim(-0.6, len(rows) - 0.4)
        axes.set_xlim(-0.02, 1.02)
        figure.legend(loc="outside upper right", ncols=3)

    return picture(name, title, f"{title[0]}: {len(rows)} rows", draw, (6.4, 1.3 + 0.27 * max(3, len(rows))))


def roc_curves(lines: Mapping[str, Line]) -> Picture:
    """Draw ROC curves, the first one bold."""

    def draw(figure: Figure) -> None:
        axes = figure.add_subplot()
        axes.plot([0, 1], [0, 1], color=FAINT, lw=0.8, ls=":")
        for label, line in lines.items():
            axes.plot(line.x, line.y, lw=2.4 if label == next(iter(lines)) else 1.3, label=_area(label, line))
        _unit(axes, words("false positive rate", "假阳性率"), words("recall", "召回率"))
        figure.legend(loc="outside right center")

    title = ("ROC curves", "ROC 曲线")
    return picture("roc", title, _said("ROC", lines), draw, (7.4, 4.4))


def precision_recall_curves(lines: Mapping[str, Line]) -> Picture:
    """Draw precision over recall, the first curve bold."""

    def draw(figure: Figure) -> None:
        axes = figure.add_subplot()
        for label, line in lines.items():
            width = 2.4 if label == next(iter(lines)) else 1.3
            axes.step(line.x, line.y, where="pre", lw=width, label=_area(label, line))
        _unit(axes, words("recall", "召回率"), words("precision", "精确率"))
        figure.legend(loc="outside right center")

    title = ("Precision-recall curves", "精确率—召回率曲线")
    return picture("precision_recall", title, _said("Precision over recall", lines), draw, (7.4, 4.4))


def reliability_diagram(bins: Sequence[Bin], error: float) -> Picture:
    """Draw the share of right ones over the score, and how many have each score."""

    def draw(figure: Figure) -> None:
        upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
        middle = [(each.low + each.high) / 2 for each in bins]
        width = 0.9 * (bins[0].high - bins[0].low) if bins else 0.1
        upper.plot([0, 1], [0, 1], color=FAINT, lw=1, ls=":", label=words("perfect", "理想"))
        right = [each.right for each in bins]
        upper.bar(middle, right, width, color=COLOURS[5], alpha=0.55, label=words("share right", "正确率"))
        upper.plot([each.score for each in bins], right, "o-", ms=4, color=COLOURS[0])
        upper.set_ylabel(words("share right", "正确率"))
        upper.set_ylim(-0.02, 1.02)
        upper.legend(loc="upper left")
        lower.bar(middle, [each.n for each in bins], width, color=FAINT)
        if bins and max(each.n for each in bins) > 30 * min(each.n for each in bins):
            lower.set_yscale("log")
        lower.set_ylabel("n")
        lower.set_xlabel(words("score", "置信度"))
        lower.set_xlim(-0.02, 1.02)

    title = ("Reliability", "可靠性图")
    says = f"Share of right ones over the score; expected calibration error {100 * error:.1f} %"
    return picture("reliability", title, says, draw, (6.4, 4.6))


def threshold_curves(swept: Sweep, usual: float | None = None) -> Picture:
    """Draw precision, recall and F1 over the least score that counts; the threshold in use is marked."""
    top = int(np.argmax(swept.f1))
    value, at = float(swept.f1[top]), float(swept.thresholds[top])

    def draw(figure: Figure) -> None:
        axes = figure.add_subplot()
        for values, (english, chinese), colour in (
            (swept.precision, ("precision", "精确率"), COLOURS[1]),
            (swept.recall, ("recall", "召回率"), COLOURS[2]),
            (swept.f1, ("F1", ""), COLOURS[0]),
        ):
            label = words(english, chinese) if chinese else english
            width = 2.4 if english == "F1" else 1.5
            axes.step(swept.thresholds, values, where="pre", label=label, color=colour, lw=width)
        best = f"{words('best', '最佳')} {value:.3f} @ {at:.2f}"
        axes.plot(at, value, "o", ms=6, color=COLOURS[0], label=best)
        if usual is not None:
            axes.axvline(usual, color=INK, lw=1, ls="--")
        _unit(axes, words("threshold", "阈值"), "")
        figure.legend(loc="outside upper right", ncols=4)

    says = f"Precision, recall and F1 over the threshold; the best F1 is {value:.3f} at {at:.2f}"
    return picture("thresholds", ("Thresholds", "阈值曲线"), says, draw)


def confusion_matrix(counts: Floats, rows: Sequence[str], columns: Sequence[str], title: Title) -> Picture:
    """Draw how often each gold label (row) was predicted as each (column); colours are shares of a row.

    Args:
        counts: `(row, column)`.
    """
    shares = counts / np.maximum(1.0, counts.sum(1, keepdims=True))

    def draw(figure: Figure) -> None:
        from matplotlib.colors import LinearSegmentedColormap

        axes = figure.add_subplot()
        ramp = LinearSegmentedColormap.from_list("share", ["#e6f0f8", "#6aaed6", "#08519c"])
        colours = ramp.with_extremes(under=PAPER)
        axes.pcolormesh(np.where(counts > 0, shares, -1), cmap=colours, vmin=0, vmax=1, edgecolors=PAPER, lw=0.6)
        axes.invert_yaxis()
        axes.grid(visible=False)
        axes.tick_params(length=0)
        axes.set_xticks(np.arange(len(columns)) + 0.5, [plain(each, 24) for each in columns], rotation=90)
        axes.set_yticks(np.arange(len(rows)) + 0.5, [plain(each, 24) for each in rows])
        axes.set_xlabel(words("predicted", "预测"))
        axes.set_ylabel(words("gold", "标准"))
        if max(counts.shape) <= _MOST_DIGITS:
            for (row, column), n in np.ndenumerate(counts):
                if n:
                    dark = _LIGHT if shares[row, column] > 0.55 else _DARK
                    axes.text(column + 0.5, row + 0.5, f"{n:g}", ha="center", va="center", fontsize=8, color=dark)

    side = 0.36 if max(counts.shape) <= _MOST_DIGITS else 0.24
    size = (2.2 + side * max(5, len(columns)), 2.0 + side * max(5, len(rows)))
    return picture("confusion", title, f"{title[0]}: {len(rows)} rows of gold, {len(columns)} columns", draw, size)


def epochs(losses: Sequence[float], scores: Mapping[str, Sequence[float]], best: int | None) -> Picture:
    """Draw loss and scores over epochs; the best epoch is marked.

    Args:
        scores: Of each epoch; NaN where an epoch has none.
        best: Number of the best epoch, from 1.
    """

    def draw(figure: Figure) -> None:
        left, right = figure.subplots(1, 2)
        numbers = np.arange(1, len(losses) + 1)
        left.plot(numbers, losses, "o-", ms=3, color=COLOURS[0])
        left.set_ylabel(words("loss", "损失"))
        for label, values in scores.items():
            right.plot(numbers, values, "o-", ms=3, lw=1.5, label=plain(label))
        right.set_ylabel(words("score on dev", "开发集得分"))
        right.set_ylim(-0.02, 1.02)
        for axes in (left, right):
            axes.set_xlabel(words("epoch", "轮次"))
            axes.locator_params(axis="x", integer=True)
            if best is not None:
                axes.axvline(best, color=FAINT, lw=1, ls=":")
        if scores:
            figure.legend(loc="outside lower center", ncols=4)

    last = f"; the best epoch is {best}" if best is not None else ""
    says = f"Loss and scores of {len(losses)} epochs{last}"
    return picture("epochs", ("Loss and scores", "损失与得分"), says, draw, (9.0, 4.2))


def sizes_curve(n_notes: Sequence[int], scores: Mapping[str, Sequence[Interval]]) -> Picture:
    """Draw scores with their intervals over the number of notes that were trained on."""

    def draw(figure: Figure) -> None:
        axes = figure.add_subplot()
        for (label, values), colour in zip(scores.items(), COLOURS, strict=False):
            axes.plot(n_notes, [each.value for each in values], "o-", ms=4, color=colour, label=plain(label))
            low, high = [each.low for each in values], [each.high for each in values]
            axes.fill_between(n_notes, low, high, color=colour, alpha=0.15)
        axes.set_xlabel(words("notes trained on", "训练病历数"))
        axes.set_xlim(left=0)
        figure.legend(loc="outside upper right", ncols=4)

    says = f"Scores of models trained on {min(n_notes):,} to {max(n_notes):,} notes"
    return picture("learning_curve", ("Learning curve", "学习曲线"), says, draw)


def bars(name: str, title: Title, counts: Mapping[str, int]) -> Picture:
    """Draw how many there are of each, the first row on top, with the numbers beside."""

    def draw(figure: Figure) -> None:
        axes = figure.add_subplot()
        at = np.arange(len(counts))[::-1]
        held = axes.barh(at, list(counts.values()), color=COLOURS[0], height=0.7)
        axes.bar_label(held, [f"{n:,}" for n in counts.values()], fontsize=8.5, padding=4)
        axes.set_yticks(at, [plain(label) for label in counts])
        axes.set_ylim(-0.6, len(counts) - 0.4)
        axes.grid(axis="y", visible=False)
        axes.margins(x=0.12)

    says = f"{title[0]}: {sum(counts.values()):,} in {len(counts)} rows"
    return picture(name, title, says, draw, (6.4, 0.9 + 0.26 * max(3, len(counts))))


def histogram(name: str, title: Title, values: Mapping[str, Sequence[int]], axis: Title) -> Picture:
    """Draw how values are spread, on a scale of powers of ten where they span more than two of them."""

    def draw(figure: Figure) -> None:
        axes = figure.add_subplot()
        every = np.concatenate([np.asarray(each, np.float64) for each in values.values()])
        low, high = float(every.min()), float(every.max())
        logarithmic = low > 0 and high / low > 100
        edges = np.geomspace(low, high, 31) if logarithmic else np.linspace(low, high, 31)
        if high - low < 40:  # a bar for each whole number
            edges = np.arange(low, high + 2) - 0.5
            axes.locator_params(axis="x", integer=True)
        axes.hist(
            list(values.values()),
            edges.tolist(),
            stacked=True,
            label=[plain(each) for each in values],
            color=COLOURS[: len(values)],
        )
        if logarithmic:
            axes.set_xscale("log")
        axes.set_xlabel(words(*axis))
        axes.set_ylabel("n")
        axes.locator_params(axis="y", integer=True)
        if len(values) > 1:
            axes.legend()

    every = sorted(value for each in values.values() for value in each)
    says = f"{title[0]}: {len(every):,} values from {every[0]:,} to {every[-1]:,}, median {every[len(every) // 2]:,}"
    return picture(name, title, says, draw, (6.4, 3.4))


def _unit(axes: Axes, x: str, y: str) -> None:
    """Let both axes go from 0 to 1."""
    axes.set_xlim(-0.02, 1.02)
    axes.set_ylim(-0.02, 1.02)
    axes.set_xlabel(x)
    axes.set_ylabel(y)


def _area(label: str, line: Line) -> str:
    return f"{plain(label, 22)} {line.area:.3f}"


def _said(what: str, lines: Mapping[str, Line]) -> str:
    label, line = next(iter(lines.items()))
    return f"{what}; {label}: area {line.area:.3f}" if not math.isnan(line.area) else what
