"""Dumps in, annotated dumps out: in order, in constant memory, one bad record at a time.

`annotate` does a job on one machine or a cluster; `annotate_dataframe` takes a Spark DataFrame, and
`Annotator` fits `datasets.Dataset.map`. Nothing is loaded before it is asked for.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from clinlp.batch.config import BatchConfig
    from clinlp.batch.frames import Annotator
    from clinlp.batch.local import annotate
    from clinlp.batch.single import deidentify
    from clinlp.batch.spark import annotate_dataframe

__all__ = ["Annotator", "BatchConfig", "annotate", "annotate_dataframe", "deidentify"]

_HOMES: Final = {
    "Annotator": "frames",
    "BatchConfig": "config",
    "annotate": "local",
    "annotate_dataframe": "spark",
    "deidentify": "single",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
