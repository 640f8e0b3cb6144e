"""Sentences as offsets, for prose that is wrapped, listed, tabulated or hardly punctuated at all.

One pattern finds the places where a sentence may end; what stands on either side decides.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING

from clinlp.text.language import HAN
from clinlp.text.rules import load_words

if TYPE_CHECKING:
    from clinlp.note import Lang
    from clinlp.text.tokens import Offsets

_STOPS = "。！？；"
_CLOSERS = "\"'”’」』）)】》〉\\]}"
_MAX_WORD = 16  # no abbreviation is longer
_MAX_WIDTH = 160  # a longer line is a paragraph, not a wrapped line
_MIN_WRAPPED = {"en": 40, "zh": 15}
_INTRODUCING = (":", "：", ",", "，")  # "diagnoses: 1. asthma"
_VOWELS = frozenset("aeiouy")
_NEVER_LAST = 0
_MAY_BE_LAST = 1


@cache
def _candidate() -> re.Pattern[str]:
    """The pattern of places where a sentence may end. It starts with one character class, so the search is fast."""
    return re.compile(
        f"[.!?;．、)）{_STOPS}\\n\\r]"
        r"(?:(?<=[\n\r])\s*+"
        f"|(?<=[{_STOPS}])[{_CLOSERS}{_STOPS}]*+"
        f"|(?<=[.!?．])(?<![.!?．][.!?．])[.!?．]*+[{_CLOSERS}]*+(?:(?=\\s|[{HAN}]|\\Z)|,(?=\\s*+[A-Z0-9]|[a-z][.)]))"
        f"|(?<=[{HAN}][.!?;])"
        f"|(?<=[{HAN}\\s:：,，;；。][0-9][、)）])|(?<=[{HAN}\\s:：,，;；。][0-9][0-9][、)）])"
        r"|(?<=[a-z][a-z)]\.)(?=[A-Z][a-z]))"
    )


@cache
def _marker() -> re.Pattern[str]:
    """What stands before an item of a list."""
    return re.compile(
        r"[-*+•·▪◦●○■□◆➢✓>–—]+[ \t]|[•●■◆➢①-⓿#]|\(?(?:\d{1,2}|[A-Za-z]|[ivxIVX]{2,4})[.)、．）](?!\d)"
        r"|（\d{1,2}）|\(\d{1,2}\)|[一二三四五六七八九十]{1,3}[、.．]"
    )


@cache
def _heading() -> re.Pattern[str]:
    return re.compile(f"[A-Z][A-Za-z /&'-]{{1,40}}:|[{HAN}]{{2,10}}[:：]|【|\\[[A-Z]")


@cache
def _gap() -> re.Pattern[str]:
    """Wide spacing before a heading or an item of a list: a line break that was lost."""
    return re.compile(
        f"(?<! ) {{3,}}+(?=[A-Z][A-Za-z /&'()-]{{1,40}}:|\\d{{1,2}}[.)] ?[A-Z]"
        f"|[{HAN}]{{2,8}}[:：]|\\d{{1,2}}[.、][{HAN}])"
    )


@cache
def _abbreviations() -> dict[str, int]:
    words = load_words("sentences")
    return dict.fromkeys(words["may_be_last"], _MAY_BE_LAST) | dict.fromkeys(words["never_last"], _NEVER_LAST)


@cache
def _before_a_letter() -> frozenset[str]:
    return load_words("sentences")["before_a_letter"]


class _Splitter:
    """The borders of one text, found from left to right."""

    def __init__(self, text: str, lang: Lang) -> None:
        self.text = text
        self.lang = lang
        self.start = 0  # of the sentence being read
        self.line = 0  # start of the line being read
        self.bound = 0  # end of an abbreviation that the next line goes on from
        self.item = 0  # the number of the list item being read
        self.width: int | None = None
        self.borders: list[int] = []

    def run(self) -> list[int]:
        text = self.text
        for match in _candidate().finditer(text):
            at, end = match.span()
            sign = text[at]
            if sign in "\n\r":
                if self.line_ends(at, end):
                    self.cut(end)
                self.line = end
            elif sign in _STOPS or self.stop_ends(at, end):
                self.cut(end)
        return self.borders

    def cut(self, at: int) -> None:
        self.borders.append(at)
        self.start = at

    def opens(self, at: int) -> bool:
        """Say whether the sentence begins at `at`."""
        while self.start < at and self.text[self.start].isspace():
            self.start += 1
        return self.start == at

    def introduced(self, begin: int) -> bool:
        """Say whether a colon or comma stands just before `begin`."""
        return self.text[max(self.start, begin - 3) : begin].rstrip().endswith(_INTRODUCING)

    def stop_ends(self, at: int, end: int) -> bool:
        """Say whether the full stop, question or exclamation mark at `at` ends the sentence."""
        text = self.text
        if text[end - 1] == "," and text[end] > " ":
            return True  # an export turned line breaks into commas
        word = _last_word(text[max(self.start, at - _MAX_WORD) : at])
        if not word:
            return text[at] == "." or (at > 0 and not text[at - 1].isspace())  # "? pneumonia" asks nothing yet
        if text[at] not in ".．、)）":
            return True
        if len(word) <= 2 and word.isdecimal():
            return self.number_ends(at - len(word), word)
        following = text[end : end + 40].lstrip()[:1]
        return self.letter_ends(at, word, following) if len(word) == 1 else self.word_ends(end, word, following)

    def word_ends(self, end: int, word: str, following: str) -> bool:
        """Tell an abbreviation from the last word of a sentence."""
        kind = _abbreviations().get(word.lower().removesuffix("."))
        if kind == _NEVER_LAST:
            self.bound = end
            return False
        if kind == _MAY_BE_LAST:
            return not (following.islower() or following.isdigit())
        # A small letter after a word begins a careless sentence; after what looks like an abbreviation it goes on.
        return not following.islower() or not word.isalpha() or not _VOWELS.isdisjoint(word.lower())

    def number_ends(self, begin: int, digits: str) -> bool:
        """Take "2." for a list marker at the start of a sentence or after "1."; else the stop counts."""
        number = int(digits)
        if self.opens(begin) or (number == 1 and self.introduced(begin)):
            self.item = number
            return False
        if number == self.item + 1 and self.item:
            self.item = number
            self.cut(begin)
            return False
        return self.text[begin + len(digits)] in ".．"

    def letter_ends(self, at: int, letter: str, following: str) -> bool:
        """Tell the initial of a name ("J. Smith") and the marker of a list from a last letter ("hepatitis B.")."""
        if not letter.isascii() or not letter.isalpha():
            return letter not in "一二三四五六七八九十" or not self.opens(at - 1)
        if not following or letter.islower() or following[0] >= "\u2e80":
            return not (self.opens(at - 1) or self.introduced(at - 1) or following.islower())
        before = _last_word(self.text[max(self.start, at - 2 - _MAX_WORD) : at - 1].rstrip())
        if before.lower() in _before_a_letter():
            return True
        self.bound = at + 1
        return False

    def line_ends(self, at: int, end: int) -> bool:
        """Say whether the line break at `at` ends the sentence, or only wraps it."""
        text = self.text
        gap = text[at:end]
        n_breaks = max(gap.count("\n"), gap.count("\r"))
        line = text[self.line : at].rstrip()
        if end == len(text) or n_breaks > 1:
            return True
        if len(line) <= self.start - self.line:
            return False  # the sentence has ended already
        if line[-1] in ":：" or _marker().match(text, end):
            return True
        goes_on = line[-1] in ",，、(（" or text[end].islower()
        if goes_on or (line[-1] == "." and self.bound == self.line + len(line)):
            return False
        capitals = len(line) < 60 and line.isupper() and text[end + 1 : end + 2].islower()
        return capitals or _heading().match(text, end) is not None or not self.wraps(len(line), end)

    def wraps(self, length: int, end: int) -> bool:
        """Say whether the next line's first word would not have fitted on this one."""
        if self.width is None:
            self.width = _wrap_width(self.text)
        if length < _MIN_WRAPPED[self.lang]:
            return False
        if self.text[end] >= "\u2e80":  # Chinese wraps after any character
            return length + 2 > self.width > 0
        head = self.text[end : end + 40]
        return length + 1 + len(head.split(None, 1)[0]) > self.width > 0


