"""Where a search is kept: Optuna's journal, a line of JSON an event, held by one process at a time."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Final

from clinlp.errors import MissingExtraError, UsageError
from clinlp.models.store import write_whole
from clinlp.training.config import TrainConfig

if TYPE_CHECKING:
    from optuna import Study

STUDY: Final = "clinlp"
_JOURNAL: Final = "journal.jsonl"


def load_optuna() -> ModuleType:
    """Give Optuna, which says warnings alone.

    Raises:
        MissingExtraError: It is not installed.
    """
    try:
        import optuna
    except ImportError:
        raise MissingExtraError("optuna", "search") from None
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    module: ModuleType = optuna
    return module


def open_study(optuna: ModuleType, config: TrainConfig) -> Study:
    """Open the journal: JSON, a line an event. The caller has it for itself."""
    journal = config.out / _JOURNAL
    if journal.is_file():
        held = journal.read_bytes()
        if not held.endswith(b"\n"):  # killed while it wrote a line
            write_whole(journal, held[: held.rfind(b"\n") + 1].decode())
    Path(f"{journal}.lock").unlink(missing_ok=True)
    storage = optuna.storages.JournalStorage(optuna.storages.journal.JournalFileBackend(str(journal)))
    made: Study = optuna.create_study(
        storage=storage,
        study_name=STUDY,
        direction="maximize",
        load_if_exists=True,
        pruner=optuna.pruners.MedianPruner(n_startup_trials=4, n_warmup_steps=config.epochs // 5),
    )
    return made


@contextmanager
def alone(out: Path) -> Iterator[None]:
    """Hold a search's folder.

    Raises:
        UsageError: Another process runs the search.
    """
    with (out / "search.lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UsageError(f"{out}: a search that is not running needed, got one that is") from None
        yield
