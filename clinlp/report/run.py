"""The report of a training run, from what its folder holds: loss and scores over epochs, options, learning curve."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from clinlp.errors import DataError, UsageError
from clinlp.metrics.intervals import Interval
from clinlp.report import plots
from clinlp.report.document import Card, Report, Section, Table
from clinlp.report.figures import Picture

LOG: Final = "log.jsonl"
CURVE: Final = "curve.json"
_POINT: Final = {"share", "n_patients", "n_notes", "epochs", "dev"}
_MAIN: Final = ("score", "f1", "micro_f1", "map")
_CURVES: Final = ("f1", "macro_f1", "map", "top1")
_UNITS: Final = {
    "seconds": "seconds 秒",
    "pieces_per_s": "pieces/s",
    "peak_memory_mib": "MiB",
    "gpu_memory_mib": "GPU MiB",
}


def is_run(folder: Path) -> bool:
    """Say whether a folder is one of a run or of a learning curve."""
    return (folder / LOG).is_file() or (folder / CURVE).is_file()


def report_run(folder: Path, title: str | None = None) -> Report:
    """Draw what a run's folder says; a run that goes on is drawn as far as it has come.

    Raises:
        UsageError: The folder holds no run.
        DataError: Its log or its curve cannot be read.
        MissingExtraError: matplotlib is not installed.
    """
    if not is_run(folder):
        raise UsageError(f"{folder}: a run's folder needed, with {LOG} or {CURVE}; got none")
    sections, cards, numbers = [], [], dict[str, Any]()
    if (folder / LOG).is_file():
        lines = _lines(folder / LOG)
        numbers["epochs"] = lines
        sections.append(_epochs(lines))
        cards += _cards(lines)
    if (folder / CURVE).is_file():
        points = _points(folder / CURVE)
        numbers["curve"] = points
        sections.append(_sizes(points))
    if options := _options(folder):
        rows = [(name, _said(value)) for name, value in sorted(options.items())]
        sections.append(Section("Options 配置", tables=[Table("config.json", ("option 选项", "value 值"), rows)]))
        numbers["config"] = options
    name = folder.resolve().name
    return Report(
        title=title or f"Run 训练 · {name}",
        summary=f"{len(numbers.get('epochs', ())):,} epochs 轮",
        cards=cards,
        sections=sections,
        method="Scores are those on the dev part, which chose the best epoch. 得分为开发集得分，最佳轮次据此选出。",
        numbers=numbers,
    )


def _lines(path: Path) -> list[dict[str, Any]]:
    """Read the epochs of a log; a last line that is not whole is one being written."""
    held: list[dict[str, Any]] = []
    for number, line in enumerate(_text(path).splitlines(keepends=True), start=1):
        epoch = _json(line)
        if isinstance(epoch, dict) and isinstance(epoch.get("loss"), (int, float)):
            held.append(epoch)
        elif line.endswith("\n"):
            raise DataError(f"{path}:{number}: an epoch with its loss needed, got something else")
    if not held:
        raise DataError(f"{path}: an epoch that is done needed, got none")
    return held


def _epochs(lines: Sequence[Mapping[str, Any]]) -> Section:
    """Draw loss and scores, and lay all numbers out."""
    names = list(dict.fromkeys(name for line in lines for name in line.get("scores") or {}))
    scores = {name: [float((line.get("scores") or {}).get(name, math.nan)) for line in lines] for name in names}
    drawn = {
        name: values
        for name, values in scores.items()
        if name != "score" or len(names) == 1  # the main score again, under a name that says less
    }
    best = _best(lines)
    shown = {name: values for name, values in drawn.items() if all(not value > 1 for value in values)}
    picture: Picture = plots.epochs([float(line["loss"]) for line in lines], shown, best)
    units = [name for name in _UNITS if any(name in line for line in lines)]
    columns = ["epoch 轮次", "loss 损失", *drawn, *(_UNITS[name] for name in units)]
    rows = [
        [
            f"{number}{' *' if number == best else ''}",
            f"{line['loss']:.4f}",
            *(_cell(values[number - 1]) for values in drawn.values()),
            *(f"{line[name]:,.0f}" if name in line else "–" for name in units),
        ]
        for number, line in enumerate(lines, start=1)
    ]
    table = Table("Epochs 各轮次", columns, rows, "* the best epoch on dev, which is kept 开发集最佳轮次")
    return Section("Training 训练过程", [picture], [table])


def _best(lines: Sequence[Mapping[str, Any]]) -> int | None:
    return max((number for number, line in enumerate(lines, start=1) if line.get("best")), default=None)


def _cards(lines: Sequence[Mapping[str, Any]]) -> list[Card]:
    best = _best(lines)
    cards = []
    if best is not None:
        scores = lines[best - 1].get("scores") or {}
        main = next((name for name in _MAIN if name in scores), None)
        if main is not None:
            cards.append(Card("best score on dev 开发集最佳得分", _cell(float(scores[main])), f"epoch 轮次 {best}"))
    cards.append(Card("last loss 末轮损失", f"{lines[-1]['loss']:.4f}", f"first 首轮 {lines[0]['loss']:.4f}"))
    seconds = sum(float(line.get("seconds") or 0) for line in lines)
    cards.append(Card("time 用时", f"{seconds / 60:,.1f} min", f"{len(lines):,} epochs 轮"))
    return cards


def _points(path: Path) -> list[dict[str, Any]]:
    points = _json(_text(path))
    whole = isinstance(points, list) and all(isinstance(point, dict) and point.keys() >= _POINT for point in points)
    if not points or not whole or any(not isinstance(point["dev"].get("overall"), dict) for point in points):
        raise DataError(f"{path}: the points of a learning curve needed, got something else")
    return list(points)


def _sizes(points: Sequence[Mapping[str, Any]]) -> Section:
    """Draw what more notes bring."""
    n_notes = [int(point["n_notes"]) for point in points]
    there = [name for name in _CURVES if all(name in point["dev"]["overall"] for point in points)]
    scores = {name: [_interval(point["dev"]["overall"][name]) for point in points] for name in there}
    rows = [
        [f"{point['share']:g}", f"{point['n_patients']:,}", f"{point['n_notes']:,}", f"{point['epochs']:,}"]
        + [_cell(values[at].value) for values in scores.values()]
        for at, point in enumerate(points)
    ]
    columns = ["share 比例", "patients 患者", "notes 病历", "epochs 轮次", *there]
    picture = plots.sizes_curve(n_notes, scores)
    return Section("Learning curve 学习曲线", [picture], [Table("What more notes bring 数据量与得分", columns, rows)])


def _interval(held: Mapping[str, float | None]) -> Interval:
    value, low, high = (held.get(name) for name in ("value", "low", "high"))
    return Interval(*(math.nan if each is None else float(each) for each in (value, low, high)))


def _options(folder: Path) -> dict[str, Any]:
    """Read the options of the run, those that are set."""
    path = folder / "config.json"
    if not path.is_file():
        return {}
    held = _json(_text(path))
    if not isinstance(held, dict):
        raise DataError(f"{path}: the options of a run needed, got something else")
    return {name: value for name, value in held.items() if value not in (None, [], {})}


def _json(text: str) -> Any:
    """Read JSON; None where it is none."""
    try:
        return json.loads(text)
    except ValueError:
        return None


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except UnicodeDecodeError:
        raise DataError(f"{path}: UTF-8 needed, got another encoding") from None


def _said(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _cell(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:.4f}"
