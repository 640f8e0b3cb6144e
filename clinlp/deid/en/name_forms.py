"""Expressions for the signs of names in English notes: titles, degrees, roles, closings, verbs."""

from __future__ import annotations

import re
from functools import cache

from clinlp.deid.words import any_of, words


@cache
def titled_initial() -> re.Pattern[str]:
    """A title, an initial and a surname: Dr. A. Hoffmann."""
    title = r"[DMP](?<!\w.)(?:(?<=D)(?:r|R|octor|OCTOR)|(?<=M)(?:rs?|RS?|s|S)|(?<=P)(?:rof|ROF))"
    return re.compile(rf"{title}\.?[ \t]([A-Z]\.[ \t]?(?:[A-Z]\.[ \t]?)?[A-Z][A-Za-z'’-]+)")


@cache
def figure() -> re.Pattern[str]:
    """A number right behind: Trevor, Li 1.4."""
    return re.compile(r"\+? ?[<>=]? ?[0-9]")


@cache
def lead() -> re.Pattern[str]:
    """Titles before the value of a field."""
    return re.compile(r"[ \t]*(?:\n[ \t]*)?(?:(?:Drs?|Mr|Mrs|Ms|Miss|Mx|Prof|Professor|Doctor|Rev|Nurse)\b\.? ?){0,2}")


@cache
def lower_name() -> re.Pattern[str]:
    """One to three words in small letters."""
    return re.compile(r"([a-z][a-z'-]+)(?: [a-z]\.?)?(?: [a-z][a-z'-]+)?")


@cache
def more() -> re.Pattern[str]:
    """What a list of names goes on with."""
    degree = r"(?:,? ?(?:M\.?D\.?|D\.?O\.?|R\.?N\.?|Ph\.?D\.?|PA-?C?|NP|CRNA|FNP|ARNP|DPM|DDS))*"
    return re.compile(rf"{degree}(?:, | and |; ?| ?/ ?| & )(?=[A-Z])")


@cache
def degree() -> re.Pattern[str]:
    """A degree, after a blank or a comma."""
    return re.compile(any_of(map(re.escape, words("en", "degrees")), guard="(?<=[ ,(].)") + r"(?![\w-])")


@cache
def before_degree() -> re.Pattern[str]:
    """What may stand between a name and a degree."""
    return re.compile(r"(?:\.?,? {1,2}|\.? ?\(|,)(?:(?:Jr|Sr|II|III|IV)\.?,? )?(?:[A-Z][A-Za-z.]{1,5}, ?){0,2}")


@cache
def lower_title() -> re.Pattern[str]:
    """A title in small letters and one or two words."""
    return re.compile(
        r"[dm](?<![A-Za-z][dm])(?:(?<=d)r|(?<=m)rs?|(?<=m)s)\.? "
        r"((?:(?<=\. )|(?<=dr ))[^\W\d_](?:[^\W\d_A-Z]|['’-]){2,})(?: ([^\W\d_](?:[^\W\d_A-Z]|['’-]){2,}))?(?![a-z])"
    )


@cache
def introduction() -> re.Pattern[str]:
    """What somebody is introduced by: my name is, this is, Hi."""
    return re.compile(
        r"[nItTgcHD](?<![A-Za-z].)(?:(?<=H)(?:i|ello|ey),?|(?<=D)ear"
        r"|(?<=n)ame(?:'s| is|d)|(?<=I)(?:'m| am)|(?<=[tT])his is|"
        r"(?<=g)oes by|(?<=c)all(?:s|ed)? (?:me|him|her))"
        r" (?=[A-Z]|[dm][rs])"
    )


@cache
def lower_role() -> re.Pattern[str]:
    """A role and one or two words in small letters."""
    roles = any_of(words("en", "close_roles"), guard="(?<![A-Za-z].)")
    return re.compile(rf"{roles}(?:,|:| is| named| called)? ([a-z]{{3,}})(?: ([a-z]{{3,}})(?![A-Za-z]))?(?![A-Za-z])")


@cache
def initials() -> re.Pattern[str]:
    """Letters after the word `initials`."""
    return re.compile(r"[Ii]nitial(?:s:?|:) (?:are )?((?:[A-Z]\.? ?){1,3}[A-Z]\.?)(?![A-Za-z])")


@cache
def closing() -> re.Pattern[str]:
    """The end of a letter: Sincerely."""
    closings = any_of(words("en", "closings"), guard="(?<![A-Za-z].)")
    return re.compile(rf"{closings}[,.!]?\s{{1,4}}(?=[A-Z])")


@cache
def particles() -> re.Pattern[str]:
    """Particles before a surname: van der, de la."""
    return re.compile(
        r"(?<![\w-])(?:[Vv][ao]n (?:de[nr]? )?|[Dd]e (?:la |los |las )?|[Dd]el |[Dd][iu] |[Dd]os |[Dd]a "
        r"|(?:al|el|bin|ibn)[ -]|[dl]['’])$"
    )


@cache
def stage() -> re.Pattern[str]:
    """A stage or a class: IIIb."""
    return re.compile("[IVX]+[a-cA-C]")


@cache
def staged() -> re.Pattern[str]:
    """The stages of a tumour and its lymph nodes."""
    return re.compile(r"[TN][0-4x][a-c]?[ ,-]{1,3}$")


@cache
def person() -> re.Pattern[str]:
    """A word for a person after what is then a people or a country: a 55-year-old Philippine woman."""
    return re.compile(r" (?:wo)?(?:man|men|boy|girl|male|female|lady|gentleman|child|infant|patient|soldier)(?![a-z])")


@cache
def verb() -> re.Pattern[str]:
    """What people do: reports, was."""
    return re.compile(
        r" (?:is|was|has|had|reports?|reported|denie[sd]|states?|stated|presents?|presented"
        r"|called|complain(?:s|ed)|saw|says|said"
        r"|came|returns?|returned|lives|works|underwent|recommended|agreed|wants|will|would"
        r"|informed|notified|consulted|paged|charted|notes|noted|gave|asks|asked|agrees|declined|calls|needs|manages)(?![a-z])"
    )
