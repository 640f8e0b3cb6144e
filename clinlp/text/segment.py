"""Chinese words instead of characters, by a segmenter that the user names; an extra, never the default.

Labels begin and end inside words that a segmenter makes, so models and rules read characters; words are for
those who count or search them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

from clinlp.errors import MissingExtraError, UsageError
from clinlp.text.language import HAN
from clinlp.text.tokens import Offsets, tokenize

Cut = Callable[[str], list[str]]


def segment(text: str, segmenter: str) -> list[Offsets]:
    """Find the tokens of a text as `tokenize` does, but runs of Han characters as words.

    Args:
        segmenter: `jieba`, or `pkuseg:FOLDER` with the folder of a pkuseg model; nothing is downloaded.

    Raises:
        UsageError: There is no such segmenter or model.
        MissingExtraError: It is not installed.
    """
    return list(_words(text, load_segmenter(segmenter)))


@cache
def load_segmenter(segmenter: str) -> Cut:
    """Load what cuts a run of Han characters into words."""
    name, _, model = segmenter.partition(":")
    if name == "jieba" and not model:
        return _jieba()
    if name == "pkuseg" and model:
        return _pkuseg(Path(model))
    raise UsageError(f"segmenter: jieba or pkuseg:FOLDER needed, got {segmenter!r}")


def _words(text: str, cut: Cut) -> Iterator[Offsets]:
    tokens = tokenize(text)
    at = 0
    while at < len(tokens):
        begin = at
        while (
            at < len(tokens)
            and _han().fullmatch(text, *tokens[at])
            and (begin == at or tokens[at - 1][1] == tokens[at][0])
        ):
            at += 1
        if at - begin < 2:  # no run
            at = begin + 1
            yield tokens[begin]
            continue
        start, end = tokens[begin][0], tokens[at - 1][1]
        words = cut(text[start:end])
        if "".join(words) != text[start:end]:  # a segmenter that changes the text cannot be placed
            yield from tokens[begin:at]
            continue
        for word in words:
            yield start, start + len(word)
            start += len(word)


@cache
def _han() -> re.Pattern[str]:
    return re.compile(f"[{HAN}]")


def _jieba() -> Cut:
    try:
        import jieba
    except ImportError:
        raise MissingExtraError("jieba", "segment") from None
    import logging

    jieba.setLogLevel(logging.WARNING)  # it tells how long it takes to load
    words: Cut = jieba.Tokenizer().lcut
    return words


def _pkuseg(folder: Path) -> Cut:
    try:
        import spacy_pkuseg
    except ImportError:
        raise MissingExtraError("spacy-pkuseg", "segment") from None
    if not folder.is_dir():
        raise UsageError(f"{folder}: the folder of a pkuseg model needed, got none")
    made: Any = spacy_pkuseg.pkuseg(str(folder), user_dict=None)  # its dictionaries are pickles
    words: Cut = made.cut
    return words
