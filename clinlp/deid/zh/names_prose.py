"""Names in running Chinese text: after a role (患者, 其子, 主刀医师), in a list, or by their borders alone."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

from clinlp.deid.categories import PhiLabel
from clinlp.deid.words import word_set, words
from clinlp.deid.zh.names_fields import next_name
from clinlp.deid.zh.names_score import everyday, is_han, measure, never, odds
from clinlp.spans import Span

_OPEN = ' \t\u3000“"（(‘为是系叫名：:'
_MARKS = '\n\t \u3000，。；、：:,;!?！？“”"（）()\\[\\]【】/|\\-—_.…+%*>~&=#@吗呢吧0-9'
_LINKS = "由请经与和及并让被叫给找是向对同嘱为的将据予行使已"  # words of one character before a name
_BREAKS = frozenset("，。；、,;\n")  # no role reaches over these
_RARE = -5  # as a surname; in running text such characters are something else
_SPEAKERS = frozenset({"患者", "病人", "医生", "医师", "护士", "家属", "专家", "老师", "妈妈", "爸爸", "家长"})
_KIN = "母父子女妻夫兄弟姐妹儿"  # rare surnames that stand before the name of the relative
_UNITS = "周月日年岁余元片支粒包袋瓶毛时分秒点度单连双全多万千百成伏焦安克米升天个次例位名号楼程期章节句题条步届起集层"
_SURE_ROLE, _ROLE, _WEAK_ROLE, _MARK, _LINK, _ANYWHERE = 0, 2, 4, 5, 7, 11  # the scores that a name needs after each


@cache
def _roles() -> tuple[dict[str, int], dict[str, tuple[int, ...]]]:
    """Give the roles with the score that the name after them needs, and by last character their lengths."""
    needed = dict.fromkeys(words("zh", "name_left"), _ROLE)
    for owner in "其之":
        for kin in words("zh", "kin"):
            needed[owner + kin] = _ROLE
    for before in (*_BREAKS, "：", ":", "（"):  # 父王超，母张敏
        needed |= {before + kin: _MARK for kin in words("zh", "kin") if kin not in "子女儿孙"}
    needed |= dict.fromkeys(word_set("zh", "name_left_weak"), _WEAK_ROLE)
    needed |= dict.fromkeys(words("zh", "name_left_sure"), _SURE_ROLE)
    sizes: dict[str, set[int]] = {}
    for role in needed:
        sizes.setdefault(role[-1], set()).add(len(role))
    return needed, {end: tuple(sorted(found, reverse=True)) for end, found in sizes.items()}


@cache
def role_ends() -> str:
    """Give the last characters of the roles."""
    return "".join(sorted(_roles()[1]))


@cache
def _candidates() -> re.Pattern[str]:
    """A surname after a mark, a link or the last character of a role."""
    ends = role_ends()
    usual = {char for char, value in odds().surname.items() if value > _RARE}
    surnames = "".join(sorted((usual | {name[0] for name in odds().compound}) - set(_KIN)))
    return re.compile(
        rf"[{surnames}](?<![^{_MARKS}{_LINKS}{ends}院科室诊部].)(?=[\u4e00-\u9fff](?<![{''.join(sorted(never()))}]))"
    )


def find_in_prose(text: str) -> Iterator[Span]:
    """Find the names that a role announces, the further names of its list, and those between clear borders."""
    known, weak, compound = everyday(), word_set("zh", "weak_surnames"), odds().compound
    barred = never() | set("，。、；：,. ")
    no_names, surnames = word_set("zh", "not_names"), odds().surname
    reach = 0
    for match in _candidates().finditer(text):
        at = match.start()
        if at < reach:
            continue
        pair = text[at : at + 2]
        if match[0] in _LINKS and surnames.get(text[at + 1], -9) >= 3:  # 由李瑞医生
            continue
        is_word = pair in no_names
        is_bare = at > 0 and text[at - 1] in _BREAKS
        if is_bare and pair in known and surnames.get(match[0], -9) < 3 and pair not in compound:
            continue
        needed = _MARK if is_bare else _needed(text, at)
        if needed > _ROLE and _weeks().match(text, max(0, at - 2)):
            continue
        if needed > _ROLE and at and text[at - 1].isdigit():
            needed += 99 if match[0] in _UNITS else 3
        if needed > _ROLE:
            needed += 2 * (match[0] in weak and pair not in compound)
            needed += 6 * (pair in known and pair not in compound)
            needed += 6 * (needed >= _LINK and at > 0 and text[at - 1 : at + 1] in known)
        needed += 6 * is_word
        if (needed > _ROLE or is_word) and pair in known and text[at + 2 : at + 3] in barred:
            continue
        size, score = measure(text, at, needed)
        if not size or (size == 2 and pair in known and needed > _ROLE and pair not in compound):
            continue
        reach = at + size
        yield Span(at, reach, PhiLabel.NAME.value, 0.75 if needed <= _ROLE else min(0.8, 0.5 + score / 50))
        for further in _rest(text, reach) if needed <= _WEAK_ROLE else ():
            yield further
            reach = further.end
    yield from _anywhere(text)
    yield from _in_letters(text)


@cache
def _weeks() -> re.Pattern[str]:
    """A number, a blank and weeks: 24 ~ 26 周时; 3 周建国 may open a line of a list."""
    return re.compile("[0-9] 周[时之后前内末]")


@cache
def _likely() -> re.Pattern[str]:
    """A frequent surname and a character that given names hold far more often than other words."""
    known = odds()
    surnames = "".join(sorted(char for char, value in known.surname.items() if value >= 3))
    given = {char for table in (known.middle, known.last) for char, value in table.items() if value >= 2}
    return re.compile(rf"[{surnames}](?<=[\u4e00-\u9fff].)(?=[{''.join(sorted(given - never()))}])")


def _anywhere(text: str) -> Iterator[Span]:
    """Names so likely that no border needs to lead them in: 给予程桂梅心理疏导."""
    known = everyday()
    for match in _likely().finditer(text):
        at = match.start()
        if text[at : at + 2] in known or text[at - 1 : at + 1] in known or match[0] in word_set("zh", "weak_surnames"):
            continue
        size, score = measure(text, at, _ANYWHERE)
        if size and text[at + 1 : at + size] not in known:  # 术程顺利
            yield Span(at, at + size, PhiLabel.NAME.value, min(0.7, 0.5 + score / 100))


def _needed(text: str, at: int) -> int:
    """Give the score that a name at `at` needs, by what stands before it."""
    if not at:
        return _MARK
    roles, sizes = _roles()
    stop = at
    while stop:
        for size in sizes.get(text[stop - 1], ()):
            needed = roles.get(text[stop - size : stop]) if size <= stop else None
            if needed is not None:
                is_chat = text[stop] in "：:" and text[stop - size : stop] in _SPEAKERS  # 患者：谢谢
                return _MARK if is_chat else needed
        if at - stop == 3 or text[stop - 1] not in _OPEN:
            break
        stop -= 1
    return _MARK if not is_han(text, at - 1) else _LINK


def after_role(text: str, at: int) -> bool:
    """Say whether the words right before `at` announce a person."""
    return _needed(text, at) <= _ROLE


def _rest(text: str, stop: int) -> Iterator[Span]:
    """The further names of a list."""
    for _ in range(8):
        at = next_name(text, stop)
        size = measure(text, at, 2)[0] if at else 0
        if not size:
            return
        yield Span(at, at + size, PhiLabel.NAME.value, 0.7)
        stop = at + size


@cache
def _letters() -> re.Pattern[str]:
    return re.compile(
        r"[A-Z](?<=[\u4e00-\u9fff：:、/（( \n\t].)[a-zA-Z'’-]+"
        r"(?: [A-Z][a-zA-Z.'’-]*(?![a-zA-Z])){1,3}|[A-Z](?<=[者儿师士].)[a-z]{2,}(?=[，,。因于诉（(])"
    )


@cache
def _syllable() -> re.Pattern[str]:
    """A word of one to three syllables as pinyin writes them, tones left out."""
    initial, final = "(?:[zcs]h|[bpmfdtnlgkhjqxrzcsyw])", "(?:[iuü]?[aeiou]{1,2}(?:ng?|r|o)?)"
    return re.compile(rf"(?:{initial}?{final}'?-?){{1,3}}", re.IGNORECASE)


def _in_letters(text: str) -> Iterator[Span]:
    """Names in letters after a role, 患者Emily Carter, and names in pinyin wherever they stand: Zhang Wei."""
    if not _two_words().search(text):
        return
    for match in _letters().finditer(text):
        is_pinyin = match[0].split()[0].lower() in word_set("zh", "pinyin_surnames") and all(
            _syllable().fullmatch(part) for part in match[0].split()
        )
        if is_pinyin or after_role(text, match.start()):
            yield Span(match.start(), match.end(), PhiLabel.NAME.value, 0.75)


@cache
def _two_words() -> re.Pattern[str]:
    return re.compile("[A-Z][a-zA-Z'’-]+ ?[A-Z]|[A-Z][a-z]{2}")
