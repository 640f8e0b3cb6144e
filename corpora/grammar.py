"""The little language of the banks: text, `<choices|between>`, `{SLOT:arg.form!flag}` and `{@bank}`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

_SLOT = re.compile(
    r"(?P<name>[A-Za-z_][A-Za-z_0-9]*)(?::(?P<arg>[^!=]*?))?(?:=(?P<literal>.*?))?(?P<flags>(?:!(?:neg|unc|hist|hyp|fam|oth))*)$",
    re.DOTALL,
)
FLAGS = {"neg": "negated", "unc": "uncertain", "hist": "historical", "hyp": "hypothetical"}
WHOSE = {"fam": "family", "oth": "other"}


@dataclass(frozen=True, slots=True)
class Slot:
    """A place to be filled: `{name:arg!flags}`, or `{name=literal!flags}` where the words are given."""

    name: str
    arg: str
    literal: tuple[Node, ...] | None
    flags: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Bank:
    """`{@name}`: any line of a bank."""

    name: str


@dataclass(frozen=True, slots=True)
class Choice:
    """`<a|b>`: one of the alternatives."""

    options: tuple[tuple[Node, ...], ...]


Node = str | Slot | Bank | Choice


@cache
def parse(line: str) -> tuple[Node, ...]:
    """The nodes of one line.

    Raises:
        ValueError: A brace is open, or a slot is not written as the format says.
    """
    nodes: list[Node] = []
    at = 0
    while at < len(line):
        if line[at] == "{":
            end = _close(line, at, "{", "}")
            if end is None:
                raise ValueError(f"{line}: closing brace needed, got none")
            nodes.append(_slot(line[at + 1 : end]))
            at = end + 1
            continue
        if line[at] == "<" and (end := _close(line, at, "<", ">")) is not None:
            options = _split(line[at + 1 : end])
            if len(options) > 1:
                nodes.append(Choice(tuple(parse(option) for option in options)))
                at = end + 1
                continue
        stop = min((p for p in (line.find("{", at + 1), line.find("<", at + 1)) if p > 0), default=len(line))
        nodes.append(line[at:stop])
        at = stop
    return tuple(nodes)


def _slot(body: str) -> Node:
    if body.startswith("@"):
        return Bank(body[1:])
    match = _SLOT.match(body)
    if match is None:
        raise ValueError(f"{{{body}}}: a slot needs a name, got something else")
    literal = match["literal"]
    flags = tuple(flag for flag in match["flags"].split("!") if flag)
    return Slot(match["name"], match["arg"] or "", None if literal is None else parse(literal), flags)


def _close(line: str, at: int, opening: str, closing: str) -> int | None:
    """Where the bracket that opens at `at` closes."""
    depth = 0
    for position in range(at, len(line)):
        depth += (line[position] == opening) - (line[position] == closing)
        if not depth:
            return position
    return None


def _split(body: str) -> list[str]:
    """The alternatives, split at bars that no inner bracket holds."""
    parts, depth, start = [], 0, 0
    for position, sign in enumerate(body):
        depth += (sign in "<{") - (sign in ">}")
        if sign == "|" and not depth:
            parts.append(body[start:position])
            start = position + 1
    return [*parts, body[start:]]
