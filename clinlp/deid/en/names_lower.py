"""Names in small letters, in file names, and as a scanner misreads them, in English notes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

from clinlp.deid.categories import PhiLabel
from clinlp.deid.en.capitals import CITY, EPONYM, FIRST, LAST, PLAIN, STOP, TITLE, WORD, kinds
from clinlp.deid.en.names_alone import SHORT
from clinlp.deid.words import any_of, listed, word_set, words
from clinlp.spans import Span


def find_lower(text: str, n_capitals: int) -> Iterator[Span]:
    """Find names in small letters where the text has hardly any others, or is short.

    Args:
        n_capitals: How many capitalised words the text has.
    """
    if len(text) <= SHORT or n_capitals * 90 < len(text):
        yield from _pairs(text)
        yield from _after_roles(text)
        yield from _lower_cities(text)
        yield from _alone(text)
        yield from _misread(text)
        yield from _glued(text)
    if "_" in text:
        yield from _files(text)


@cache
def _word() -> re.Pattern[str]:
    return re.compile(r"[^\W\d_A-Z](?<![\w@./-].)(?:[^\W\d_A-Z]|['’-])*[^\W\d_A-Z](?![\w@/])")


def _pairs(text: str) -> Iterator[Span]:
    """A first name and a last name in small letters: john smith."""
    known = kinds()
    before: re.Match[str] | None = None
    low = 0
    for match in _word().finditer(text):
        is_next = before and match.start() - before.end() == 1 and text[before.end()] in " \n"
        if before and is_next and _is_pair(before[0], match[0], known):
            yield Span(low, match.end(), PhiLabel.NAME.value, 0.7)
        is_chained = before and is_next and _is_given(before[0], known) and _is_given(match[0], known)
        low = low if is_chained else match.start()  # mei ling chow
        before = match


def _is_given(word: str, known: dict[str, int]) -> bool:
    bits = known.get(word, 0)
    return bool(bits & FIRST) and not bits & (STOP | WORD | EPONYM | PLAIN) and len(word) > 2


def _is_pair(first: str, last: str, known: dict[str, int]) -> bool:
    one, two = known.get(first, 0), known.get(last, 0)
    if not one & FIRST or one & (STOP | WORD | EPONYM | PLAIN) or len(first) < 3 or len(last) < 3:
        return False
    if not two:
        return len(last) > 3 and len(first) > 3 and bool(_unknown().fullmatch(last))
    if "-" in last and not two:
        return all(known.get(part, 0) & LAST and not known.get(part, 0) & WORD for part in last.split("-"))
    if not two & LAST or two & (STOP | TITLE):
        return False
    return last in word_set("en", "common_last_names") or (not two & (WORD | EPONYM | PLAIN) and len(first + last) > 8)


@cache
def _unknown() -> re.Pattern[str]:
    """A word in small letters with the shape of a name: no medical ending, no abbreviation."""
    endings = "|".join(words("en", "medical_endings"))
    return re.compile(rf"(?=[a-z]*[aeiouy])(?!\w*(?:{endings})(?!\w))[^\W\d_]{{4,14}}(?<!s)")


def _alone(text: str) -> Iterator[Span]:
    """A frequent first name in small letters that is no other word: michael."""
    known, frequent = kinds(), listed("en_frequent_names")
    for match in _word().finditer(text):
        if match[0] in frequent and not known.get(match[0], 0) & (WORD | PLAIN | EPONYM | STOP):
            yield Span(match.start(), match.end(), PhiLabel.NAME.value, 0.5)


@cache
def _role() -> tuple[re.Pattern[str], re.Pattern[str]]:
    roles = any_of(words("en", "lower_roles"), guard="(?<![A-Za-z].)")
    word = r"([^\W\d_A-Z](?:[^\W\d_A-Z]|['’-]){2,})"
    return (
        re.compile(rf"{roles}(?:[,:]| is| named| called)? {{1,2}}{word}(?: {word})?"),
        re.compile(
            r"[a-z](?<![\w@./-].)[a-z'’-]{2,}(?: [a-z][a-z'’-]{2,}){0,2}(?=,? [0-9]{1,3} ?(?:yo|y/o|[mf])(?![a-z]))"
        ),
    )


def _after_roles(text: str) -> Iterator[Span]:
    """A listed name in small letters after `pt`, `nurse`, `pcp`, or before `45f`."""
    role, aged = _role()
    known = kinds()
    for match in role.finditer(text):
        name = match[1].removesuffix("'s").removesuffix("’s")
        one, two = known.get(name, 0), known.get(match[2] or "", 0)
        if one & (STOP | TITLE | PLAIN | WORD | EPONYM) or not one & (FIRST | LAST):
            continue
        is_pair = two & LAST and not two & (STOP | TITLE | PLAIN | WORD | EPONYM) and len(match[2]) > 2
        end = match.end(2) if is_pair else match.start(1) + len(name)
        yield Span(match.start(1), end, PhiLabel.NAME.value, 0.65)
    for match in aged.finditer(text):
        low = match.start()
        for word in match[0].split(" "):
            bits = known.get(word, 0)
            if bits & (FIRST | LAST) and not bits & (STOP | TITLE | PLAIN | WORD | EPONYM):
                yield Span(low, match.end(), PhiLabel.NAME.value, 0.65)
                break
            low += len(word) + 1


@cache
def _placed() -> re.Pattern[str]:
    return re.compile(
        r"[fnlri](?<![A-Za-z].)(?:(?<=i)n|rom|ear|ives in|esides in|iving in|esident of) ([a-z]{4,})(?![a-z'-])"
        r"(?:,? (?:[a-z]{2})(?= [0-9]{5}(?![0-9])| w/| with |[.,;?]|$))?"
    )


def _lower_cities(text: str) -> Iterator[Span]:
    """A city in small letters after `from`, `near`, `lives in`: one that is no other word."""
    known = kinds()
    for match in _placed().finditer(text):
        if known.get(match[1], 0) & ~(FIRST | LAST) == CITY:
            yield Span(match.start(1), match.end(), PhiLabel.LOCATION.value, 0.6)


# --- scanned text -------------------------------------------------------------------------------

_READ = str.maketrans("01358$@|", "olesbsal")
_READ_I = str.maketrans("01358$@|", "oiesbsai")


@cache
def _noisy() -> tuple[re.Pattern[str], re.Pattern[str]]:
    word = r"[A-Z][a-z01358$@|']{2,}"
    return (
        re.compile(rf"(?<![\w-]){word}(?: {word})?(?![\w$@|-])"),
        re.compile(
            r"(?:(?:[Pp]t|[Pp]atient|PT|[Nn]ame|[Dd]r|[Mm]rs?|[Mm]s|[Nn]urse|[Ss]on|[Dd]aughter|[Ww]ife|[Hh]usband|for|re)"
            r"[.:,]? )$"
        ),
    )


def _misread(text: str) -> Iterator[Span]:
    """Names with digits for letters, or `rn` for `m`, after a strong sign: pt J0hn Srnith."""
    noisy, sign = _noisy()
    known = kinds()
    for match in noisy.finditer(text):
        parts = match[0].split()
        is_odd = any(not part.isalpha() for part in parts)
        if not is_odd and "rn" not in match[0]:
            continue
        good = [_is_name(part, known) for part in parts]
        said = sign.search(text, max(0, match.start() - 11), match.start())
        if (all(good) and (said or (len(parts) > 1 and is_odd))) or (good[0] and said and is_odd):
            end = match.end() if all(good) else match.start() + len(parts[0])
            yield Span(match.start(), end, PhiLabel.NAME.value, 0.6)


def _is_name(word: str, known: dict[str, int]) -> bool:
    lower = word.lower()
    forms = {lower.translate(_READ), lower.translate(_READ_I)}
    forms |= {form.replace("rn", "m") for form in forms}
    return any(known.get(form, 0) & (FIRST | LAST) and not known.get(form, 0) & STOP for form in forms)


# --- file names -----------------------------------------------------------------------------------


@cache
def _file() -> tuple[re.Pattern[str], re.Pattern[str]]:
    return re.compile(r"_(?<!\w.)?[A-Za-z0-9]*"), re.compile(r"[A-Za-z]{3,}")


def _files(text: str) -> Iterator[Span]:
    """Names among the parts of `smith_john_1957-03-12.pdf`."""
    known = kinds()
    at = text.find("_")
    while at >= 0:
        low = high = at
        while low and (text[low - 1].isalnum() or text[low - 1] in "_-"):
            low -= 1
        while high < len(text) and (text[high].isalnum() or text[high] in "_-"):
            high += 1
        run: list[re.Match[str]] = []
        for part in _file()[1].finditer(text, low, high):
            bits = known.get(part[0].lower(), 0)
            is_name = bits & (FIRST | LAST) and not bits & STOP
            is_sure = is_name and (not bits & (WORD | EPONYM | PLAIN) or part[0].lower() in _common())
            if is_sure or (is_name and run and text[run[-1].end() : part.start()] == "_"):
                run.append(part)
        if run:
            for first, last in _joined(run, text):
                yield Span(first, last, PhiLabel.NAME.value, 0.75)
        at = text.find("_", high)


@cache
def _camel() -> re.Pattern[str]:
    return re.compile(r"[A-Z](?<![\w].)[a-z]{2,}(?:[A-Z][a-z]{2,})+(?=[-_.][A-Za-z0-9])")


def _glued(text: str) -> Iterator[Span]:
    """Names written as one word at the head of a file name: OkaforNgozi-CT.tiff."""
    known = kinds()
    for match in _camel().finditer(text):
        parts = re.findall("[A-Z][a-z]+", match[0])
        if all(known.get(part.lower(), 0) & (FIRST | LAST) for part in parts):
            yield Span(match.start(), match.end(), PhiLabel.NAME.value, 0.65)


@cache
def _common() -> frozenset[str]:
    return word_set("en", "common_last_names")


def _joined(parts: list[re.Match[str]], text: str) -> Iterator[tuple[int, int]]:
    first, last = parts[0].span()
    for part in parts[1:]:
        if text[last : part.start()] in ("_", "-"):
            last = part.end()
        else:
            yield first, last
            first, last = part.span()
    yield first, last
