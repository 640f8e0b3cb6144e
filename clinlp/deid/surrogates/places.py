"""Surrogates of English addresses, hospitals, departments and employers: their kind words stay, the names go.

A city is one surrogate wherever it is named: "Boston" in an address and in "Boston Children's Hospital".
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache

from clinlp.deid.surrogates.draw import Draw, folded, like, plain, pool
from clinlp.deid.surrogates.names import write_word
from clinlp.deid.surrogates.numbers import pour, scramble

_ZIP_PREFIXES = (
    "213",
    "269",
    "343",
    "345",
    "348",
    "353",
    "419",
    "428",
    "429",
    "517",
    "518",
    "519",
    "529",
    "533",
    "536",
)
"""First three digits that no post office of the US has."""
_COMPASS = ("NE", "NW", "SE", "SW")
_JOINING = frozenset(("of", "the", "de", "la", "los", "las", "del", "and", "&", "on", "upon", "by"))


@cache
def _patterns() -> tuple[re.Pattern[str], ...]:
    return (
        re.compile(r"([,;\n()/|]+)"),
        re.compile(r"[^\W\d_]+(?:['’.-][^\W\d_]+)*|\w*\d\w*(?:-\d+)?"),
        re.compile(r"([A-Za-z .]+?)[ ]+(\d{5}(?:-\d{4})?)"),
        re.compile(r"\d{5}(?:-\d{4})?"),
    )


def write_address(words: str, draw: Draw) -> str | None:
    """Give another address of the same form; states become states, countries countries."""
    parts = _patterns()[0].split(words)
    n_named = sum(bool(part.strip()) for part in parts[::2])
    pieces = [part if at % 2 else _segment(part, draw, n_named) for at, part in enumerate(parts)]
    new = "".join(pieces)
    return new if new != words else None


def write_organisation(words: str, draw: Draw, *, is_hospital: bool) -> str | None:
    """Give another hospital, employer or school of the same kind; one without a name of its own gets one."""
    tokens = list(_patterns()[1].finditer(words))
    if not tokens:
        return None
    if len(tokens) == 1 and words.isupper() and len(tokens[0][0]) <= 6 and words.lower() not in folded("place_words"):
        return "".join(draw.letter(one) if "A" <= one <= "Z" else one for one in words)
    new = _rewritten(words, tokens, draw, folded("place_words"), is_address=False)
    if new != words:
        return new
    city = like(words, _city(plain(words), draw))
    return f"{city} {like(words, draw.pick(pool('hospital_patterns'), 'kind', plain(words)))}" if is_hospital else city


def write_department(words: str, draw: Draw) -> str | None:
    """Give another department of the same kind; a ward or a clinic with a number changes the number alone."""
    if words.isupper() and words in pool("department_letters"):
        return draw.pick(
            [one for one in pool("department_letters") if len(one) == len(words)], "unit", words, but=words
        )
    if any(one.isdecimal() for one in words):
        tokens = list(_patterns()[1].finditer(words))
        return _rewritten(words, tokens, draw, folded("department_words"), is_address=False)
    value = plain(words)
    kind = value.rpartition(" ")[2]
    choices = [name for name in pool("departments") if " " in value and name.lower().endswith(f" {kind}")]
    if len(choices) < 2:
        choices = [name for name in pool("departments") if " " not in name or " " in value]
    return like(words, draw.pick(choices, "department", value))


def _segment(part: str, draw: Draw, n_named: int) -> str:
    """Replace what stands between two commas of an address."""
    words = part.strip()
    if not words:
        return part
    head, gap, code = words, "", ""
    if match := _patterns()[2].fullmatch(words):
        head, code = match[1], match[2]
        gap = words[len(head) : match.start(2)]
    new = _division(head, draw, is_short=bool(code) or n_named > 1)
    if new is None:
        town, blank, last = head.rpartition(" ")
        state = _division(last, draw, is_short=bool(town)) if len(last) == 2 and last not in _COMPASS else None
        head = town if state else head
        new = _rewritten(head, list(_patterns()[1].finditer(head)), draw, _address_words(), is_address=True)
        new += blank + state if state else ""
    return part.replace(words, new + gap + (_zip(code, draw) if code else ""), 1)


def _division(words: str, draw: Draw, *, is_short: bool) -> str | None:
    """Give another state, province or country, written as this one is: in full or by two letters."""
    value = plain(words)
    for kind, names in _divisions().items():
        if value in names:
            names_in_order = sorted(names)
            return _cased(words, draw.pick(names_in_order, kind, value, but=value).title())
    if not (is_short and words.isupper() and len(words) == 2):
        return None
    states = _states()
    if full := next((name for name, short in states.items() if short == words), None):
        return states[draw.pick(sorted(_divisions()["state"]), "state", full, but=full)]
    return None


def _cased(model: str, words: str) -> str:
    return like(model, re.sub(r"\b(And|Of|The)\b", lambda match: match[0].lower(), words))


@cache
def _states() -> dict[str, str]:
    """Give each state of the US with its two letters."""
    from faker.providers.address.en_US import Provider

    names = sorted(Provider.states)
    short = sorted(set(Provider.states_abbr) - {"DC"})
    firsts = {"Alaska": "AK", "Arizona": "AZ", "Connecticut": "CT", "Georgia": "GA", "Hawaii": "HI", "Iowa": "IA"}
    firsts |= {"Kansas": "KS", "Kentucky": "KY", "Louisiana": "LA", "Maine": "ME", "Maryland": "MD", "Minnesota": "MN"}
    firsts |= {"Mississippi": "MS", "Missouri": "MO", "Montana": "MT", "Nevada": "NV", "Pennsylvania": "PA"}
    firsts |= {"Tennessee": "TN", "Texas": "TX", "Vermont": "VT", "Virginia": "VA"}
    found = {}
    for name in names:
        initials = "".join(word[0] for word in name.split())
        found[name.lower()] = firsts.get(name) or (initials if len(initials) == 2 else name[:2].upper())
    return {name: letters for name, letters in found.items() if letters in short}


@cache
def _divisions() -> dict[str, frozenset[str]]:
    from faker.providers.address.en_CA import Provider as Canada
    from faker.providers.address.en_US import Provider

    countries = {name.lower() for name in Provider.countries if name.replace(" ", "").isalpha() and len(name) < 16}
    return {
        "state": frozenset(_states()),
        "province": frozenset(name.lower() for name in Canada.provinces),
        "country": frozenset(countries - set(_states())),
    }


@cache
def _address_words() -> frozenset[str]:
    return folded("address_words") | folded("street_words")


def _rewritten(
    words: str, tokens: Sequence[re.Match[str]], draw: Draw, kept: frozenset[str], *, is_address: bool
) -> str:
    """Keep kind words, scramble numbers, replace each run of other words."""
    pieces: list[str] = []
    at = i = 0
    while i < len(tokens):
        token = tokens[i]
        pieces.append(words[at : token.start()])
        if any(one.isdecimal() for one in token[0]):
            pieces.append(_number(token[0], draw, is_last=is_address and i == len(tokens) - 1))
            at, i = token.end(), i + 1
        elif _is_kind(token[0], kept) and not (is_address and _is_street_name(tokens, i)):
            pieces.append(token[0])
            at, i = token.end(), i + 1
        else:
            end = _run(words, tokens, i, kept)
            following = tokens[end][0].lower() if end < len(tokens) else ""
            before = tokens[i - 1][0].lower() if i else ""
            phrase = words[token.start() : tokens[end - 1].end()]
            is_street = is_address and following in folded("street_words")
            if is_address or words.isupper() or not phrase.isupper() or len(phrase) > 5:
                pieces.append(_phrase(phrase, before, draw, is_street=is_street, is_address=is_address))
            else:  # letters that stand for a name, as MGH does
                pieces.append("".join(draw.letter(one) if "A" <= one <= "Z" else one for one in phrase))
            at, i = tokens[end - 1].end(), end
    return "".join(pieces) + words[at:]


def _is_street_name(tokens: Sequence[re.Match[str]], at: int) -> bool:
    """Say whether a kind word is all the name that a street has, as in 27 North St."""
    if at + 1 == len(tokens) or tokens[at + 1][0].lower() not in folded("street_words"):
        return False
    return tokens[at][0].lower() not in folded("street_words") and (at == 0 or tokens[at - 1][0][-1:].isdecimal())


def _is_kind(word: str, kept: frozenset[str]) -> bool:
    low = word.lower().replace("’", "'")
    return low in kept or low.removesuffix("'s") in kept


def _run(words: str, tokens: Sequence[re.Match[str]], start: int, kept: frozenset[str]) -> int:
    """Give the token after a run of words that are no kind words; "of" and the like may stand inside it."""
    end = start + 1
    while end < len(tokens):
        word = tokens[end][0]
        gap = words[tokens[end - 1].end() : tokens[end].start()]
        if any(one.isdecimal() for one in word) or not gap.isspace():
            break
        joins = word.lower() in _JOINING and end + 1 < len(tokens) and not _is_kind(tokens[end + 1][0], kept)
        if _is_kind(word, kept) and not joins:
            break
        end += 1
    return end


def _phrase(phrase: str, before: str, draw: Draw, *, is_street: bool, is_address: bool) -> str:
    value = plain(phrase)
    if not is_address:
        if value in folded("religious_names"):
            return like(phrase, draw.pick(pool("religious_names"), "religious", value))
        if " " not in phrase and (before in ("st", "saint") or value in _surnames_folded()):
            return write_word(phrase, draw)
    if is_street:
        return like(phrase, draw.pick(_surnames(), "street", value))
    return like(phrase, _city(value, draw))


def _city(value: str, draw: Draw) -> str:
    """Make a town: one word for one, two for more."""
    from faker.providers.address.en_US import Provider

    number = draw.number("city", value)
    names, endings, heads = _surnames(), Provider.city_suffixes, Provider.city_prefixes
    number, at = divmod(number, len(names))
    number, ending = divmod(number, len(endings))
    town = names[at] + endings[ending]
    return f"{heads[number % len(heads)]} {town}" if " " in value else town


@cache
def _surnames() -> tuple[str, ...]:
    """Give short surnames that end in a consonant: what streets and towns are called after."""
    from faker.providers.person.en_US import Provider

    return tuple(sorted({name for name in Provider.last_names if 3 < len(name) < 8 and name[-1] not in "aeiouyszg"}))


@cache
def _surnames_folded() -> frozenset[str]:
    from faker.providers.person.en_US import Provider

    return frozenset(name.lower() for name in Provider.last_names)


def _number(words: str, draw: Draw, *, is_last: bool) -> str:
    if is_last and _patterns()[3].fullmatch(words):
        return _zip(words, draw)
    if match := re.fullmatch(r"(\d+)(st|nd|rd|th)", words, re.IGNORECASE):
        new = scramble(match[1], draw)
        ending = "th" if new[-2:-1] == "1" else {"1": "st", "2": "nd", "3": "rd"}.get(new[-1], "th")
        return new + like(match[2], ending)
    places = [at for at, one in enumerate(words) if one.isalnum() and one.isascii()]
    return pour(words, places, scramble("".join(words[at] for at in places).lower(), draw))


def _zip(code: str, draw: Draw) -> str:
    new = draw.pick(_ZIP_PREFIXES, "zip", code[:3]) + f"{draw.number('zip', code[:5]) % 100:02d}"
    return new + (f"-{draw.number('zip', code) % 10000:04d}" if len(code) > 5 else "")
