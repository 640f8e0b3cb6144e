"""Addresses, hospitals, departments and employers in Chinese notes."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from functools import cache

from clinlp.deid.categories import PhiLabel
from clinlp.deid.plain import original
from clinlp.deid.words import any_of, listed, word_set, words
from clinlp.deid.zh.institutions import find_employers, find_hospitals, find_short_hospitals
from clinlp.deid.zh.places_fields import find_values
from clinlp.deid.zh.plain import plain_zh
from clinlp.spans import Span

_HAN = "\u4e00-\u9fff"
_ROAD = (
    rf"(?:[{_HAN}A-Za-z0-9]{{1,10}}?(?:街道|大街|大道|胡同|小区|社区|花园|公寓|新村|开发区"
    rf"|工业园|路|街|道|巷|弄|里|镇|乡|村|屯|组|队|区|县|旗|庄|苑|园|城|桥|湾|坊|大厦|大楼"
    rf"|广场|公馆|家园|别墅|宿舍|林场|农场|牧场|岗子|家属院|府|中心|苏木|嘎查|寨|岭|路口|交叉口|口(?=[0-9]))(?![路街道巷乡镇村])|[{_HAN}]{{2,8}}(?=[0-9]{{1,4}}(?:栋|幢|号楼|座|单元|室|-[0-9])))"
)
_HOUSE = (
    r"(?:[0-9A-Za-z一二三四五六七八九十甲乙东西南北]{1,6}(?:[-—][0-9A-Za-z]{1,5}){0,3}"
    r"(?:号楼|号院|单元|[号栋幢座弄室层楼组队社房门]|户))"
)
_TAIL = rf"(?:[ ,，]?{_HOUSE}|{_ROAD}){{1,8}}(?:[0-9]{{1,5}}(?:[-—][0-9]{{1,5}}){{0,3}}(?![0-9岁]))?"


def find(text: str) -> list[Span]:
    """Find addresses, hospitals, departments and employers in Chinese text."""
    text, places = plain_zh(text)
    towns = list(_divisions(text))
    spans = [
        *towns,
        *_roads(text, towns),
        *find_values(text),
        *find_hospitals(text),
        *find_short_hospitals(text),
        *find_employers(text),
        *_post_codes(text),
    ]
    return original(spans, places)


# --- administrative divisions ------------------------------------------------------------------


@cache
def _known() -> tuple[dict[str, int], re.Pattern[str]]:
    """Give each division with its level (1 province, 2 city, 3 county), and the search for their last characters."""
    level = dict.fromkeys(listed("zh_counties"), 3)
    level |= dict.fromkeys(listed("zh_cities"), 2)
    level |= dict.fromkeys(listed("zh_provinces"), 1)
    # 临夏州, 沧源县: an autonomous place without the name of its people
    short = {name: _people().sub(r"\1", name) for name in level if "自治" in name}
    level |= {brief: level[name] for name, brief in short.items() if len(brief) > 2 and level[name] > 1}
    return {name: rank for name, rank in level.items() if len(name) > 2}, re.compile("[省市区县旗盟州]")


@cache
def _people() -> re.Pattern[str]:
    peoples = "|".join(sorted(words("zh", "peoples"), key=lambda word: (-len(word), word)))
    return re.compile(rf"(?:(?:{peoples})族?)*自治([州县旗])$")


@cache
def _bare() -> tuple[re.Pattern[str], frozenset[str], frozenset[str]]:
    """Give the search for names without their last character, the provinces among them, and the weak ones."""
    provinces = {re.sub("(?:省|市|(?:壮族|回族|维吾尔)?自治区)$", "", name) for name in listed("zh_provinces")}
    cities = {name[:-1] for name in listed("zh_cities") if name.endswith("市") and len(name) > 2}
    abroad = word_set("zh", "cities_abroad")  # these count only after a word like 赴
    weak = abroad | word_set("zh", "weak_cities")
    return re.compile(any_of(cities | provinces | abroad)), frozenset(provinces - cities), weak


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


def _hits(text: str, left: re.Pattern[str]) -> list[tuple[int, int, int]]:
    """Give the divisions as start, end and level; short and ambiguous names only beside a sign."""
    known, suffix = _known()
    hits, unsure = [], []
    for match in suffix.finditer(text):
        end = match.end()
        for size in range(min(11, end), 2, -1):
            level = known.get(text[end - size : end])
            if level:
                hits.append((end - size, end, level))
                break
        else:
            if text[end - 2 : end] in _short():
                unsure.append((end - 2, end, 3))
    bare, provinces, weak = _bare()
    kinds = _named_after()
    for match in bare.finditer(text):
        name = match[0]
        if kinds.match(text, match.end()):
            continue
        if name in provinces or name in ("北京", "天津", "上海", "重庆"):
            hits.append((match.start(), match.end(), 1))
        elif name in weak:
            unsure.append((match.start(), match.end(), 2))
        else:
            hits.append((match.start(), match.end(), 2))
    ends = {end for _, end, _ in hits} if unsure else set()
    for start, end, level in unsure:
        if start in ends or left.search(text, max(0, start - 4), start):
            hits.append((start, end, level))
    return hits


@cache
def _named_after() -> re.Pattern[str]:
    """What is called after a place and is none: 广州管圆线虫, 北京型."""
    return re.compile(any_of(words("zh", "named_after_places")))


@cache
def _short() -> frozenset[str]:
    """Counties of two characters: 蔚县."""
    return frozenset(name for name in listed("zh_counties") if len(name) == 2)


# --- streets and villages ----------------------------------------------------------------------


@cache
def _road() -> tuple[re.Pattern[str], re.Pattern[str], re.Pattern[str]]:
    ends = "路|大街|街|巷|弄|胡同|大道|小区|村|里|花园|公寓|家园|新村|苑|城|公馆|宿舍|家属院|府|园|湾|庭|郡|屯|庄|口"
    return (
        re.compile(
            rf"[0-9]{{1,5}}(?:[-—][0-9]{{1,5}}){{0,2}}(?:号(?:楼|院)?|栋|幢|座|单元)(?:{_HOUSE}){{0,4}}"
            r"(?:(?:[0-9]{1,4}(?:[-—][0-9]{1,5}){1,3}|[0-9]{2,5})室?(?![0-9]))?"
        ),
        re.compile(rf"[{_HAN}]{{1,8}}(?:{ends})(?:[0-9]{{1,5}}弄)?$"),
        re.compile(
            "住在|位于|居住于|居住|家住|现住|现居|返回|前往|老家|户籍地|寄往|快递至|住|在|于|至|到|：|为|由|从|距|经"
        ),
    )


def _roads(text: str, places: list[Span]) -> Iterator[Span]:
    """Streets and houses with a number that no division leads in, and villages of a town."""
    number, road, cut = _road()
    tail, _ = _tail()
    reach = max((span.end for span in places), default=0)
    starts = [span.start for span in places]
    for match in number.finditer(text):
        before = bisect_right(starts, match.start()) - 1
        if match.start() < reach and before >= 0 and places[before].end > match.start():
            continue
        found = road.search(text, max(0, match.start() - 12), match.start())
        name = cut.split(found[0])[-1] if found else ""
        if len(name) > 1:
            more = tail.match(text, match.end())
            end = more.end() if more and "医" not in more[0] else match.end()
            yield Span(match.start() - len(name), end, PhiLabel.LOCATION.value, 0.75)
    for match in _village().finditer(text):
        low = match.start()
        while low and match.start() - low < 5 and "\u4e00" <= text[low - 1] <= "\u9fff":
            low -= 1
        name = cut.split(text[low : match.start()])[-1]
        if 1 < len(name) < 5:
            yield Span(match.start() - len(name), match.end(), PhiLabel.LOCATION.value, 0.8)
    for match in _home().finditer(text):
        more = tail.match(text, match.end())
        if more and "医" not in more[0] and len(more[0]) > 3:
            yield Span(match.end(), more.end(), PhiLabel.LOCATION.value, 0.7)


@cache
def _village() -> re.Pattern[str]:
    """A town with its village: 前进镇白云村三组."""
    count = "[0-9一二三四五六七八九十]{1,3}[组队社号]"
    return re.compile(
        rf"(?:[镇乡]|街道)(?:[{_HAN}]{{1,5}}?(?:村|屯|庄|大队|社区|岗子|组)(?:{_HOUSE}|{count})?|[{_HAN}]{{1,6}}?{count})"
    )


@cache
def _home() -> re.Pattern[str]:
    return re.compile(
        r"(?:户籍地?|老家|原籍|常住地?|寄往|快递至|送至|居住地)(?:在|为|是|：|:)?|家(?<![大].)住(?:在|于)?|[现暂]住(?:在|于)?(?![院我])|居住(?:在|于)|住(?<![居入收留现家].)[在于](?=.{3})"
    )


@cache
def _post() -> re.Pattern[str]:
    return re.compile(r"邮(?:政编码|编)[:：\s为是]{0,3}([0-9]{6})(?![0-9])")


def _post_codes(text: str) -> Iterator[Span]:
    for match in _post().finditer(text):
        yield Span(match.start(1), match.end(1), PhiLabel.LOCATION.value, 0.9)
