"""What the service works with: one set of models, used by a pipeline for each thing that can be asked."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple, TypeAlias

from clinlp.deid import Mode
from clinlp.errors import Failure, UsageError
from clinlp.inference.pipeline import Pipeline
from clinlp.note import Note
from clinlp.serve.config import ServeConfig

Task: TypeAlias = Literal["annotate", "deidentify", "diagnose"]
_WITHOUT: Final[dict[Task, dict[str, Any]]] = {
    "annotate": {},
    "deidentify": {"entities": "off", "diagnosis": "off", "sections": False, "context": False},
    "diagnose": {"entities": "off", "sections": False, "context": False},
}
TASKS: Final = ("phi", "entities", "diagnosis")
_MODES: Final[tuple[Mode, ...]] = ("off", "tag", "mask", "placeholder", "surrogate")
_WARM: Final = (Note("en", "Seen on 03/12/2021 for chest pain.", lang="en"), Note("zh", "患者反复胸闷2年。", lang="zh"))


class Kind(NamedTuple):
    """What is asked for, how PHI is replaced, and by which models; None stands for that of the service's options."""

    task: Task
    deid: Mode
    phi: str | None = None
    entities: str | None = None
    diagnosis: str | None = None

    @property
    def named(self) -> dict[str, str]:
        """The models that are named, by what they find."""
        return {task: name for task in TASKS if (name := getattr(self, task)) is not None}


class Engine:
    """Does what is asked for with one set of models; for one thread at a time.

    Attributes:
        ready: Whether the models are loaded and have worked once.
    """

    def __init__(self, config: ServeConfig) -> None:
        """Load what the config names.

        Raises:
            UsageError: A model, a threshold file or the key is not as it needs to be.
        """
        self.config = config
        self.ready = False
        self._base = Pipeline(config)
        self._pipelines: dict[Kind, Pipeline] = {}
        for mode in _MODES:
            try:
                pipeline = self._base.variant(config.model_copy(update={"deid": mode}))
            except UsageError:
                if mode == "surrogate" and config.deid != "surrogate":  # no key: the other modes go without
                    continue
                raise
            for task, without in _WITHOUT.items():
                if task != "diagnose" or config.diagnosis != "off":
                    self._pipelines[Kind(task, mode)] = pipeline.variant(pipeline.config.model_copy(update=without))

    def __call__(self, kind: Hashable, notes: Sequence[Note]) -> list[Note | Failure]:
        """Give what becomes of each note, in order."""
        if not isinstance(kind, Kind):
            raise TypeError(f"kind of work needed, got {type(kind).__name__}")
        if kind not in self._pipelines:  # of models that a request names: few, for `choices` are
            pipeline = self._pipelines[Kind(kind.task, kind.deid)]
            self._pipelines[kind] = pipeline.variant(pipeline.config.model_copy(update=kind.named))
        results = self._pipelines[kind](notes)
        self._base.deidentifier.left_out.clear()  # counts names that clients choose: it would grow for ever
        return results

    def warm_up(self) -> None:
        """Load all models and run each once.

        Raises:
            RuntimeError: A stage does not work.
        """
        results = self(Kind("annotate", "off"), _WARM)
        failed = next((result for result in results if isinstance(result, Failure)), None)
        if failed is not None:
            raise RuntimeError(f"{failed.stage}: a stage that works needed, got {failed.error}")
        self.ready = True

    @property
    def modes(self) -> tuple[Mode, ...]:
        """Ways to replace PHI that may be asked for."""
        return tuple(mode for mode in _MODES if Kind("annotate", mode) in self._pipelines)

    @property
    def choices(self) -> dict[str, list[str]]:
        """Names of models that requests may ask for in place of the service's own, by what they find."""
        config = self.config
        if not config.switch:
            return {task: [] for task in TASKS}
        fixed = {"phi": config.thresholds is not None, "entities": config.keep_entities}
        return {
            task: []
            if fixed.get(task) or getattr(config, task) == "off"
            else [f"{task}-{lang}" for lang in ("en", "zh")]
            for task in TASKS
        }

    @property
    def uses_models(self) -> bool:
        """Whether any stage may load a model."""
        return self._base.uses_models

    @property
    def whole_patients(self) -> bool:
        """Whether a model reads all notes of a patient together, so that those of two requests must not meet."""
        return self._base.whole_patients

    @property
    def seconds(self) -> dict[str, float]:
        """Time spent in each stage so far."""
        return dict(self._base.seconds)

    def models(self) -> list[dict[str, Any]]:
        """Say which models there are and what they know; of a folder its own name alone."""
        found = []
        for task in TASKS:
            named = getattr(self.config, task)
            if named == "bundled":
                found += [_model(task, f"{task}-{lang}", lang) for lang in ("en", "zh")]
            elif named != "off":
                found.append(_model(task, named, "both"))
        return found


def _model(task: str, name: str, lang: str) -> dict[str, Any]:
    from clinlp.models.store import read_config

    config = read_config(name)
    labels = getattr(config, "codes" if task == "diagnosis" else "labels")
    return {"name": Path(name).name, "task": task, "lang": lang, "labels": sorted(labels)}
