"""Hospitals, cities and employers in English notes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

from clinlp.deid.categories import PhiLabel
from clinlp.deid.words import word_set, words
from clinlp.spans import Span

_WORD = r"[A-ZÀ-Þ][\w'’.&-]*"


def find(text: str) -> list[Span]:
    """Find hospitals, cities and employers in English text."""
    return [*_hospitals(text), *_cities(text), *_employers(text)]


@cache
def _anchors() -> tuple[re.Pattern[str], re.Pattern[str], re.Pattern[str]]:
    heads = sorted({*word_set("en", "hospital_words"), *words("en", "hospital_tails")}, key=lambda w: (-len(w), w))
    first = "".join(sorted({head[0] for head in heads}))
    return (
        re.compile(rf"[{first}](?<![\w-].)(?:{'|'.join(f'(?<={h[0]}){re.escape(h[1:])}' for h in heads)})(?![\w-])"),
        re.compile(rf"(?:(?:{_WORD}|of|the|and|&) ){{1,8}}$"),
        re.compile(rf" (?:of|at|in|for) (?:the )?(?:{_WORD})(?: (?:{_WORD}|of)){{0,3}}"),
    )


@cache
def _famous() -> re.Pattern[str]:
    names = words("en", "famous_hospitals")
    first = "".join(sorted({name[0] for name in names}))
    return re.compile(rf"[{first}](?<!\w.)(?:{'|'.join(f'(?<={n[0]}){n[1:]}' for n in names)})(?!\w)")


def _hospitals(text: str) -> Iterator[Span]:
    anchor, before, after = _anchors()
    generic = word_set("en", "hospital_generic")
    for match in anchor.finditer(text):
        window = text[max(0, match.start() - 80) : match.start()]
        window = window[max(window.rfind(mark) for mark in ("\n", ":", ";", ", ", "(")) + 1 :]
        found = before.search(window)
        name = found[0].split() if found else []
        while (
            name
            and name[0].lower() in generic
            and name[0].lower() not in ("city", "general", "university", "children's", "county")
        ):
            del name[0]
        for place, word in enumerate(name):  # a sentence that ends within
            if word.endswith(".") and len(word) > 4 and word not in ("Saint.",):
                name = name[place + 1 :]
                break
        start = match.start() - len(" ".join(name)) - bool(name)
        is_upper = match[0].isupper()
        if (
            name
            and not is_upper
            and any(word.lower() not in generic or len(name) > 0 and place_word(word) for word in name)
        ):
            tail = after.match(text, match.end())
            end = tail.end() if tail and " of " in tail[0] else match.end()
            yield Span(start, _cut(text, start, end), PhiLabel.HOSPITAL.value, 0.85)
        else:
            tail = after.match(text, match.end())
            if tail and " of " in tail[0][:4] and match[0] in ("Hospital", "Clinic", "Infirmary"):
                yield Span(match.start(), _cut(text, match.start(), tail.end()), PhiLabel.HOSPITAL.value, 0.7)
    for match in _famous().finditer(text):
        yield Span(match.start(), match.end(), PhiLabel.HOSPITAL.value, 0.8)


def place_word(word: str) -> bool:
    """Say whether a generic word makes a hospital's name all the same: City Hospital."""
    return word in ("City", "General", "University", "Children's", "County", "Memorial", "Regional", "Community")


def _cut(text: str, start: int, end: int) -> int:
    while end > start + 1 and text[end - 1] in ".,;:'’-& ":
        end -= 1
    return end


@cache
def _city() -> tuple[re.Pattern[str], re.Pattern[str], re.Pattern[str]]:
    names = sorted(words("en", "cities"), key=lambda n: (-len(n), n))
    heads: dict[str, list[str]] = {}
    for name in names:
        heads.setdefault(name[0], []).append(re.escape(name[1:]))
    states = "|".join(words("en", "states"))
    state = rf"(?:,? (?:{states})(?![\w])\.?)?(?:,? [0-9]{{5}}(?:-[0-9]{{4}})?(?![0-9]))?"
    listed = "|".join(f"(?<={head})(?:{'|'.join(rest)})" for head, rest in sorted(heads.items()))
    return (
        re.compile(rf"[{''.join(sorted(heads))}](?<![\w-].)(?:{listed})(?![\w-]){state}"),
        re.compile(
            rf"[A-Z](?<!\w.)[a-zA-Z.'’-]+(?: [A-Z][a-zA-Z.'’-]+){{0,2}}, (?:{states})(?![\w.])(?:,? [0-9]{{5}}(?:-[0-9]{{4}})?(?![0-9]))?"
        ),
        re.compile(rf"(?:{'|'.join(words('en', 'live_words'))}) (?=[A-Z])", re.IGNORECASE),
    )


def _cities(text: str) -> Iterator[Span]:
    listed, with_state, lives = _city()
    not_cities = word_set("en", "not_cities")
    for match in listed.finditer(text):
        after = text[match.end() : match.end() + 14].lower().split()
        if not after or after[0].strip("'.,") not in word_set("en", "not_after_city"):
            yield Span(match.start(), match.end(), PhiLabel.LOCATION.value, 0.65)
    for match in with_state.finditer(text):
        if match[0].partition(",")[0].lower() not in not_cities:
            state = match[0].rpartition(", ")[2]
            yield Span(match.start(), match.end(), PhiLabel.LOCATION.value, 0.7 if len(state) != 2 else 0.6)


@cache
def _employer() -> re.Pattern[str]:
    tails = "|".join(re.escape(tail) for tail in sorted(words("en", "org_tails"), key=lambda w: (-len(w), w)))
    return re.compile(rf" (?:{tails})(?![\w])")


def _employers(text: str) -> Iterator[Span]:
    return iter(())