def _last_word(text: str) -> str:
    """What stands at the very end of a text, up to white space, a bracket, a comma or a Han character."""
    at = len(text)
    while at and not (text[at - 1].isspace() or text[at - 1] in ',;:()[]{}<>"“”/，。；：（）、'):
        if text[at - 1] >= "\u3400":
            return text[at:] or text[at - 1]
        at -= 1
    return text[at:]


def _wrap_width(text: str) -> int:
    """The width to which lines were wrapped; 0 if they were not."""
    lengths = sorted(len(line.rstrip()) for line in text.splitlines())
    if len(lengths) < 3 or lengths[-1] > _MAX_WIDTH:
        return 0
    # Wrapped lines reach nearly the same width; lines of a list do not.
    return lengths[-1] if lengths[-2] >= 0.8 * lengths[-1] else 0


def split_sentences(text: str, lang: Lang) -> list[Offsets]:
    r"""Find the sentences of a text, ascending and disjoint, without the white space around them.

    Together they hold every character but white space. A blank line, a list marker and a heading
    end a sentence; a wrapped line and an abbreviation do not.

    >>> text = "Seen by Dr. Who.  BP 2.5 x normal\ntoday. 1. Asthma 2. T2DM"
    >>> [text[start:end] for start, end in split_sentences(text, "en")]
    ['Seen by Dr. Who.', 'BP 2.5 x normal\ntoday.', '1. Asthma', '2. T2DM']
    """
    borders = _Splitter(text, lang).run()
    if "   " in text:
        borders = sorted({*borders, *(match.end() for match in _gap().finditer(text))})
    sentences: list[Offsets] = []
    start = 0
    for end in [*borders, len(text)]:
        words = text[start:end]
        bare = words.lstrip()
        if bare:
            sentences.append((end - len(bare), end - len(bare) + len(bare.rstrip())))
        start = end
    return sentences
