"""User names in English notes: after their word, on sites, in paths, and where somebody signs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

from clinlp.deid.categories import PhiLabel
from clinlp.deid.words import word_set
from clinlp.spans import Span


def find_logins(text: str) -> Iterator[Span]:
    """Find user names after their word, in the paths of home folders, and after who signed a note."""
    if "/home/" in text or "Users" in text:
        for match in _home().finditer(text):
            yield Span(match.start(1), match.end(1), PhiLabel.SOCIAL.value, 0.8)
    low = text.lower()
    patterns = (_login(), _handle()) if any(site in low for site in _SITES) else (_login(),)
    for pattern in patterns:
        for match in pattern.finditer(text):
            yield Span(match.start(1), match.end(1), PhiLabel.SOCIAL.value, 0.85)
    for match in _signed().finditer(text):
        done = text[max(0, match.start() - 16) : match.start()].split()
        if done and done[-1].lower() in word_set("en", "signed_words"):
            yield Span(match.start(1), match.end(1), PhiLabel.SOCIAL.value, 0.8)


@cache
def _home() -> re.Pattern[str]:
    return re.compile(r"(?:/home/|[/\\]Users[/\\])([A-Za-z][\w.-]+)")


@cache
def _login() -> re.Pattern[str]:
    """A user name after its word, which must be told by a colon, `is` or a quote from running text."""
    return re.compile(
        r"[UuLlSsTtIiFf](?<![A-Za-z].)(?i:(?<=u)ser(?: ?name|id|(?=[:=]| [a-z._-]*[a-z][0-9]))|(?<=l)og(?:in|on)|"
        r"(?<=s)creen ?name|(?<=s)kype|(?<=t)witter"
        r"|(?<=t)elegram|(?<=t)iktok|(?<=i)nstagram|(?<=f)acebook)(?i: ?(?:id|name|handle"
        r"|account))?(?: is |: ?|=| ['\"]|(?= \w*[_.0-9]) )"
        r"(?!(?:user|username|login|id|name|handle)\b)([A-Za-z0-9_][A-Za-z0-9._-]{2,40}[A-Za-z0-9_])"
    )


@cache
def _signed() -> re.Pattern[str]:
    """A user name where somebody signs: letters, then digits (dictated by: jsmith3)."""
    return re.compile(r"[Bb][Yy](?:: ?| )(?:(?:RN|LPN|MD|DO|NP|PA) )?([A-Za-z]{3,20}[0-9]{1,4})(?![\w-])")


_SITES = ("discord", "reddit", "venmo", "gamertag", "snap", "tumblr", "insta", " u/")


@cache
def _handle() -> re.Pattern[str]:
    """A name on a site that is called by a word: it has a digit, a line or a sharp; or it stands after u/."""
    return re.compile(
        r"(?:[DdRrVvGgSsTtIi](?<![A-Za-z].)(?i:(?<=d)iscord|(?<=r)eddit|(?<=v)enmo|(?<=g)amertag|(?<=s)nap(?:chat)?"
        r"|(?<=t)umblr|(?<=i)nsta)(?i: ?(?:id|name|handle|account))?(?:: ?| )@?(?=[\w.-]*[_0-9#])"
        r"|(?<= )u/(?!hour|minute|litre|liter))([A-Za-z0-9_][\w.#-]{3,40}[\w#])"
    )
