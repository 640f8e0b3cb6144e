"""How probabilities of codes become the codes of a note: what a model's config says about it.

An old folder says nothing of calibration and sets: its probabilities are as the model gives them, and
its codes those from 0.5 on.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from clinlp.config import Config

SetMethod = Literal["lac", "aps", "share"]


class SetsConfig(Config):
    """Prediction sets and what they promise.

    Attributes:
        method: `lac` and `aps` are for models of a single code, `share` is for the others.
        least: A code whose conformity is at least so much is in the set.
        alpha: The share of notes whose code is missed, or of a note's codes that are missed, as asked for.
        bound: What that share stays below, as promised.
        observed: The share on the calibration notes.
        n_notes: Calibration notes that have codes.
        confidence: With which the bound holds; None: it holds on average over calibration sets.
    """

    method: SetMethod
    least: float
    alpha: float
    bound: float
    observed: float
    n_notes: int
    confidence: float | None = None


class DecisionConfig(Config):
    """Which codes a note gets, of all that have a probability."""

    single: bool = False  # exactly one code a note: softmax instead of one sigmoid per code
    threshold: float = 0.5  # common to all codes
    thresholds: dict[str, float] = Field(default_factory=dict)  # of codes that have one of their own
    top: int | None = None  # the most probable so many, in place of those from a threshold on
    temperature: float = 1.0  # the logits are divided by it
    curve: tuple[tuple[float, float], ...] = ()  # of isotonic calibration: probability before, and after
    sets: SetsConfig | None = None
