"""Dates and ages in any written form of both languages: read, moved by days, written as they were."""

from __future__ import annotations

from clinlp.deid.dates.age import cap_age, tells_age
from clinlp.deid.dates.shift import are_day_first, shift_dates, shift_of

__all__ = ["are_day_first", "cap_age", "shift_dates", "shift_of", "tells_age"]
