"""Losses and scores of a run for those who watch many: TensorBoard, Weights & Biases, MLflow.

Numbers go there, a few options by name, and the name of the run's folder: no path of data, no label, no word of a
note. MLflow adds the name of the program and of the user.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from clinlp.errors import UsageError
from clinlp.training.config import TrainConfig

if TYPE_CHECKING:
    from accelerate import Accelerator

# By itself it would send what the program prints, its arguments and its source.
_WANDB = {"console": "off", "save_code": False, "disable_git": True, "x_disable_meta": True}
STEPS = 10
"""Steps between two losses that are tracked."""


def need_tracker(name: str | None) -> None:
    """Check that a tracker's package is there.

    Raises:
        UsageError: It is not installed.
    """
    if name is not None and find_spec(name) is None:
        raise UsageError(f"tracker: the package {name} needed, got none; pip install {name}")


def start_tracker(run: Accelerator, config: TrainConfig) -> None:
    """Open the tracker that the config names.

    Raises:
        UsageError: It does not start: a service out of reach, no account, a folder that cannot be written.
    """
    if config.tracker is None:
        return
    options: dict[str, dict[str, Any]] = {
        "wandb": {"name": config.out.name, "dir": str(config.out), "settings": _WANDB},
        "mlflow": {"run_name": config.out.name},
    }
    facts = {
        name: value
        for name, value in config.model_dump(mode="json").items()
        if isinstance(value, (int, float)) or name in ("optimizer", "head", "precision", "class_weights")
    }
    try:
        project = "tensorboard" if config.tracker == "tensorboard" else "clinlp"  # the former is a folder in OUT
        run.init_trackers(project, {name: value for name, value in facts.items() if value is not None}, options)
    except Exception as error:  # noqa: BLE001  whatever a tracker raises, the run has not begun
        raise UsageError(f"tracker: {config.tracker} within reach needed, got {type(error).__name__}") from None


def track(run: Accelerator, values: Mapping[str, float], step: int) -> str | None:
    """Send numbers to the tracker; if that fails, give up on it and say why: training goes on."""
    try:
        run.log(dict(values), step=step)
    except Exception as error:  # noqa: BLE001  a service that is gone is no reason to lose a run
        run.trackers.clear()
        return f"tracker: left out from step {step} on, {type(error).__name__}"
    return None


def end_tracker(run: Accelerator) -> None:
    """Close the tracker. Processes stay bound to each other, as `end_training` would not leave them: folds follow."""
    for tracker in run.trackers:
        tracker.finish()
