"""Identifiers that a record already tells of its patient, found in its own note in any spelling."""

from __future__ import annotations

from clinlp.deid.known.columns import absent, guess_label, parse_known
from clinlp.deid.known.detector import known_detector

__all__ = ["absent", "guess_label", "known_detector", "parse_known"]
