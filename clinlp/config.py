"""Configuration: defaults, then a TOML file, then the command line; unknown keys are an error."""

from __future__ import annotations

import difflib
import json
import tomllib
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any, Self, get_args

from pydantic import BaseModel, ConfigDict, ValidationError

from clinlp.errors import UsageError


class Config(BaseModel):
    """A frozen set of options that refuses what it does not know."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @classmethod
    def load(cls, path: Path | None = None, **given: Any) -> Self:
        """Merge defaults, a TOML file and the options that were given (None = not given).

        Raises:
            UsageError: The file is missing or broken, or a key or value is not known; names the
                nearest known key.
        """
        options = read_toml(path) if path is not None else {}
        options |= {key: value for key, value in given.items() if value is not None}
        try:
            return cls.model_validate(options)
        except ValidationError as error:
            where = str(path) if path is not None else "options"
            raise UsageError(f"{where}: {cls._explain(error)}") from None

    def to_toml(self, *, leave_out: Collection[str] = ()) -> str:
        """Give the options as a file that `load` reads; those that are None or nothing are left out."""
        options = self.model_dump(mode="json", exclude=set(leave_out), exclude_none=True)
        # a string of JSON is one of TOML, but for the one character that TOML alone wants escaped
        values = {name: json.dumps(value, ensure_ascii=False) for name, value in options.items() if value != []}
        return "".join(f"{name} = {value}\n" for name, value in values.items()).replace("\x7f", "\\u007f")

    @classmethod
    def _explain(cls, error: ValidationError) -> str:
        """Say in one line what the first problem is."""
        first = error.errors()[0]
        path = [str(part) for part in first["loc"]]  # empty where a check of the whole config failed
        where = ".".join(path)
        if first["type"] == "missing":
            return f"{where} needed, got none"
        if first["type"] != "extra_forbidden":
            message = str(first["msg"]).removeprefix("Value error, ")  # pydantic's word in front of ours
            return f"{where}: {message}" if where else message
        *parents, key = path
        return unknown_key(where, key, cls._known_keys(parents))

    @classmethod
    def _known_keys(cls, parents: Sequence[str]) -> list[str]:
        """List the keys of the config that the path of parents leads to."""
        model: type[BaseModel] = cls
        for parent in parents:
            inner = model.model_fields[parent].annotation if parent in model.model_fields else None
            kinds = (inner, *get_args(inner))  # a config, or a config or None
            model = next((kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)), model)
        return list(model.model_fields)


def read_toml(path: Path) -> dict[str, Any]:
    """Give what a TOML file holds.

    Raises:
        UsageError: The file is missing or broken.
    """
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        raise UsageError(f"{path}: config file needed, got none") from None
    except OSError as error:  # a folder, or a file that may not be read
        raise UsageError(f"{path}: readable config file needed, got {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: TOML needed, got {error}") from None


def unknown_key(where: str, key: str, known: Sequence[str]) -> str:
    """Say that a key is not known, and which known one is meant."""
    near = difflib.get_close_matches(key, known, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(known)}"
    return f"unknown key {where!r}; {hint}"
