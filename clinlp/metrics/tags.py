"""Scores of tag sequences by seqeval, for whoever compares with published figures.

`clinlp.metrics.entities` scores notes; on flat spans over whole tokens the two agree to the last digit.
"""

from __future__ import annotations

from collections.abc import Sequence

from clinlp.metrics.prf import Prf


def score_tags(gold: Sequence[Sequence[str]], predicted: Sequence[Sequence[str]]) -> Prf:
    """Count the entities that both sides tag alike, all labels together.

    Args:
        gold: BIOES tags of each sequence.
        predicted: The same for the predictions, as long.
    """
    from seqeval.scheme import IOBES, Entities

    rows = [[list(tags) for tags in side] for side in (gold, predicted)]
    found = [{entity.to_tuple() for row in Entities(side, IOBES).entities for entity in row} for side in rows]
    return Prf(n_gold=len(found[0]), n_predicted=len(found[1]), n_correct=len(found[0] & found[1]))
