"""What an evaluation says of entities or PHI: scores of each label, confusions, scores to believe, mistakes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np

from clinlp.metrics.calibration import Outcomes, calibration_error, outcomes, reliability
from clinlp.metrics.compare import Measured, measure
from clinlp.metrics.entities import EntityScores, score_entities
from clinlp.metrics.prf import COLUMNS
from clinlp.note import Note
from clinlp.report import plots
from clinlp.report.curves import Ranked, sweep
from clinlp.report.document import Section, Table
from clinlp.report.figures import Picture, words
from clinlp.report.mistakes import span_mistakes
from clinlp.report.names import label_names
from clinlp.report.scored import NAMES, Asked, Part, by_group, card, commonest, named, percent, rows_of, span_of


def score_spans(
    gold: Sequence[Note], predicted: Sequence[Note], attribute: Literal["entities", "phi"], asked: Asked
) -> Part:
    """Score spans by strict and overlap matches, with figures and a list of what is wrong.

    Raises:
        DataError: A note is missing, extra or there twice, or its two texts differ.
        UsageError: The notes cannot be grouped by the field asked for.
    """
    strict = score_entities(gold, predicted, "strict", attribute)
    overlap = score_entities(gold, predicted, "overlap", attribute)
    measured, loose = (measure(each.notes, asked.sampling) for each in (strict, overlap))
    mistakes, met = span_mistakes(gold, predicted, attribute)
    held = outcomes(gold, predicted, attribute)
    groups, group_numbers = by_group(gold, strict.notes, asked)
    pictures = [
        _f1(strict, measured, asked) if strict.labels else None,
        _confusion(met) if met else None,
        *_of_scores(held),
    ]
    kinds = Counter(each.kind for each in mistakes)
    numbers: dict[str, Any] = {
        "strict": strict.to_dict() | {"intervals": measured.to_dict()},
        "overlap": overlap.to_dict() | {"intervals": loose.to_dict()},
        "mistakes": dict(kinds),
        "confusions": [{"gold": a, "predicted": b, "n": n} for (a, b), n in sorted(met.items())],
    }
    numbers |= {"groups": group_numbers} if groups else {}
    if len(held):
        numbers["calibration"] = {"n_spans": len(held), "error": calibration_error(held.scores, held.right)}
    tables = [_table(strict, measured, overlap, loose, attribute), *([groups] if groups else [])]
    shown = Section(NAMES[attribute], named(attribute, pictures), tables, rows_of(mistakes, gold, asked))
    cards = [
        card(f"{NAMES[attribute]}: micro F1, strict 严格", measured.overall["f1"]),
        card("precision, strict 精确率", measured.overall["precision"]),
        card("recall, strict 召回率", measured.overall["recall"]),
        card("micro F1, overlap 宽松", loose.overall["f1"]),
    ]
    return Part(shown, cards, numbers, mistakes)


def _f1(scored: EntityScores, measured: Measured, asked: Asked) -> Picture:
    rows = commonest(measured, {label: prf.n_gold for label, prf in scored.labels.items()})
    return plots.scores_by_label("f1", ("Strict F1 of each label", "各类别严格 F1"), rows, asked.sampling.level)


def _confusion(met: Mapping[tuple[str, str], int]) -> Picture:
    """Draw the labels against each other, what was missed as the last column, what is spurious as the last row."""
    rows = sorted({gold for gold, _ in met if gold})
    columns = sorted({found for _, found in met if found} | set(rows))
    counts = np.zeros((len(rows) + 1, len(columns) + 1))
    for (gold, found), n in met.items():
        counts[rows.index(gold) if gold else -1, columns.index(found) if found else -1] += n
    named_rows, named_columns = [*rows, words("(spurious)", "多标")], [*columns, words("(missed)", "漏标")]
    return plots.confusion_matrix(counts, named_rows, named_columns, ("Labels that overlap", "重叠标注的类别混淆"))


def _of_scores(held: Outcomes) -> list[Picture | None]:
    """Draw how far scores can be believed, and what a threshold on them does; nothing without scores."""
    if not len(held) or np.ptp(held.scores) == 0:
        return []
    swept = sweep(Ranked(held.scores, held.right, sum(held.n_gold.values())))
    error = calibration_error(held.scores, held.right)
    return [
        plots.reliability_diagram(reliability(held.scores, held.right), error),
        plots.threshold_curves(swept) if swept is not None else None,
    ]


def _table(strict: EntityScores, measured: Measured, overlap: EntityScores, loose: Measured, attribute: str) -> Table:
    """Lay out each label's counts and scores, then micro and macro."""
    level = f"{100 * measured.sampling.level:g} %"
    columns = ["label 类别", *COLUMNS, level, "overlap F1 宽松", level]
    ranges = {label: kinds["f1"] for label, kinds in measured.labels.items()}
    ranges |= {"micro": measured.overall["f1"], "macro": measured.overall["macro_f1"]}
    loose_ranges = {label: kinds["f1"] for label, kinds in loose.labels.items()}
    loose_ranges |= {"micro": loose.overall["f1"], "macro": loose.overall["macro_f1"]}
    values = {label: prf.f1 for label, prf in overlap.labels.items()}
    values |= {"micro": overlap.micro.f1, "macro": overlap.macro_f1}
    rows = [
        [
            *(_named(label, attribute, strict), *cells),
            *(span_of(ranges.get(label)), percent(values[label]), span_of(loose_ranges.get(label))),
        ]
        for label, *cells in strict.rows()
    ]
    return Table("By label, strict matches 按类别，严格匹配", columns, rows)


def _named(label: str, attribute: str, scored: EntityScores) -> str:
    """Give a label with its Chinese name."""
    return " ".join(dict.fromkeys((label, label_names(attribute, label)[1]))) if label in scored.labels else label
