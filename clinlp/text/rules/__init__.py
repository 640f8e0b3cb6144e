"""The vocabularies behind sentences, sections and context: one data file a language, read lazily and checked.

A rule is a phrase in a TOML file, never code; `en.toml` explains the tables. A file of the user's own has
the same form and adds to them: what it says of a phrase takes the place of what was said before.
"""

from __future__ import annotations

import re
import tomllib
from functools import cache
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from clinlp.note import Lang
    from clinlp.text.rules.schema import Rules

Effect = Literal["negated", "uncertain", "historical", "hypothetical", "family", "other"]
EFFECTS: tuple[Effect, ...] = ("negated", "uncertain", "historical", "hypothetical", "family", "other")
MASK = "\0"
"""Stands for each character of an entity, so that no cue is found inside one."""

CHOICE = re.compile(r"\{([^{}]*)\}")
"""A name in a phrase that stands for each of several words."""


def load_rules(lang: Lang, path: Path | None = None) -> Rules:
    """Read the rules of one language, with those of a file of the user's own.

    Raises:
        UsageError: The file is missing or broken; says which, and in which line.
    """
    if path is None:
        return _own_rules(lang)
    from clinlp.text.rules.merge import read_rules

    return read_rules(path, _own_rules(lang))


@cache
def _own_rules(lang: Lang) -> Rules:
    """Those that come with the package."""
    from clinlp.text.rules.merge import read_rules  # imports pydantic

    return read_rules(Path(__file__).with_name(f"{lang}.toml"))


@cache
def load_words(name: str) -> dict[str, frozenset[str]]:
    """Read a file of named word lists."""
    tables = tomllib.loads(Path(__file__).with_name(f"{name}.toml").read_text("utf-8"))
    return {key: frozenset(value) for key, value in tables.items()}


def expand(phrase: str, choices: Mapping[str, tuple[str, ...]]) -> Iterator[str]:
    """Give the phrases that one with choices stands for, in small letters; `{}` becomes the edge of an entity.

    >>> list(expand("Not {seen}", {"seen": ("seen", "noted")}))
    ['not seen', 'not noted']
    """
    parts = CHOICE.split(phrase.lower())
    if len(parts) == 1:
        yield parts[0]
        return
    words = [(part,) if at % 2 == 0 else choices[part] if part else (MASK,) for at, part in enumerate(parts)]
    for made in product(*words):
        yield "".join(made).lower()
