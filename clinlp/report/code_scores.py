"""What an evaluation says of diagnosis codes: scores, rankings, curves, confusions, chapters, rare codes, mistakes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from clinlp.metrics.areas import confusions, score_areas
from clinlp.metrics.calibration import calibration_error, reliability
from clinlp.metrics.compare import Measured, measure
from clinlp.metrics.diagnosis import DiagnosisScores, score_diagnoses
from clinlp.metrics.prf import COLUMNS
from clinlp.metrics.views import BANDS, OTHER, category, chapter, only
from clinlp.note import Note
from clinlp.report import plots
from clinlp.report.curves import precision_recall, ranked_codes, roc, sweep
from clinlp.report.document import Section, Table
from clinlp.report.figures import Picture, words
from clinlp.report.mistakes import code_mistakes
from clinlp.report.scored import NAMES, Asked, Part, by_group, card, commonest, named, percent, rows_of, span_of, views

_CURVES: Final = 7  # codes that have a curve of their own, the commonest
_SCORES: Final = {"micro precision": "precision", "micro recall": "recall", "micro F1": "f1", "macro F1": "macro_f1"}
_NAMED: Final = _SCORES | {"top 1": "top1", "MAP": "map"}
_AREAS: Final = {"micro_roc": "micro ROC AUC", "micro_pr": "micro PR AUC", "macro_roc": "macro ROC AUC"}
_BAND_WORDS: Final = (
    "Codes by the notes of the training part that have them: head over 50, torso 6 to 50, tail 1 to 5, unseen none. "
    "按训练集中出现的病历数：头部多于 50，中部 6–50，尾部 1–5，未见 0。"
)


def score_codes(gold: Sequence[Note], predicted: Sequence[Note], asked: Asked) -> Part:
    """Score codes as sets and as rankings, with figures and a list of what is wrong.

    Raises:
        DataError: A note is missing, extra or there twice, or has no predicted diagnoses at all.
        UsageError: The notes cannot be grouped by the field asked for.
    """
    scored = score_diagnoses(gold, predicted, asked.choice)
    measured = measure(scored.notes, asked.sampling)
    areas = score_areas(gold, predicted, asked.sampling)
    mistakes = code_mistakes(gold, predicted, asked.choice)
    rows = [(name, value, span_of(measured.overall.get(_NAMED.get(name, name)))) for name, value in scored.rows()]
    for kind, name in (_AREAS | {"macro_pr": "macro PR AUC"}).items():
        rows.append((name, percent(getattr(areas, kind).value), span_of(getattr(areas, kind))))
    level = f"{100 * asked.sampling.level:g} %"
    tables = [Table(f"Scores, {asked.choice} 得分", ("score", "%", level), rows)]
    numbers: dict[str, Any] = scored.to_dict() | {"intervals": measured.to_dict(), "areas": areas.to_dict()}
    for key, (table, held) in _views(gold, predicted, scored, asked).items():
        numbers[key] = held
        tables.append(table)
    tables.append(_codes("By code 按编码", scored, measured))
    cells = _single(gold, predicted)
    if cells:
        numbers["confusions"] = [{"gold": a, "predicted": b, "n": n} for (a, b), n in sorted(cells.items())]
    pictures = [*_curves(gold, predicted, asked), _confusion(cells) if cells else None]
    if scored.codes:
        rows_shown = commonest(measured, {code: prf.n_gold for code, prf in scored.codes.items()})
        title = ("F1 of the commonest codes", "最常见编码的 F1")
        pictures.append(plots.scores_by_label("f1", title, rows_shown, asked.sampling.level))
    shown = Section(NAMES["diagnoses"], named("diagnoses", pictures), tables, rows_of(mistakes, gold, asked))
    cards = [
        card("Diagnoses 诊断: micro F1", measured.overall["f1"]),
        card("macro F1", measured.overall["macro_f1"]),
        card("MAP", measured.overall.get("map")),
        card("micro ROC AUC", areas.micro_roc),
    ]
    return Part(shown, cards, numbers, mistakes)


def _views(
    gold: Sequence[Note], predicted: Sequence[Note], scored: DiagnosisScores, asked: Asked
) -> dict[str, tuple[Table, dict[str, Any]]]:
    """Score the same predictions as categories and chapters, by frequency, and of groups of notes."""
    made: dict[str, tuple[Table, dict[str, Any]]] = {}
    groups, numbers = by_group(gold, scored.notes, asked)
    if groups is not None:
        made["groups"] = groups, numbers
    known = [code for code in scored.codes if chapter(code) != OTHER]
    if known and 2 * len(known) >= len(scored.codes):
        if any(len(code) > 3 for code in known):
            each = score_diagnoses(gold, predicted, asked.choice, view=category)
            row = {"all 合计": (each.n_notes, measure(each.notes, asked.sampling, n_labels=0))}
            made["categories"] = views("As categories, three characters 三位类目", row, asked.sampling)
        each = score_diagnoses(gold, predicted, asked.choice, view=chapter)
        held = measure(each.notes, asked.sampling)
        table = _codes("As chapters of ICD-10 按 ICD-10 章", each, held)
        made["chapters"] = table, each.to_dict() | {"intervals": held.to_dict()}
    if asked.frequencies is not None:
        measured: dict[str, tuple[int, Measured]] = {}
        for band in BANDS:
            each = score_diagnoses(gold, predicted, asked.choice, view=only(band, asked.frequencies))
            if each.codes:
                name = f"{band}, {len(each.codes):,} codes"
                measured[name] = each.n_notes, measure(each.notes, asked.sampling, n_labels=0)
        made["bands"] = views("Frequent and rare codes 常见与罕见编码", measured, asked.sampling, _BAND_WORDS)
    return made


def _codes(title: str, scored: DiagnosisScores, measured: Measured) -> Table:
    """Lay out the codes that have intervals, the commonest first."""
    columns = ("code 编码", *COLUMNS, f"{100 * measured.sampling.level:g} %")
    ordered = sorted(measured.labels, key=lambda code: (-scored.codes[code].n_gold, code))
    rows = [(code, *scored.codes[code].cells(), span_of(measured.labels[code]["f1"])) for code in ordered]
    left = measured.n_labels_left_out
    return Table(title, columns, rows, f"{left:,} rarer codes have no row 未列出的罕见编码" if left else "")


def _curves(gold: Sequence[Note], predicted: Sequence[Note], asked: Asked) -> list[Picture | None]:
    """Draw what scores are worth: ROC, precision over recall, reliability, thresholds."""
    every, each = ranked_codes(gold, predicted)
    micro = words("all codes", "全部")
    ranked = {micro: every, **dict(list(each.items())[:_CURVES])}
    rocs = {name: line for name, held in ranked.items() if (line := roc(held)) is not None}
    lines = {name: line for name, held in ranked.items() if (line := precision_recall(held)) is not None}
    swept = sweep(every)
    usual = asked.choice.threshold if asked.choice.top is None else None
    return [
        plots.roc_curves(rocs) if micro in rocs else None,
        plots.precision_recall_curves(lines) if lines else None,
        plots.reliability_diagram(reliability(every.scores, every.right), calibration_error(every.scores, every.right))
        if len(every.scores)
        else None,
        plots.threshold_curves(swept, usual) if swept is not None else None,
    ]


def _single(gold: Sequence[Note], predicted: Sequence[Note]) -> Counter[tuple[str, str]]:
    """Count gold against first code where every note has exactly one; else nothing."""
    if any(len({each.code for each in note.diagnoses}) != 1 for note in gold if note.diagnoses is not None):
        return Counter()
    return confusions(gold, predicted)


def _confusion(cells: Counter[tuple[str, str]]) -> Picture:
    """Draw the codes against each other; rare ones together, so that the matrix can be read."""
    totals = Counter[str]()
    for (wanted, found), n in cells.items():
        totals[wanted] += n
        totals[found] += n
    del totals[""]
    kept = sorted(sorted(totals, key=lambda code: (-totals[code], code))[:40])
    other, none = words("(other)", "其他"), words("(none)", "无")
    places = {code: at for at, code in enumerate(kept)}
    rows = [*kept, *([other] if len(totals) > len(kept) else [])]
    columns = [*rows, *([none] if any(not found for _, found in cells) else [])]
    counts = np.zeros((len(rows), len(columns)))
    for (wanted, found), n in cells.items():
        column = places.get(found, len(kept)) if found else len(columns) - 1
        counts[places.get(wanted, len(kept)), column] += n
    return plots.confusion_matrix(counts, rows, columns, ("First code", "首位编码混淆矩阵"))
