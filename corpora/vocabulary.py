"""Everything that the generator knows of a language, read from `corpora/data/LANG/`."""

from __future__ import annotations

import random
import re
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any
from zlib import crc32

DATA = Path(__file__).parent / "data"
MIN_TO_HOLD_OUT = 6


def is_held_out(line: str) -> bool:
    """Say whether a line is kept for dev and test sets: about one in six, by its own checksum."""
    return crc32(line.encode()) % 6 == 0


class Pool:
    """Alternatives, some of which are held out from training sets."""

    def __init__(self, items: Iterable[str], *, keep_first: bool = False) -> None:
        self.items = tuple(items)
        held = tuple(item for i, item in enumerate(self.items) if is_held_out(item) and not (keep_first and i == 0))
        if not keep_first and len(self.items) < MIN_TO_HOLD_OUT:
            held = ()
        self.held = held if len(held) < len(self.items) else ()
        kept = set(self.held)
        self.open = tuple(item for item in self.items if item not in kept)

    def of(self, part: str, rng: random.Random) -> tuple[str, ...]:
        """The alternatives that a draw for this part may take."""
        if part == "train":
            return self.open
        return self.held if self.held and rng.random() < 0.5 else self.items


@dataclass(frozen=True, slots=True)
class Entry:
    """A symptom, test, drug, procedure or site: its names and its other columns."""

    names: Pool
    columns: tuple[tuple[str, ...], ...] = ()

    @property
    def name(self) -> str:
        """The usual name."""
        return self.names.items[0]

    def column(self, number: int) -> tuple[str, ...]:
        """The alternatives in a column after the names, none if the file leaves it out."""
        return self.columns[number] if number < len(self.columns) else ()


@dataclass(frozen=True, slots=True)
class Disease:
    """One line of `diseases.psv`: a disease and its scenario."""

    code: str
    names: Pool
    keys: dict[str, tuple[str, ...]]
    options: dict[str, str]

    def pairs(self, key: str) -> list[tuple[str, str]]:
        """The `NAME=result` values of a key."""
        return [
            (name.strip(), result.strip()) for name, _, result in (v.partition("=") for v in self.keys.get(key, ()))
        ]


@dataclass(frozen=True, slots=True)
class Section:
    """One line of a template: what fills one section."""

    label: str
    parts: tuple[tuple[str, str, int, int], ...]  # (what to walk through or "", bank, least, most)
    layout: str


@dataclass(frozen=True, slots=True)
class Template:
    """A note's sections, in order."""

    name: str
    note_type: str
    needs: tuple[str, ...]
    sections: tuple[Section, ...]


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """All data of one language."""

    lang: str
    diseases: tuple[Disease, ...]
    entries: dict[str, tuple[Entry, ...]]  # symptoms, tests, drugs, procedures, anatomy
    named: dict[str, dict[str, Entry]]  # the same by every name, lower case
    codes: dict[str, str]  # the code of every name that only one disease has
    banks: dict[str, Pool]
    words: dict[str, tuple[str, str]]
    headings: dict[str, Pool]
    templates: tuple[Template, ...]
    style: dict[str, Any] = field(default_factory=dict)

    def find(self, kind: str, name: str) -> Entry:
        """The entry with this name, or one that has only this name."""
        return self.named[kind].get(name.lower()) or Entry(Pool([name]))


def _lines(path: Path) -> Iterator[str]:
    if path.exists():
        for line in path.read_text("utf-8").splitlines():
            if line.strip() and not line.startswith("#"):
                yield line.strip()


def _rows(path: Path) -> Iterator[list[str]]:
    for line in _lines(path):
        yield [column.strip() for column in re.split(r"\s*\|\s*", line)]


def _values(column: str) -> tuple[str, ...]:
    return tuple(value for value in re.split(r"\s*[;;]\s*", column.strip()) if value)


