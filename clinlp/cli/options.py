"""Flags made from a config's fields, so that names, kinds, limits and help are written once."""

from __future__ import annotations

import inspect
import math
import types
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar, Union, get_args, get_origin

import typer
from pydantic import BaseModel, Field
from pydantic.fields import FieldInfo

from clinlp.config import Config

if TYPE_CHECKING:
    from clinlp.metrics.intervals import Interval, Sampling

C = TypeVar("C", bound=Config)
_KINDS = (int, float, bool, str, Path)
_REST = "More options"

Device = Annotated[str | None, typer.Option(help="`cpu`, `cuda`, `cuda:1` ...; else a GPU if there is one.")]
JsonFile = Annotated[Path | None, typer.Option("--json", metavar="FILE", help="Write all numbers here.")]
Threshold = Annotated[
    float | None, typer.Option(help="Probability from which a code counts; else the model's own, or 0.5.")
]
By = Annotated[str | None, typer.Option(metavar="FIELD", help="Score groups apart, by a field such as sex, or lang.")]
Train = Annotated[
    Path | None, typer.Option(metavar="NOTES", help="Score frequent and rare codes apart, as counted in these.")
]


class SamplingOptions(Config):
    """How sure scores are: what is drawn for their intervals, and how often."""

    level: float = Field(default=0.95, gt=0.5, lt=1.0, description="how sure the intervals are")
    resamples: int = Field(default=2000, ge=100, le=100_000, description="draws of the bootstrap")
    unit: Literal["patients", "notes"] = Field(
        default="patients", description="what is drawn; a note without patient_id stands alone"
    )
    seed: int = Field(default=0, ge=0, description="of the draws")

    @property
    def sampling(self) -> Sampling:
        """The same for the metrics."""
        from clinlp.metrics.intervals import Sampling

        return Sampling(self.level, self.resamples, self.seed, self.unit)


def percent_range(share: Interval) -> str:
    """Write an interval in percent; a dash where there is nothing to count."""
    return "–" if math.isnan(share.low) else f"{100 * share.low:.1f}–{100 * share.high:.1f}"


def takes(
    config: type[C],
    panels: Mapping[type[Config], str],
    *,
    names: Mapping[str, str] | None = None,
    hidden: Collection[str] = (),
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Turn the `config` parameter of a command into one flag a field, and `--config FILE`.

    Defaults, then the file, then the flags: a flag that was not given has no say.

    Args:
        panels: Help panel of the fields that a class declares.
        names: Flags of fields whose flag is not the field's name.
        hidden: Fields without a flag, left to the config file.
    """
    order = [*panels.values(), _REST]
    shown = [name for name in config.model_fields if name not in hidden]
    shown.sort(key=lambda name: order.index(_panel(config, name, panels)))
    fields = {name: config.model_fields[name] for name in shown}
    flags = [
        _flag(name, field, _panel(config, name, panels), (names or {}).get(name)) for name, field in fields.items()
    ]
    file = inspect.Parameter(
        "config_file",
        inspect.Parameter.KEYWORD_ONLY,
        default=None,
        annotation=Annotated[
            Path | None, typer.Option("--config", metavar="FILE", help="TOML file with options; flags win over it.")
        ],
    )

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        own = [each for each in inspect.signature(command, eval_str=True).parameters.values() if each.name != "config"]

        def run(**given: Any) -> None:
            options = {name: given.pop(name) for name in fields}
            path = given.pop("config_file")
            filled = config.load(path, **{name: value for name, value in options.items() if value not in (None, [])})
            command(config=filled, **dict(given))

        parameters = [each.replace(kind=inspect.Parameter.KEYWORD_ONLY) for each in own]
        signature = inspect.Signature([*parameters, *flags, file])
        for name in ("__name__", "__doc__", "__module__"):
            setattr(run, name, getattr(command, name))
        made: Any = run  # Typer reads the signature and the annotations
        made.__signature__ = signature
        made.__annotations__ = {name: each.annotation for name, each in signature.parameters.items()}
        return run

    return decorate


def _flag(name: str, field: FieldInfo, panel: str, flag: str | None) -> inspect.Parameter:
    """Make the parameter from which Typer makes the flag."""
    kind, many = _kind(field.annotation)
    flag = flag or "--" + name.replace("_", "-")
    if kind is bool:
        flag += "/--no-" + flag.removeprefix("--")
    option = typer.Option(*flag.split(" "), help=_help(field, many=many), rich_help_panel=panel, show_default=False)
    held: Any = types.GenericAlias(list, (kind,)) if many else kind
    return inspect.Parameter(
        name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Annotated[held | None, option]
    )


def _kind(annotation: Any) -> tuple[Any, bool]:
    """The kind of one value, and whether there may be many: `int | None` is int, `tuple[str, ...]` many str."""
    if get_origin(annotation) in (Union, types.UnionType):
        [annotation] = [each for each in get_args(annotation) if each is not type(None)]
    if get_origin(annotation) is tuple:
        return _kind(get_args(annotation)[0])[0], True
    if annotation in _KINDS or get_origin(annotation) is Literal:
        return annotation, False
    raise TypeError(f"config: a field of a simple kind needed for a flag, got {annotation}")


def _help(field: FieldInfo, *, many: bool) -> str:
    """The field's description and its default."""
    said = field.description or ""
    said = said[:1].upper() + (said[1:] if said.endswith("...") else said[1:].removesuffix("."))
    facts = ["may be given several times"] if many else []
    if field.is_required():
        facts.append("needed, here or in the config file")
    elif field.default not in (None, ()):
        default = {True: "yes", False: "no"}.get(field.default) if isinstance(field.default, bool) else field.default
        facts.append(f"default {default}")
    return ". ".join(part for part in (said, f"({'; '.join(facts)})" if facts else "") if part)


def _panel(config: type[BaseModel], name: str, panels: Mapping[type[Config], str]) -> str:
    """The panel of the class that first declared the field."""
    declared = [kind for kind in config.__mro__ if name in inspect.get_annotations(kind)]
    return next((panels[kind] for kind in reversed(declared) if kind in panels), _REST)
