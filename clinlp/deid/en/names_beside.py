"""Names in English notes that what stands right behind them gives away: a relation in brackets, an act."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

from clinlp.deid.categories import PhiLabel
from clinlp.deid.en.capitals import FIRST, STOP, TITLE, Capitals
from clinlp.spans import Span


def find_beside(caps: Capitals) -> Iterator[Span]:
    """Find listed first names, whatever else they mean, before `(husband)`, and initials that do something."""
    for match in _relation().finditer(caps.text) if " (" in caps.text else ():
        at = caps.at(match.start()) - 1
        if at >= 0 and caps.ends[at] == match.start() and caps.bits[at] & FIRST and not caps.bits[at] & (STOP | TITLE):
            yield caps.span(at, at + 1, 0.75)
    for match in _acting().finditer(caps.text):
        yield Span(match.start(), match.end(), PhiLabel.NAME.value, 0.75)


@cache
def _relation() -> re.Pattern[str]:
    kin = "husband|wife|mother|father|mom|mum|dad|son|daughter|brother|sister|partner|aunt|uncle|niece|nephew|caregiver"
    return re.compile(rf" \((?:his |her |the |pt's )?(?:{kin})(?:[,)]| (?=and|at|on|who))")


@cache
def _acting() -> re.Pattern[str]:
    act = "called|calls|says|said|asks|asked|wants|reports|reported|denies|denied|is aware|agrees|consents"
    return re.compile(rf"[A-Z](?<![\w.].)\.(?!S\.)(?:[A-Z]\.){{1,2}}(?= (?:{act})(?![a-z]))")
