"""Surrogates of people's names: token by token, so that every form of a name agrees with every other.

"John Smith", "SMITH, JOHN", "J. Smith" and "Mr. Smith" are never brought together: "john" and "smith"
each become one other name, whose first letter is what the initial becomes too. A nickname that is short for one
name alone becomes what that name does ("Bill" as "William"); one for several ("Alex") stays apart.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache, lru_cache

from clinlp.deid.surrogates.draw import Draw, folded, like, pool
from clinlp.deid.surrogates.names_zh import write_han
from clinlp.deid.surrogates.numbers import scramble
from clinlp.deid.words import listed

_HAN = "\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff〇"


@cache
def _parts() -> re.Pattern[str]:
    return re.compile(
        rf"(?P<han>[{_HAN}](?:[ \t\n·•・‧．.]{{0,2}}[{_HAN}]|[XxＸｘ×✕*＊○●]|[·•・‧][A-Za-z]?)*)"
        r"|(?P<word>[A-Za-z\u00c0-\u024f\u1e00-\u1eff0-9Ａ-Ｚａ-ｚ]+(?:['’`][A-Za-z\u00c0-\u024f\u1e00-\u1eff]+)*)"
        r"|(?P<other>[^\W_])"
    )


def write_name(words: str, draw: Draw) -> str | None:
    """Give another name in the same form; none where the words have no name that can be read."""
    found = list(_parts().finditer(words))
    latin = [match["word"] for match in found if match["word"]]
    initials = {word for word in latin if word.isupper() and len(word) <= 3 and kind_of(_core(word)) is None}
    if words.isupper() and len(initials) < len(set(latin)):
        initials = set()  # among capitals alone, a short word is a name
    pieces: list[str] = []
    at = named = 0
    for match in found:
        if match["other"]:
            return None
        pieces.append(words[at : match.start()])
        at = match.end()
        if match["han"]:
            new = write_han(match[0], draw)
            named += new is not None
        else:
            is_kept = _is_kept(match[0], words[at : at + 1], is_alone=len(latin) == 1, is_later=bool(match.start()))
            new = None if is_kept else _initials(match[0], draw) if match[0] in initials else write_word(match[0], draw)
            named += not is_kept
        pieces.append(match[0] if new is None else new)
    return "".join(pieces) + words[at:] if named else None


def _is_kept(word: str, following: str, *, is_alone: bool, is_later: bool) -> bool:
    """Say whether a word is a title or a particle, and no part of the name."""
    low = word.lower()
    if low in folded("titles") or (is_later and word in pool("late_titles")):
        return True
    return not is_alone and low in folded("particles") and len(word) > 1 and (word.islower() or following == " ")


def write_word(word: str, draw: Draw) -> str:
    """Give another name, or initial, for one Latin word of a name; its case and length class stay."""
    ending = word[-2:] if len(word) > 3 and word[-2:].lower() in ("'s", "’s") else ""
    body = word[: len(word) - len(ending)]
    core = _formal().get(core := _core(body), core)
    if not core or body.isdecimal():
        return scramble(body, draw)
    if len(core) == 1:
        return _initials(body, draw) + ending
    first = draw.letter(core[0].upper())
    kind = kind_of(core) or "surname"
    if kind == "pinyin":
        parts = _syllables(core)
        drawn = [draw.pick(_syllable_pool(first), "syllable", parts[0])]
        drawn += [draw.pick(_syllable_pool(draw.letter(part[0].upper())), "syllable", part) for part in parts[1:]]
        return like(body, drawn[0] + "".join(drawn[1:]).lower()) + ending
    return like(body, draw.pick(_pool(kind, first, min(len(core), 9) // 2), "name", core)) + ending


@cache
def _formal() -> dict[str, str]:
    """Nickname -> the name that it is short for."""
    groups = (item.split() for item in pool("nicknames"))
    return {nick: name for name, *nicks in groups for nick in nicks}


def _initials(word: str, draw: Draw) -> str:
    """Replace letter by letter."""
    letters = []
    for one in word:
        base = _core(one).upper()
        letters.append(like(one, draw.letter(base)) if base else one)
    return "".join(letters)


@lru_cache(maxsize=65536)
def _core(word: str) -> str:
    """Give the small letters of a word, without accents: what "José", "JOSE" and "O'Brien", "OBrien" share."""
    if word.isascii() and word.isalpha():
        return word.lower()
    flat = unicodedata.normalize("NFKD", word).casefold().replace("ß", "ss").replace("0", "o").replace("1", "l")
    flat = flat.replace("ø", "o").replace("ł", "l").replace("đ", "d").replace("æ", "ae").replace("ð", "d")
    return "".join(one for one in flat if "a" <= one <= "z")


@lru_cache(maxsize=65536)
def kind_of(core: str) -> str | None:
    """Say what a name is by itself, never by its place: that would part "Smith, John" from "John Smith"."""
    female, male, surnames, romanized = _listed()
    parts = _syllables(core)
    if core in romanized:
        kind = "pinyin"
    elif core in female:
        kind = "neutral" if core in male else "female"
    elif core in male:
        kind = "male_surname" if core in surnames else "male"
    elif core in surnames:
        kind = "surname"
    elif parts and all(part.capitalize() in pool("syllables") for part in parts):
        kind = "pinyin"
    elif core in listed("en_first_names"):
        kind = "female" if core.endswith("a") and core not in listed("en_surnames") else "neutral"
    elif core in listed("en_surnames"):
        kind = "surname"
    else:
        return "pinyin" if parts else None
    return kind


@cache
def _listed() -> tuple[frozenset[str], frozenset[str], frozenset[str], frozenset[str]]:
    """Give Faker's first names of women and of men, its surnames and its Chinese surnames in Latin letters."""
    from faker.providers.person.en_US import Provider
    from faker.providers.person.zh_CN import Provider as Chinese

    sets = (Provider.first_names_female, Provider.first_names_male, Provider.last_names, Chinese.last_romanized_names)
    female, male, surnames, romanized = (frozenset(name.lower() for name in names) for names in sets)
    return female, male, surnames, romanized - female - male


