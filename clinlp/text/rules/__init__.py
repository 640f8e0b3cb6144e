"""The vocabularies behind sentences, sections and context, read from data files and checked.

One TOML file per language; a rule is a phrase in a file, never code.
"""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files


@cache
def load_words(name: str) -> dict[str, frozenset[str]]:
    """Read a file of named word lists."""
    tables = tomllib.loads(files(__name__).joinpath(f"{name}.toml").read_text("utf-8"))
    return {key: frozenset(value) for key, value in tables.items()}
