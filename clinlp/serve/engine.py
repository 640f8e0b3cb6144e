"""What the service works with: one set of models, used by a pipeline for each thing that can be asked."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple, Self, TypeAlias

from clinlp.deid import Mode
from clinlp.errors import Failure, UsageError
from clinlp.inference.pipeline import Pipeline
from clinlp.note import Note
from clinlp.serve.config import TASKS, ServeConfig
from clinlp.serve.logs import error_facts
from clinlp.serve.reading import written

Task: TypeAlias = Literal["annotate", "deidentify", "diagnose"]
_WITHOUT: Final[dict[Task, dict[str, Any]]] = {
    "annotate": {},
    "deidentify": {"entities": "off", "diagnosis": "off", "sections": False, "context": False},
    "diagnose": {"entities": "off", "sections": False, "context": False},
}
_MODES: Final[tuple[Mode, ...]] = ("off", "tag", "mask", "placeholder", "surrogate")
_WARM: Final = (Note("en", "Seen on 03/12/2021 for chest pain.", lang="en"), Note("zh", "患者反复胸闷2年。", lang="zh"))


class Kind(NamedTuple):
    """What is asked for, how PHI is replaced, and by which models; None stands for that of the service's options."""

    task: Task
    deid: Mode
    phi: str | None = None
    entities: str | None = None
    diagnosis: str | None = None
    codes: int | None = None
    checked: bool = False
    tokens: bool = False

    @property
    def changes(self) -> dict[str, Any]:
        """What the pipeline's options are changed by."""
        changes: dict[str, Any] = dict(self.named)
        if self.codes is not None:
            changes["top"] = self.codes
        return changes | ({"only_given": True} if self.checked else {})

    @property
    def named(self) -> dict[str, str]:
        """The models that are named, by what they find."""
        return {task: name for task in TASKS if (name := getattr(self, task)) is not None}


@dataclass(frozen=True, slots=True)
class Offer:
    """What can be asked of an engine.

    Attributes:
        modes: Ways to replace PHI.
        whole_patients: Whether a model reads all notes of a patient together, so that those of two requests
            must not meet.
        models: Which models there are and what they know; of a folder its own name alone.
    """

    modes: tuple[Mode, ...]
    whole_patients: bool
    models: Sequence[Mapping[str, Any]]

    def held(self) -> dict[str, Any]:
        """Give it as what JSON holds."""
        return asdict(self)

    @classmethod
    def of(cls, held: Mapping[str, Any]) -> Self:
        """Read what `held` gave."""
        return cls(tuple(held["modes"]), held["whole_patients"], held["models"])


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
        kind = kind._replace(tokens=False)
        if kind not in self._pipelines:  # few: of the models in `choices`, and of a hundred numbers of codes
            pipeline = self._pipelines[Kind(kind.task, kind.deid)]
            self._pipelines[kind] = pipeline.variant(pipeline.config.model_copy(update=kind.changes))
        results = self._pipelines[kind](notes)
        self._base.deidentifier.left_out.clear()  # counts names that clients choose: it would grow for ever
        return results

    def answer(self, kind: Hashable, notes: Sequence[Note]) -> list[bytes | Failure]:
        """Give each note as the bytes of its answer, or why there are none, in order."""
        tokens = isinstance(kind, Kind) and kind.tokens
        return [written(result, tokens=tokens) for result in self(kind, notes)]

    def start(self) -> dict[str, str]:
        """Load all models and run each once; say what is wrong, without a word of what an error says."""
        try:
            if self._base.uses_models:
                from clinlp.inference.threads import compute_with

                compute_with(self.config.threads)
            results = self(Kind("annotate", "off"), _WARM)
            failed = next((result for result in results if isinstance(result, Failure)), None)
            if failed is not None:
                raise RuntimeError(f"{failed.stage}: a stage that works needed, got {failed.error}")  # noqa: TRY301
        except Exception as error:  # noqa: BLE001  the service goes on, to say of each note why it fails
            return error_facts(error)
        self.ready = True
        return {}

    @property
    def offer(self) -> Offer:
        """What can be asked for."""
        modes = tuple(mode for mode in _MODES if Kind("annotate", mode) in self._pipelines)
        return Offer(modes, self._base.whole_patients, _models(self.config))

    @property
    def seconds(self) -> dict[str, float]:
        """Time spent in each stage so far."""
        return dict(self._base.seconds)


def _models(config: ServeConfig) -> list[dict[str, Any]]:
    found = []
    for task in TASKS:
        named = getattr(config, task)
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
