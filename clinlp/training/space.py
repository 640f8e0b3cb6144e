"""What a search may choose from, read from a TOML file: `hidden = [100, 200]`, `dropout = {low = 0.1, high = 0.5}`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import UnionType
from typing import TYPE_CHECKING, Any, Final, Self, TypeAlias, Union, get_args, get_origin

from pydantic import model_validator

from clinlp.config import Config, read_toml, unknown_key
from clinlp.errors import UsageError
from clinlp.training.config import TrainConfig

if TYPE_CHECKING:
    from optuna.trial import Trial

FIXED: Final = (
    *("train", "dev", "out", "text", "labels", "code_length", "min_notes", "single", "seed"),
    *("precision", "checkpoint_steps", "keep_checkpoints", "tracker"),
)
"""Options that stay the same in all trials: they say what is learned from what, or are luck."""


class Range(Config):
    """All numbers from low to high, both included."""

    low: float
    high: float
    log: bool = False
    step: float | None = None

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if not self.low < self.high:
            raise ValueError(f"low below high needed, got {self.low:g} and {self.high:g}")
        if self.log and (self.low <= 0 or self.step is not None):
            raise ValueError("a range with log needs low above 0 and no step")
        if self.step is not None and not 0 < self.step <= self.high - self.low:
            raise ValueError(f"step above 0 and within the range needed, got {self.step:g}")
        return self


Value: TypeAlias = str | int | float | bool
Space: TypeAlias = Mapping[str, Range | tuple[Value, ...]]


def read_space(path: Path, config: TrainConfig) -> Space:
    """Read what a search may choose from.

    Raises:
        UsageError: The file is broken or empty, a key is no option of the config, or a value is none that
            the option takes.
    """
    known = [name for name in type(config).model_fields if name not in FIXED]
    space: dict[str, Range | tuple[Value, ...]] = {}
    for name, said in read_toml(path).items():
        where = f"{path}: {name}"
        if name in FIXED:
            raise UsageError(f"{where}: an option to search over needed, got one that is the same in all trials")
        if name not in known:
            raise UsageError(f"{path}: {unknown_key(name, name, known)}")
        space[name] = _choices(said, _is_whole(config, name), where)
    if not space:
        raise UsageError(f"{path}: an option to search over needed, got none")
    _need_fit(space, config, path)
    return space


def suggest(trial: Trial, space: Space, config: TrainConfig) -> dict[str, Value]:
    """Choose a value of each option; a trial that has chosen before keeps its choice."""
    chosen: dict[str, Value] = {}
    for name, given in space.items():
        if isinstance(given, tuple):
            value: Any = trial.suggest_categorical(name, given)
            chosen[name] = value
        elif _is_whole(config, name):
            step = 1 if given.step is None else int(given.step)
            chosen[name] = trial.suggest_int(name, int(given.low), int(given.high), step=step, log=given.log)
        else:
            chosen[name] = trial.suggest_float(name, given.low, given.high, step=given.step, log=given.log)
    return chosen


def plain(space: Space) -> dict[str, Any]:
    """Give the space for JSON."""
    return {
        name: list(given) if isinstance(given, tuple) else given.model_dump(exclude_none=True)
        for name, given in space.items()
    }


def _choices(said: Any, whole: bool, where: str) -> Range | tuple[Value, ...]:
    """Read the range or the values of one option."""
    if isinstance(said, list) and said and all(isinstance(value, str | int | float | bool) for value in said):
        return tuple(said)
    if not isinstance(said, dict):
        raise UsageError(f"{where}: a list of values, or {{low = ..., high = ...}}, needed, got another form")
    for key in said:
        if key not in Range.model_fields:
            raise UsageError(f"{where}: {unknown_key(key, key, list(Range.model_fields))}")
    try:
        given = Range.load(None, **said)
    except UsageError as error:
        raise UsageError(f"{where}: {_bare(error)}") from None
    if whole and any(number is not None and number != int(number) for number in (given.low, given.high, given.step)):
        raise UsageError(f"{where}: whole numbers needed, got {given.low:g} to {given.high:g}")
    return given


def _need_fit(space: Space, config: TrainConfig, path: Path) -> None:
    """Refuse a value that the config does not take, beside the first value of each other option."""
    ends: dict[str, tuple[Value, ...]] = {}
    for name, given in space.items():
        if isinstance(given, tuple):
            ends[name] = given
        else:
            ends[name] = tuple(int(end) if _is_whole(config, name) else end for end in (given.low, given.high))
    first = {name: values[0] for name, values in ends.items()}
    for name, values in ends.items():
        for value in values:
            try:
                type(config).load(None, **config.model_dump(exclude_unset=True) | first | {name: value})
            except UsageError as error:
                raise UsageError(f"{path}: {_bare(error)}") from None


def _bare(error: UsageError) -> str:
    """Take off what the error says of where it was."""
    return str(error).removeprefix("options: ").removeprefix("Value error, ")


def _is_whole(config: TrainConfig, name: str) -> bool:
    """Whether the option takes whole numbers alone."""
    annotation = type(config).model_fields[name].annotation
    kinds = get_args(annotation) if get_origin(annotation) in (Union, UnionType) else (annotation,)
    return int in kinds
