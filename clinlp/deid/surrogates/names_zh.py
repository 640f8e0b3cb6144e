"""Surrogates of names in Chinese characters: one character for one, by its place in the name.

小李, 老李, 李医生 and 李某某 share the surname's surrogate with 李明; 明 becomes the same in 李明 and 小明.
"""

from __future__ import annotations

import re
from functools import cache

from clinlp.deid.surrogates.draw import Draw, characters, longest_first, pool
from clinlp.deid.words import listed

_HIDDEN = "某XxＸｘ×✕*＊○●"
_DOTS = "·•・‧．."


@cache
def _titles() -> tuple[re.Pattern[str], re.Pattern[str]]:
    return (
        re.compile(f"(?:{longest_first('titles_zh_before')})+"),
        re.compile(f"(?:{longest_first('titles_zh_after')})+$"),
    )


def write_han(words: str, draw: Draw) -> str | None:
    """Give another name of the same length and form; none where there are only titles."""
    places = [at for at, one in enumerate(words) if not one.isspace()]
    core = "".join(words[at] for at in places)
    start, end = _bounds(core)
    if start >= end:
        return None
    new = list(core)
    new[start:end] = _write_core(core[start:end], draw, is_titled=end < len(core))
    written = list(words)
    for at, one in zip(places, new, strict=True):
        written[at] = one
    return "".join(written)


def _bounds(core: str) -> tuple[int, int]:
    """Say where the name is between what stands before it (患者, 小) and after it (医生)."""
    before, after = _titles()
    start, end = 0, len(core)
    if (match := after.search(core)) and match.start():
        end = match.start()
    if (match := before.match(core, 0, end)) and match.end() < end:
        start = match.end()
    if end - start == 2 and core[start] in "小老阿大":
        start += 1
    return start, end


def _write_core(core: str, draw: Draw, *, is_titled: bool) -> str:
    if any(dot in core for dot in _DOTS):
        parts = re.split(f"([{re.escape(_DOTS)}])", core)
        return "".join(part if part in _DOTS else _foreign(part, draw) for part in parts if part)
    n_surname = _surname_length(core, is_titled=is_titled)
    if n_surname < 0:
        return _foreign(core, draw)
    return _surname(core[:n_surname], draw) + _given(core[n_surname:], draw)


def _surname_length(core: str, *, is_titled: bool) -> int:
    """Count the characters of the surname; -1 for a foreign name in Chinese characters."""
    names = listed("zh_surnames")
    is_hidden = any(one in _HIDDEN for one in core)
    if core[:2] in pool("surnames_zh_compound") or (len(core) > 2 and core[:2] in names):
        length = 2
    elif len(core) == 1:
        male, female = _gendered()
        length = int(is_titled or (core in names and core not in male and core not in female))
    elif core[0] in names and len(core) == 4 and core[1] in names and not is_hidden:
        length = 2  # 陈方安生: the husband's surname before one's own
    elif core[0] in names or is_hidden:
        length = 1 if len(core) <= 3 or is_hidden else -1
    else:
        length = {2: 0, 3: 1}.get(len(core), -1)
    return length


def _surname(words: str, draw: Draw) -> str:
    if words in pool("surnames_zh_compound"):
        return draw.pick(_surnames(2), "surname", words, but=words)
    return "".join(one if one in _HIDDEN else draw.pick(_surnames(1), "surname", one, but=one) for one in words)


def _given(words: str, draw: Draw) -> str:
    """Replace the given name's characters; a doubled one (丽丽) stays doubled."""
    seen: dict[str, str] = {}
    for one in words:
        if one in _HIDDEN or one in seen:
            continue
        seen[one] = draw.pick(_characters(_gender(one)), "given", one, but=one)
    return "".join(seen.get(one, one) for one in words)


def _foreign(words: str, draw: Draw) -> str:
    """Replace a name that renders a foreign one, by pieces of two to four characters."""
    if len(words) == 1:
        return _one_of_foreign(words, draw)
    name = "foreign_zh_west" if any(words.startswith(item[:2]) for item in pool("foreign_zh_west")) else "foreign_zh"
    sizes = [len(words)] if len(words) <= 4 else [2] * (len(words) // 2 - 1) + [2 + len(words) % 2]
    at, pieces = 0, []
    for size in sizes:
        choices = _of_length(name, size)
        pieces.append(draw.pick(choices, "foreign", words[at : at + size], but=words[at : at + size]))
        at += size
    return "".join(pieces)


def _one_of_foreign(one: str, draw: Draw) -> str:
    """Replace a single character or letter of a foreign name."""
    if one.isascii():
        letter = draw.letter(one.upper())
        return letter if one.isupper() else letter.lower()
    return draw.pick(("艾", "安", "伊", "卡", "马", "凯", "罗", "路"), "foreign", one, but=one)


@cache
def _of_length(name: str, size: int) -> tuple[str, ...]:
    return tuple(item for item in pool(name) if len(item) == size)


@cache
def _surnames(length: int) -> tuple[str, ...]:
    from faker.providers.person.zh_CN import Provider

    if length == 2:
        return pool("surnames_zh_compound")
    return tuple(sorted({name for name in Provider.last_names if len(name) == 1} & listed("zh_surnames")))


@cache
def _gendered() -> tuple[frozenset[str], frozenset[str]]:
    """Give the characters that only men's, and that only women's first names have."""
    from faker.providers.person.zh_CN import Provider

    male = set(characters("first_names_zh_male")) | set("".join(Provider.first_names_male))
    female = set(characters("first_names_zh_female")) | set("".join(Provider.first_names_female))
    neutral = set(characters("first_names_zh_neutral"))
    return frozenset(male - female - neutral), frozenset(female - male - neutral)


def _gender(one: str) -> str:
    male, female = _gendered()
    return "male" if one in male else "female" if one in female else "neutral"


@cache
def _characters(gender: str) -> tuple[str, ...]:
    male, female = _gendered()
    return tuple(sorted({"male": male, "female": female}[gender])) if gender != "neutral" else _neutral()


@cache
def _neutral() -> tuple[str, ...]:
    male, female = _gendered()
    return tuple(sorted(set(characters("first_names_zh_neutral")) - male - female))
