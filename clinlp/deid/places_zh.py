"""Addresses, hospitals, departments and employers in Chinese notes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

from clinlp.deid.categories import PhiLabel
from clinlp.deid.words import any_of, listed, word_set, words
from clinlp.spans import Span

_HAN = "\u4e00-\u9fff"
_ROAD = (
    rf"(?:[{_HAN}A-Za-z0-9]{{1,10}}?(?:街道|大街|大道|胡同|小区|社区|花园|公寓|新村|开发区"
    rf"|工业园|路|街|道|巷|弄|里|镇|乡|村|屯|组|队|区|县|旗|庄|苑|园|城|桥|湾|坊|大厦|大楼"
    rf"|广场|公馆|家园|别墅|宿舍|家属院|府|中心))"
)
_HOUSE = (
    r"(?:[0-9A-Za-z一二三四五六七八九十甲乙东西南北]{1,6}(?:[-—][0-9A-Za-z]{1,5}){0,3}"
    r"(?:号楼|号院|单元|[号栋幢座弄室层楼组队房门]|户))"
)
_TAIL = rf"(?:[ ,，]?(?:{_HOUSE}|{_ROAD})){{1,8}}(?:[0-9]{{1,5}}(?:[-—][0-9]{{1,5}}){{0,3}}(?![0-9岁]))?"


def find(text: str) -> list[Span]:
    """Find addresses, hospitals, departments and employers in Chinese text."""
    places = list(_divisions(text))
    return [*places, *_roads(text, places), *_field_values(text), *_hospitals(text), *_post_codes(text)]


# --- administrative divisions ------------------------------------------------------------------


@cache
def _known() -> tuple[dict[str, int], re.Pattern[str]]:
    """Give each division with its level (1 province, 2 city, 3 county), and the search for their last characters."""
    level = dict.fromkeys(listed("zh_counties"), 3)
    level |= dict.fromkeys(listed("zh_cities"), 2)
    level |= dict.fromkeys(listed("zh_provinces"), 1)
    return {name: rank for name, rank in level.items() if len(name) > 2}, re.compile("[省市区县旗盟州]")


@cache
def _bare() -> tuple[re.Pattern[str], frozenset[str], frozenset[str]]:
    """Give the search for names without their last character, the provinces among them, and the weak ones."""
    provinces = {re.sub("(?:省|市|(?:壮族|回族|维吾尔)?自治区)$", "", name) for name in listed("zh_provinces")}
    cities = {name[:-1] for name in listed("zh_cities") if name.endswith("市") and len(name) > 2}
    return re.compile(any_of(cities | provinces)), frozenset(provinces - cities), word_set("zh", "weak_cities")


@cache
def _tail() -> tuple[re.Pattern[str], re.Pattern[str]]:
    lefts = "|".join(sorted(words("zh", "place_left"), key=lambda w: (-len(w), w)))
    return re.compile(_TAIL), re.compile(f"(?:{lefts})$")


def _divisions(text: str) -> Iterator[Span]:
    """Cities and counties with all of the address around them; a province alone stays."""
    tail, left = _tail()
    chains: list[list[int]] = []
    for start, end, level in sorted(_hits(text, left)):
        if chains and start <= chains[-1][1]:
            chains[-1][1] = max(chains[-1][1], end)
            chains[-1][2] = max(chains[-1][2], level)
        else:
            chains.append([start, end, level])
    for start, end, level in chains:
        more = tail.match(text, end)
        stop = more.end() if more and not _is_clinical(text, end, more.end()) else end
        if text[stop : stop + 1] in ("市", "县", "区") and stop > end:
            stop += 1
        if level > 1 or stop > end:
            yield Span(start, stop, PhiLabel.LOCATION.value, 0.85 if stop > end else 0.7)


def _is_clinical(text: str, start: int, stop: int) -> bool:
    """Say whether what follows a division is its hospital rather than a street."""
    return "医" in text[start:stop] or text[stop : stop + 1] == "医"


def _hits(text: str, left: re.Pattern[str]) -> Iterator[tuple[int, int, int]]:
    known, suffix = _known()
    for match in suffix.finditer(text):
        end = match.end()
        for size in range(min(11, end), 2, -1):
            level = known.get(text[end - size : end])
            if level:
                yield end - size, end, level
                break
    bare, provinces, weak = _bare()
    for match in bare.finditer(text):
        name = match[0]
        if name in provinces or name in ("北京", "天津", "上海", "重庆"):
            yield match.start(), match.end(), 1
        elif name not in weak or left.search(text, max(0, match.start() - 4), match.start()):
            yield match.start(), match.end(), 2


@cache
def _road() -> tuple[re.Pattern[str], re.Pattern[str]]:
    return (
        re.compile(rf"[0-9]{{1,5}}(?:[-—][0-9]{{1,5}})?号(?:楼|院)?(?:{_HOUSE}){{0,4}}"),
        re.compile(rf"[{_HAN}]{{1,8}}(?:路|大街|街|巷|弄|胡同|大道|小区|村|里)(?:[0-9]{{1,5}}弄)?$"),
    )


def _roads(text: str, places: list[Span]) -> Iterator[Span]:
    """Streets with a house number that no division leads in."""
    number, road = _road()
    covered = [(span.start, span.end) for span in places]
    for match in number.finditer(text):
        if any(start <= match.start() < end for start, end in covered[:64]):
            continue
        window = text[max(0, match.start() - 12) : match.start()]
        found = road.search(window)
        if found:
            name = re.split(
                "|".join(("住在", "位于", "居住", "家住", "现住", "住", "在", "于", "至", "到", "：", "为")), found[0]
            )[-1]
            if len(name) > 1:
                yield Span(match.start() - len(name), match.end(), PhiLabel.LOCATION.value, 0.75)


@cache
def _post() -> re.Pattern[str]:
    return re.compile(r"邮(?:政编码|编)[:：\s为是]{0,3}([0-9]{6})(?![0-9])")


def _post_codes(text: str) -> Iterator[Span]:
    for match in _post().finditer(text):
        yield Span(match.start(1), match.end(1), PhiLabel.LOCATION.value, 0.9)


# --- fields ------------------------------------------------------------------------------------


@cache
def _fields() -> tuple[re.Pattern[str], dict[str, PhiLabel], re.Pattern[str], re.Pattern[str]]:
    kinds = dict.fromkeys(words("zh", "address_fields"), PhiLabel.LOCATION)
    kinds |= dict.fromkeys(words("zh", "org_fields"), PhiLabel.ORG)
    kinds |= dict.fromkeys(words("zh", "department_fields"), PhiLabel.DEPARTMENT)
    return (
        re.compile(r"[:：]"),
        kinds,
        re.compile(r"[ \t\u3000]*([^\s，。；;|：:][^\n。；;|：:\t]{0,60})"),
        re.compile(rf"[ \u3000]{{2,}}|[ \u3000](?=[{_HAN}]{{2,8}}(?:[:：]|$))|[，,]"),
    )


def _field_values(text: str) -> Iterator[Span]:
    """What stands after 住址：, 工作单位：, 科室：."""
    colon, kinds, value, ends = _fields()
    for match in colon.finditer(text):
        window = text[max(0, match.start() - 12) : match.start()]
        key = re.sub(r"[\s\u3000]", "", re.split(r"[\n，。；,;|]", window)[-1])
        label = next((kinds[key[-size:]] for size in range(min(9, len(key)), 1, -1) if key[-size:] in kinds), None)
        found = value.match(text, match.end()) if label else None
        if label is None or found is None:
            continue
        start, stop = found.start(1), found.end(1)
        if text[stop : stop + 1] in (":", "："):  # the next field's name ran in
            stop = max(text.rfind(mark, start, stop) for mark in (" ", "，", ",", "\u3000"))
        cut = ends.search(text, start, max(start, stop))
        stop = cut.start() if cut else stop
        words_ = text[start:stop].strip()
        if stop <= start or words_ in word_set("zh", "not_values") or _is_province(words_):
            continue
        if label is PhiLabel.DEPARTMENT and len(words_) > 20:
            continue
        yield Span(start, start + len(text[start:stop].rstrip()), label.value, 0.85)


@cache
def _provinces() -> frozenset[str]:
    return listed("zh_provinces") | {
        re.sub("(?:省|市|(?:壮族|回族|维吾尔)?自治区)$", "", name) for name in listed("zh_provinces")
    }


def _is_province(value: str) -> bool:
    return value in _provinces()


# --- hospitals ---------------------------------------------------------------------------------


@cache
def _hospital() -> tuple[re.Pattern[str], re.Pattern[str], re.Pattern[str], frozenset[str]]:
    cuts = "|".join(sorted(words("zh", "hospital_cuts"), key=lambda w: (-len(w), w)))
    cuts += "|(?<!协)和(?=[^平谐睦县田林])"
    generic = word_set("zh", "hospital_generic")
    departments = "|".join(sorted(words("zh", "departments"), key=lambda w: (-len(w), w)))
    return (
        re.compile(any_of(words("zh", "hospital_words"))),
        re.compile(f"(?:{cuts})"),
        re.compile(
            rf"(?:（[{_HAN}]{{1,8}}(?:院区|分院|医院)?）)?(?:[{_HAN}]{{1,4}}(?:院区|分院))?"
            rf"(?:{departments})?(?:[一二三四五六七八九十0-9]{{1,2}}(?:病区|区|科|病房))?"
        ),
        generic,
    )


def _hospitals(text: str) -> Iterator[Span]:
    """Hospitals with the place and order that name them; 我院, 当地医院 and 外院 name none."""
    anchor, cuts, tail, generic = _hospital()
    for match in anchor.finditer(text):
        low = match.start()
        while (
            low
            and match.start() - low < 18
            and ("\u4e00" <= text[low - 1] <= "\u9fff" or text[low - 1] in "0123456789（）")
        ):
            low -= 1
        start = low
        for cut in cuts.finditer(text, low, match.start()):
            start = cut.end()
        lead = text[start : match.start()].lstrip("0123456789）")
        start = match.start() - len(lead)
        name = lead + match[0]
        head = re.sub("(?:人民|中心|附属|中医|总|中)?医院$|[^院]{2,5}$", "", name) if lead else ""
        if (
            not lead
            or lead in generic
            or head in generic
            or lead[:2] in ("某某", "当地", "外地")
            or lead[0] in "某该本我外"
            or "某" in lead[-2:]
            or _few().match(lead)
        ):
            continue
        more = tail.match(text, match.end())
        end = more.end() if more else match.end()
        yield Span(start, end, PhiLabel.HOSPITAL.value, 0.8)


@cache
def _few() -> re.Pattern[str]:
    return re.compile(r"[多几两一二三四数各][所家个]|[市县省区镇乡](?!立)[^市县省区]{0,4}$|当地|外地")