def _disease(row: list[str]) -> Disease:
    keys: dict[str, tuple[str, ...]] = {}
    options: dict[str, str] = {}
    for column in row[2:]:
        key, _, values = column.partition(":")
        if key.strip() == "o":
            options = {k: v for k, _, v in (option.partition("=") for option in values.split())}
        elif values.strip():
            keys[key.strip()] = _values(values)
    return Disease(row[0], Pool(_values(row[1]), keep_first=True), keys, options)


def _banks(folder: Path) -> dict[str, Pool]:
    lines: dict[str, list[str]] = {}
    for path in sorted([*folder.glob("banks*.txt"), *folder.glob("phi*.txt")]):
        bank: list[str] = []
        for line in _lines(path):
            if re.fullmatch(r"\[[a-z_0-9]+\]", line):
                if line[1:-1] in lines:
                    raise ValueError(f"{path}: bank {line} needs one place, got a second")
                bank = lines[line[1:-1]] = []
                continue
            times = re.match(r"(\d)\*\s*", line)
            text = (line[times.end() :] if times else line).replace("\\n", "\n").replace("\\s", " ")
            bank.extend([text] * (int(times[1]) if times else 1))
    return {name: Pool(items) for name, items in lines.items()}


def _part(text: str) -> tuple[str, str, int, int]:
    match = re.fullmatch(r"(?:each (?P<each>\w+) )?@(?P<bank>\w+)(?: (?P<low>\d+)(?:-(?P<high>\d+))?)?", text.strip())
    if match is None:
        raise ValueError(f"template part needs '@bank 1-3' or 'each drug @bank', got {text!r}")
    low = int(match["low"] or 1)
    return match["each"] or "", match["bank"], low, int(match["high"] or low)


def _templates(path: Path) -> tuple[Template, ...]:
    heads: list[tuple[list[str], list[Section]]] = []
    for line in _lines(path):
        if line.startswith("["):
            heads.append(([column.strip() for column in line.strip("[]").split("|")], []))
            continue
        label, _, body = line.partition(":")
        layout = re.search(r"\s/(\w+)$", body)
        parts = (body[: layout.start()] if layout else body).split(";")
        section = Section(label.strip(), tuple(_part(p) for p in parts if p.strip()), layout[1] if layout else "")
        heads[-1][1].append(section)
    return tuple(
        Template(head[0], head[1], tuple(head[2].split()) if len(head) > 2 else (), tuple(sections))
        for head, sections in heads
    )


@cache
def load_vocabulary(lang: str) -> Vocabulary:
    """Read the data of one language; kept for the next call."""
    folder = DATA / lang
    entries: dict[str, tuple[Entry, ...]] = {}
    named: dict[str, dict[str, Entry]] = {}
    for kind in ("symptoms", "tests", "drugs", "procedures", "anatomy"):
        entries[kind] = tuple(
            Entry(Pool(_values(row[0]), keep_first=True), tuple(_values(column) for column in row[1:]))
            for row in _rows(folder / f"{kind}.psv")
        )
        named[kind] = {name.lower(): entry for entry in reversed(entries[kind]) for name in entry.names.items}
    diseases = tuple(_disease(row) for path in sorted(folder.glob("diseases*.psv")) for row in _rows(path))
    codes: dict[str, set[str]] = {}
    for disease in diseases:
        for name in disease.names.items:
            codes.setdefault(name, set()).add(disease.code)
    style_path = folder / "style.toml"
    return Vocabulary(
        lang=lang,
        diseases=diseases,
        entries=entries,
        named=named,
        codes={name: next(iter(found)) for name, found in codes.items() if len(found) == 1},
        banks=_banks(folder),
        words={row[0]: (row[1], row[2]) for row in _rows(folder / "words.psv")},
        headings={row[0]: Pool(_values(row[1])) for row in _rows(folder / "headings.psv")},
        templates=_templates(folder / "templates.txt"),
        style=tomllib.loads(style_path.read_text("utf-8")) if style_path.exists() else {},
    )
