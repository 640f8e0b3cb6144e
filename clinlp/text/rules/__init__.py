"""The vocabularies behind sentences, sections and context: one data file a language, read lazily and checked.

A rule is a phrase in a TOML file, never code; `en.toml` explains the tables. A file of the user's own has
the same form.
"""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from clinlp.note import Lang
    from clinlp.text.rules.schema import Rules

Effect = Literal["negated", "uncertain", "historical", "hypothetical", "family", "other"]
EFFECTS: tuple[Effect, ...] = ("negated", "uncertain", "historical", "hypothetical", "family", "other")


@cache
def load_rules(lang: Lang) -> Rules:
    """Read the rules of one language."""
    from clinlp.text.rules.schema import Rules  # imports pydantic

    return Rules.load(Path(__file__).with_name(f"{lang}.toml"))


@cache
def load_words(name: str) -> dict[str, frozenset[str]]:
    """Read a file of named word lists."""
    tables = tomllib.loads(Path(__file__).with_name(f"{name}.toml").read_text("utf-8"))
    return {key: frozenset(value) for key, value in tables.items()}
