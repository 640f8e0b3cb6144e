"""The report of an evaluation: predicted notes against gold ones, as figures, tables and a list of mistakes."""

from __future__ import annotations

from collections.abc import Sequence

from clinlp.metrics.intervals import draw_units
from clinlp.note import Note
from clinlp.report.code_scores import score_codes
from clinlp.report.document import Report
from clinlp.report.scored import Asked, Attribute
from clinlp.report.span_scores import score_spans


def report_evaluation(
    gold: Sequence[Note],
    predicted: Sequence[Note],
    attributes: Sequence[Attribute],
    asked: Asked | None = None,
    title: str = "Evaluation 评估报告",
) -> Report:
    """Score predictions and draw what the scores look like; no word of a note unless that was asked for.

    Args:
        gold: Notes as they should be.
        predicted: The same notes as they came out, in any order.
        attributes: What to score.

    Raises:
        DataError: A note is missing, extra or there twice, or its two texts differ.
        UsageError: The notes cannot be grouped by the field asked for.
        MissingExtraError: matplotlib is not installed.
    """
    asked = asked or Asked()
    parts = {
        each: score_codes(gold, predicted, asked) if each == "diagnoses" else score_spans(gold, predicted, each, asked)
        for each in attributes
    }
    units, unit = draw_units(gold, asked.sampling.unit)
    n_units = f" of {len(set(units)):,} patients 名患者" if unit == "patients" else ""
    sampling = asked.sampling
    method = (
        f"Intervals: percentile bootstrap over {unit}, {100 * sampling.level:g} %, {sampling.n_resamples:,} resamples, "
        f"seed {sampling.seed}. A strict match has the same borders and label, an overlap match a shared character "
        "and the same label. Offsets are characters, half-open. "
        f"区间：按{'患者' if unit == 'patients' else '病历'}重抽样的百分位自助法。"
        "严格匹配：边界与类别均相同；宽松匹配：类别相同且有重叠。"
    )
    return Report(
        title=title,
        summary=f"{len(gold):,} notes 份病历{n_units}",
        cards=[each for part in parts.values() for each in part.cards],
        sections=[part.section for part in parts.values()],
        method=method,
        numbers={"n_notes": len(gold)} | {name: part.numbers for name, part in parts.items()},
        mistakes=[{"what": name} | each.to_dict() for name, part in parts.items() for each in part.mistakes],
    )
