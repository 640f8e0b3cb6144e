"""Counts and times of the service in the text form of Prometheus; no label holds anything of a note.

Source: https://prometheus.io/docs/instrumenting/exposition_formats (version 0.0.4).
"""

from __future__ import annotations

import os
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final, Literal

_SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_NOTES: Final = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0)


class Histogram:
    """Counts of values up to each bound."""

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def add(self, value: float) -> None:
        """Count a value."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value


class Metrics:
    """What the service counts; used in the event loop alone."""

    def __init__(self) -> None:
        self.requests: Counter[tuple[str, str]] = Counter()  # (path, status)
        self.seconds: dict[str, Histogram] = {}  # path -> of its requests
        self.notes: Counter[tuple[str, str]] = Counter()  # (task, outcome)
        self.refused: Counter[str] = Counter()
        self.batches = Histogram(_NOTES)
        self.gauges: dict[str, tuple[str, Callable[[], float]]] = {
            "clinlp_resident_bytes": ("Memory of the process.", resident_bytes)
        }
        self.stages: Callable[[], dict[str, float]] = dict

    def answered(self, path: str, status: int, seconds: float) -> None:
        """Count a request."""
        self.requests[path, str(status)] += 1
        self.seconds.setdefault(path, Histogram(_SECONDS)).add(seconds)

    def text(self) -> str:
        """Write all of it."""
        return "\n".join(self._lines()) + "\n"

    def _lines(self) -> Iterator[str]:
        yield from _head("clinlp_requests_total", "counter", "Requests by path and status.")
        for (path, status), n in sorted(self.requests.items()):
            yield f'clinlp_requests_total{{path="{path}",status="{status}"}} {n}'
        yield from _head("clinlp_request_seconds", "histogram", "Time from a request to its answer.")
        for path, held in sorted(self.seconds.items()):
            yield from _histogram("clinlp_request_seconds", f'path="{path}"', held)
        yield from _head("clinlp_notes_total", "counter", "Notes by what was asked and what became of them.")
        for (task, outcome), n in sorted(self.notes.items()):
            yield f'clinlp_notes_total{{task="{task}",outcome="{outcome}"}} {n}'
        yield from _head("clinlp_refused_total", "counter", "Requests that were refused, by reason.")
        for reason, n in sorted(self.refused.items()):
            yield f'clinlp_refused_total{{reason="{reason}"}} {n}'
        yield from _head("clinlp_batch_notes", "histogram", "Notes that went through the models together.")
        yield from _histogram("clinlp_batch_notes", "", self.batches)
        yield from _head("clinlp_stage_seconds_total", "counter", "Time spent in each stage.")
        for stage, seconds in sorted(self.stages().items()):
            yield f'clinlp_stage_seconds_total{{stage="{stage}"}} {seconds:.6f}'
        for name, (help_text, read) in self.gauges.items():
            yield from _head(name, "gauge", help_text)
            yield f"{name} {read():.10g}".replace("nan", "NaN")


def _head(name: str, kind: str, help_text: str) -> Iterator[str]:
    yield f"# HELP {name} {help_text}"
    yield f"# TYPE {name} {kind}"


def _histogram(name: str, label: str, held: Histogram) -> Iterator[str]:
    n, comma = 0, "," if label else ""
    for bound, count in zip((*held.bounds, None), held.counts, strict=True):
        n += count
        yield f'{name}_bucket{{{label}{comma}le="{"+Inf" if bound is None else f"{bound:g}"}"}} {n}'
    braces = f"{{{label}}}" if label else ""
    yield f"{name}_sum{braces} {held.total:.6f}"
    yield f"{name}_count{braces} {n}"


def resident_bytes(pid: int | Literal["self"] = "self") -> float:
    """Give the memory that a process holds; not a number where the system does not say."""
    try:
        return float(Path(f"/proc/{pid}/statm").read_text("ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, IndexError, ValueError):
        return float("nan")