@cache
def _pool(kind: str, letter: str, length: int) -> tuple[str, ...]:
    """Give the names of a kind with a first letter, those of like length where there are enough."""
    names = [name for name in _names()[kind] if name[0] == letter]
    if not names:
        return _pool("male" if kind == "male_surname" else "surname", letter, length)
    near = tuple(name for name in names if abs(min(len(name), 9) // 2 - length) <= 1)
    return near if len(near) >= 4 else tuple(names)


@cache
def _names() -> dict[str, list[str]]:
    """Give Faker's names by kind; `male_surname` holds those that are both, `neutral` those for anybody."""
    from faker.providers.person.en_US import Provider

    female, male = set(Provider.first_names_female), set(Provider.first_names_male)
    surnames = set(Provider.last_names)
    kinds = {
        "female": female - male,
        "male": male - female,
        "surname": surnames,
        "male_surname": (male - female) & surnames,
        "neutral": set(pool("neutral_names")) | (female & male) | ((female | male) & surnames),
    }
    return {kind: sorted(_cased(name) for name in names if name.isalpha()) for kind, names in kinds.items()}


def _cased(name: str) -> str:
    return f"Mc{name[2:].capitalize()}" if name.startswith("Mc") and len(name) > 4 else name


@cache
def _syllable_pool(letter: str) -> tuple[str, ...]:
    return tuple(name for name in pool("syllables") if name[0] == letter)


@cache
def _syllable() -> re.Pattern[str]:
    final = (
        "(?:iang|iong|uang|ang|eng|ing|ong|ian|iao|uai|uan|ai|ei|ao|ou|an|en|in|un|ia|ie|iu|ua|ui|uo|ue|a|o|e|i|u|v)"
    )
    one = f"(?:(?:zh|ch|sh|[bpmfdtnlgkhjqxrzcsyw]){final}|ang|ai|ao|an|en|er|ou)"
    return re.compile(f"({one})({one})?")


def _syllables(core: str) -> list[str]:
    """Cut one or two syllables of pinyin; empty where the word is none."""
    match = _syllable().fullmatch(core)
    return [part for part in match.groups() if part] if match else []
