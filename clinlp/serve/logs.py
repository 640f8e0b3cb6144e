"""Logs as one JSON object a line; what an exception says is left out, for it may quote a note."""

from __future__ import annotations

import json
import logging
import time
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

LOGGER: Final = "clinlp.serve"
_LOGGERS: Final = (LOGGER, "uvicorn", "uvicorn.error")


class JsonLines(logging.Formatter):
    """Writes a record as JSON: time, level, event, and the facts given with it."""

    def format(self, record: logging.LogRecord) -> str:
        """Give the line."""
        moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        held: dict[str, Any] = {
            "time": f"{moment}.{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "event": record.getMessage().strip(),
        }
        held |= getattr(record, "facts", {})
        if record.exc_info and record.exc_info[1] is not None:
            held |= error_facts(record.exc_info[1])
        return json.dumps(held, ensure_ascii=True)


def error_facts(error: BaseException) -> dict[str, str]:
    """Say what kind of error it is and where it was raised, without what it says."""
    last = traceback.extract_tb(error.__traceback__)[-1:]
    place = f"{Path(last[0].filename).name}:{last[0].lineno}" if last else "an unknown place"
    return {"error": type(error).__name__, "at": place}


def tell(event: str, facts: Mapping[str, object] | None = None, *, level: int = logging.INFO) -> None:
    """Log an event with its facts."""
    logging.getLogger(LOGGER).log(level, event, extra={"facts": facts or {}})


def log_to_standard_error() -> None:
    """Send the service's logs, and those of its server, to standard error."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonLines())
    for name in _LOGGERS:
        logger = logging.getLogger(name)
        logger.handlers = [handler] if name != "uvicorn.error" else []
        logger.propagate = name == "uvicorn.error"
        logger.setLevel(logging.INFO)
    logging.getLogger("uvicorn.access").disabled = True  # it would write paths as they came
