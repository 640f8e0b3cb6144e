"""Realistic replacements of PHI: keyed, the same in all notes of a patient."""

from __future__ import annotations

from clinlp.deid.surrogates.writer import Surrogates

__all__ = ["Surrogates"]
