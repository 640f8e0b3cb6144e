"""Rules of the user's own joined to those of the package, and errors that name the line."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from clinlp.errors import UsageError
from clinlp.text.rules import EFFECTS, expand
from clinlp.text.rules.schema import ContextRules, Cues, Rules

if TYPE_CHECKING:
    from pathlib import Path


def read_rules(path: Path, base: Rules | None = None) -> Rules:
    """Read a rule file, and join it to the rules that it extends.

    Raises:
        UsageError: The file is missing or broken; says where.
    """
    return parse_rules(read_text(path), str(path), base)


def read_text(path: Path) -> str:
    """What a rule file says.

    Raises:
        UsageError: It is missing or no text.
    """
    try:
        return path.read_text("utf-8")
    except FileNotFoundError:
        raise UsageError(f"{path}: rule file needed, got none") from None
    except OSError as error:  # a folder, or a file that may not be read
        raise UsageError(f"{path}: readable rule file needed, got {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: UTF-8 needed, got {error.reason}") from None


def parse_rules(text: str, where: str, base: Rules | None = None) -> Rules:
    """Read rules from what their file says.

    Args:
        where: What errors call it.

    Raises:
        UsageError: They are broken; says where.
    """
    try:
        rules = Rules.model_validate(tomllib.loads(text))
        return merge(base, rules) if base is not None and rules.extends else rules
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{where}: TOML needed, got {error}") from None
    except ValidationError as error:
        message = Rules._explain(error)  # noqa: SLF001  one form of words for every config
    line = _line(text, message)
    raise UsageError(f"{where}{f':{line}' if line else ''}: {message}")


def merge(base: Rules, own: Rules) -> Rules:
    """Join rules: a phrase or heading of one's own loses what it did before, and does what one says.

    Raises:
        ValidationError: Together they contradict.
    """
    choices = {**base.choices, **own.choices}
    replaced = {each for phrase in own.drop for each in expand(phrase, choices)}
    replaced |= {each for phrase in _phrases(own.context) for each in expand(phrase, choices)}
    context = _join(base.context, own.context, replaced, base.choices)
    for effect in EFFECTS:
        context[effect] = _join(base.context.cues(effect), own.context.cues(effect), replaced, base.choices)
        context[effect]["sections"] = (
            *(name for name in base.context.cues(effect).sections if name not in own.drop),
            *own.context.cues(effect).sections,
        )
    gone = {_plain(heading) for heading in (*own.drop, *(each for given in own.sections.values() for each in given))}
    sections = {
        name: (
            *(heading for heading in base.sections.get(name, ()) if _plain(heading) not in gone),
            *own.sections.get(name, ()),
        )
        for name in {**base.sections, **own.sections}
    }
    return Rules.model_validate(
        {
            "section_names": tuple(dict.fromkeys((*base.section_names, *own.section_names))),
            "choices": choices,
            "context": context,
            "sections": sections,
        }
    )


def _join(
    base: ContextRules | Cues, own: ContextRules | Cues, replaced: set[str], choices: Mapping[str, tuple[str, ...]]
) -> dict[str, Any]:
    """Join the lists of phrases of two tables; phrases with choices are written out where one of them goes."""
    joined: dict[str, Any] = {}
    for key, phrases in base:
        if key in EFFECTS or key == "sections":
            continue
        kept: list[str] = []
        for phrase in phrases:
            made = list(expand(phrase, choices))
            left = [each for each in made if each not in replaced]
            kept += [phrase] if len(left) == len(made) else left
        joined[key] = tuple(dict.fromkeys((*kept, *getattr(own, key))))
    return joined


def _phrases(rules: ContextRules) -> Iterable[str]:
    tables: list[ContextRules | Cues] = [rules, *(rules.cues(effect) for effect in EFFECTS)]
    for table in tables:
        for key, phrases in table:
            if key not in EFFECTS and key != "sections":
                yield from phrases


def _plain(heading: str) -> str:
    return "".join(heading.lower().split())


def _line(text: str, message: str) -> int | None:
    """The line of a file that an error speaks of: that of the word it quotes, or else of the key it names."""
    lines = text.splitlines()
    quoted = [word for word in re.findall(r"'([^']+)'|\"([^\"]+)\"", message) for word in word if word]
    for word in quoted:
        at = [number for number, line in enumerate(lines, 1) if f'"{word}"' in line or f"'{word}'" in line]
        if at:
            return at[-1]
    named = re.match(r"(?:unknown key ')?([\w.]+)", message)
    *parents, key = (named[1] if named else "").split(".")
    table = ""
    for number, line in enumerate(lines, 1):
        if header := re.match(r"\s*\[+\s*([^\]]+?)\s*\]", line):
            table = header[1]
            if table == ".".join((*parents, key)):
                return number
        elif re.match(rf"\s*[\"']?{re.escape(key)}[\"']?\s*=", line) and table == ".".join(parents):
            return number
    return None
