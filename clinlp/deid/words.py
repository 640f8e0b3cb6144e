"""The rules' vocabularies: read once, from the data files beside this module."""

from __future__ import annotations

import gzip
import tomllib
from collections.abc import Iterable
from functools import cache
from importlib import resources
from typing import Any

from clinlp.note import Lang


@cache
def _vocabulary(lang: Lang) -> dict[str, Any]:
    return tomllib.loads(_read(f"{lang}.toml").decode("utf-8"))


@cache
def words(lang: Lang, key: str) -> tuple[str, ...]:
    """Give one list of `data/LANG.toml`, in the order of the file; a `;` allows blanks inside an item."""
    text: str = _vocabulary(lang)[key]
    items = text.split(";") if ";" in text else text.split()
    return tuple(dict.fromkeys(" ".join(item.split()) for item in items if item.strip()))


@cache
def word_set(lang: Lang, key: str) -> frozenset[str]:
    """Give one list of `data/LANG.toml` as a set."""
    return frozenset(words(lang, key))


@cache
def listed(name: str) -> frozenset[str]:
    """Give the lines of a packed list, `data/NAME.txt` or `data/NAME.txt.gz`."""
    folder = resources.files("clinlp.deid") / "data"
    data = _read(f"{name}.txt") if (folder / f"{name}.txt").is_file() else gzip.decompress(_read(f"{name}.txt.gz"))
    return frozenset(line.strip() for line in data.decode("utf-8").splitlines() if line.strip())


def _read(name: str) -> bytes:
    return (resources.files("clinlp.deid") / "data" / name).read_bytes()


def any_of(items: Iterable[str], *, guard: str = "") -> str:
    """Write items, themselves expressions, as one whose alternatives differ in their first character.

    A search then skips by a set of first characters, and each hit tries few alternatives. Longer
    items are tried first. `guard` stands after the first character, for a look back.
    """
    heads: dict[str, list[str]] = {}
    for item in items:
        heads.setdefault(item[0], []).append(item[1:])
    branches = (
        f"{head}{guard}(?:{'|'.join(sorted(tails, key=lambda tail: (-len(tail), tail)))})"
        for head, tails in sorted(heads.items())
    )
    return f"(?:{'|'.join(branches)})"
