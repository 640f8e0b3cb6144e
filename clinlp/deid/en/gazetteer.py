"""Institutions that are known by a short name: MGH, Addenbrooke's, Cleveland Clinic; employers beside a job."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

from clinlp.deid.categories import PhiLabel
from clinlp.deid.en.capitals import CITY, EPONYM, FIRST, LAST, PLAIN, STOP, WORD, Capitals, kinds
from clinlp.deid.words import listed
from clinlp.spans import Span

_KEY = 3  # characters by which entries are looked up


def find_institutions(caps: Capitals) -> Iterator[Span]:
    """Find listed hospitals, by themselves or after `at` where the words mean more, and listed employers by a cue."""
    text, reach, table = caps.text, 0, _table()
    for start in caps.starts:
        if start < reach:
            continue
        for words, label, alone in table.get(text[start : start + _KEY], ()):
            end = start + len(words)
            if (
                text.startswith(words, start)
                and not _goes_on(text, end)
                and (alone or (_is_meant(text, start, end, label) and not _is_kind(text, start)))
            ):
                reach = end
                yield Span(start, end, label.value, 0.75)
                break


def _is_meant(text: str, start: int, end: int, label: PhiLabel) -> bool:
    """Say whether the words around say that an institution is meant."""
    before, after = _cues()[label]
    return bool(before.search(text, max(0, start - 40), start) or after.match(text, end))


def _goes_on(text: str, end: int) -> bool:
    """Say whether the entry is only the beginning of a word, or of the name of something else."""
    return text[end : end + 1].isalnum() or bool(_thing().match(text, end))


def _is_kind(text: str, start: int) -> bool:
    """Say whether a plain word only says what kind of unit, people or place is meant: General Surgery, Eastern Cape."""
    return bool(_kind().match(text, start))


@cache
def _kind() -> re.Pattern[str]:
    return re.compile(
        r"(?:(?:General|Children['’]s|Central) (?:Surgery|Surgical|Medicine|Maxillofacial|Radiofacial)"
        r"|(?:Eastern|Northern|Western|Central|West) (?:Cape|Coast|Africa|America|Asia|Europe|regions?|provinces?)"
        r"|(?:Jewish|Swedish|Dominican) (?:wo)?m[ae]n)(?![A-Za-z])"
    )


@cache
def _thing() -> re.Pattern[str]:
    return re.compile(
        r"-[A-Za-z0-9]| (?:risk|High|Elementary|Middle|County|jail)(?![a-z])"
        r"|['’]?s? (?:score|scale|stage|staging|criteria|classification|class|grade|type|regimen|protocol|sign"
        r"|index|test|syndrome|disease|stand|scissors|clamp|valve|pump|catheter|retractor|forceps|needle|technique|pouch)(?![a-z])"
    )


@cache
def _cues() -> dict[PhiLabel, tuple[re.Pattern[str], re.Pattern[str]]]:
    """What must stand before, or after, a name that means other things too."""
    little = "at|for|with|by|of|from|is|was|the|an?|her|his|nights?|full|time|part"
    job = (
        "(?i:employe[rde]+|works?|worked|working|job|hired|fired|retired|laid off|driv(?:er|es|ing)|insur(?:er|ance)"
        "|insured|covered|coverage|plan|payer|carrier|policy|claim|denial|denied|member|student|teach(?:er|es)|professor"
        "|stud(?:ies|ying)|attends|shift)"
    )
    pays = "(?i:approve[sd]?|cover(?:s|ed)|require[sd]?|reject(?:s|ed)|pays|paid|wants a PA|says)"
    unit = "ED|ER|ICU|NICU|PICU|clinic|hospital|pharmacy|outpatient|records|discharge|lab"
    return {
        PhiLabel.HOSPITAL: (
            re.compile(r"(?:\b(?:at|via|in|to|from)|@)(?: the)? \(?$"),
            re.compile(rf" (?:{unit})(?![a-z])"),
        ),
        PhiLabel.ORG: (
            re.compile(rf"\b{job}(?: (?:{little})|[,:]|-time)* \(?$"),
            re.compile(rf"[,)]? (?:(?:\w+ )?{job}|{pays}|no\.|ID)(?![a-z])"),
        ),
    }


@cache
def _table() -> dict[str, tuple[tuple[str, PhiLabel, bool], ...]]:
    """The entries by how they begin, the longest first, and whether each can stand alone."""
    table: dict[str, list[tuple[str, PhiLabel, bool]]] = {}
    known = kinds()
    for name, label in (
        ("hospitals", PhiLabel.HOSPITAL),
        ("hospitals_ambiguous", PhiLabel.HOSPITAL),
        ("orgs", PhiLabel.ORG),
    ):
        for words in listed(f"en_{name}"):
            bits = known.get(words.lower().removesuffix("'s"), 0)
            is_other = bool(bits & (FIRST | LAST | PLAIN | STOP | EPONYM | WORD | CITY))
            is_short = words.isupper() and len(words) < 4
            alone = name == "hospitals" and not is_short and not (" " not in words and is_other) and words not in _OTHER
            if words not in _ABBREVIATIONS:
                table.setdefault(words[:_KEY], []).append((words, label, alone))
    return {key: tuple(sorted(found, key=lambda entry: (-len(entry[0]), entry[0]))) for key, found in table.items()}


_ABBREVIATIONS = frozenset(
    (
        *("MRI", "ARF", "PHC", "DHR", "PCH", "MH", "HH", "GH", "LH", "DH", "UH", "ALERT", "REACH"),
        *("BAL", "FSH", "ICH", "LVH", "PAH", "RHC", "PPH", "MCV"),
    )
)
"""Hospitals whose letters are more often a finding, a hormone or an examination."""
_OTHER = frozenset(("St. Jude", "St Jude", "The Neuro", "Saint Jude"))  # a valve, a physician's examination
