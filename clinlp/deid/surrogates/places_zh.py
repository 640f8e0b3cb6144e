"""Surrogates of Chinese addresses, hospitals, departments and employers: their kind words stay, the names go."""

from __future__ import annotations

import re
from functools import cache

from clinlp.deid.surrogates.draw import Draw, longest_first, pool
from clinlp.deid.surrogates.numbers import pour, scramble
from clinlp.deid.words import listed

_NUMERALS = "一二三四五六七八九"
_NO_NUMBER = "[^\\W0-9０-９A-Za-z]"
_KINDS = {
    "province": "省",
    "region": "自治区 维吾尔自治区 壮族自治区 回族自治区",
    "city": "特别行政区 市 地区 盟 自治州",
    "district": "区 县 旗 新区 开发区 自治县",
    "town": "镇 乡 街道 街道办事处 苏木 村 村委会 屯 庄 组 队",
    "street": "大街 大道 路 街 巷 胡同 弄",
    "estate": "小区 花园 新村 家园 花苑 苑 社区 公寓 家属院 大厦 大楼 广场",
}
_LEVELS = {kind: level for level, kinds in _KINDS.items() for kind in kinds.split()}
"""Kind word -> the list that the name before it is replaced from."""
_APART = {"台湾", "台北", "香港", "澳门"}  # their addresses are written in other forms


@cache
def _patterns() -> tuple[re.Pattern[str], ...]:
    return (
        re.compile(f"({longest_first('kept_zh')}|第[{_NUMERALS}十〇零百0-9]+)"),
        re.compile(
            f"([{_NUMERALS}十百零〇]*(?:{longest_first('counted_zh')}))"
            f"|({_NO_NUMBER}*?)({longest_first('units_zh')})(?:(?<![镇乡庄屯村里旗])|(?![市县区乡镇村街])(?!(?<=旗)[大路]))"
            f"|({_NO_NUMBER}+)|([0-9０-９A-Za-z]+)"
        ),
        re.compile(f"[{_NUMERALS}]+|[0-9]+"),
        re.compile(f"[{_NUMERALS}十0-9]+(?=病?[区房室]|科|楼|层|组|部|门诊|单元)|(?<=科)[{_NUMERALS}0-9]+$"),
        re.compile("病?[区房]$|门诊$|护士站$|病室$"),
    )


def write_address(words: str, draw: Draw) -> str | None:
    """Give another address of the same form: province for province, road for road, digits for digits."""
    return _units(words, draw)


def write_hospital(words: str, draw: Draw) -> str | None:
    """Give another hospital of the same level and kind; one that has no name of its own gets a common one."""
    new = _named(words, draw)
    if new != words:
        return new
    ordinal = draw.pick(_NUMERALS, "ordinal", words)
    return f"{_stem(words, 'city', draw)}市第{ordinal}{draw.pick(('人民医院', '中心医院', '中医院'), 'kind', words)}"


def write_org(words: str, draw: Draw) -> str | None:
    """Give another employer or school of the same kind."""
    new = _named(words, draw)
    if new == words:
        new = _renumbered(words, draw)
    return new if new != words else _stem(words, "stem", draw) + words[-2:]


def write_department(words: str, draw: Draw) -> str | None:
    """Give another department of the same kind: 科 for 科, 中心 for 中心; numbers of wards change."""
    tail = match[0] if (match := _patterns()[4].search(words)) and match.start() else ""
    head = words[: len(words) - len(tail)]
    numbers = "".join(_patterns()[3].findall(words))
    base = _patterns()[3].sub("", head) if numbers else head
    ordinal = _renumbered(numbers, draw) if numbers else ""
    ending = base[-2:] if base[-2:] in ("外科", "内科", "中心", "病房") else base[-1:]
    if not base:
        return ordinal + tail
    choices = [name for name in pool("departments_zh") if name.endswith(ending)] or list(pool("departments_zh"))
    new = draw.pick(choices, "department", base, but=base)
    if not numbers:
        return new + tail
    if tail:
        return new + ordinal + tail
    return (
        f"{new[:-1]}{ordinal}{new[-1]}"
        if words.endswith("科")
        else f"{new}{ordinal}{'病区' if words[-1] == '区' else ''}"
    )


def _named(words: str, draw: Draw) -> str:
    """Keep the kind words, replace what stands between them."""
    pieces = []
    for at, piece in enumerate(_patterns()[0].split(words)):
        if at % 2 and piece[0] == "第" and len(piece) > 2 and piece[1] in f"{_NUMERALS}0123456789":
            pieces.append("第" + _renumbered(piece[1:], draw))
        else:
            pieces.append(piece if at % 2 else _units(piece, draw) or piece)
    return "".join(pieces)


def _renumbered(words: str, draw: Draw) -> str:
    return _patterns()[2].sub(lambda match: scramble(match[0], draw), words)


def _units(words: str, draw: Draw) -> str | None:
    """Replace an address piece by piece; none where nothing is in it."""

    def change(match: re.Match[str]) -> str:
        counted, stem, unit, rest, number = match.groups()
        if counted:
            return _renumbered(counted, draw)
        if number:
            flat = number.translate({0xFF10 + digit: ord(str(digit)) for digit in range(10)}).lower()
            return pour(number, list(range(len(number))), scramble(flat, draw))
        return _bare(rest, draw) if rest else _unit(stem, unit, draw)

    new = _patterns()[1].sub(change, words)
    return new if new != words else None


def _unit(stem: str, unit: str, draw: Draw) -> str:
    """Replace the name before a kind word by one from the list that the kind word says."""
    level = _LEVELS.get(unit, "stem")
    if not stem:
        return unit
    if all(one in _NUMERALS for one in stem) and level in ("stem", "town"):
        return scramble(stem, draw) + unit
    if level == "region":
        return draw.pick(_provinces("region"), "region", stem, but=stem + unit)
    head, stem = _province_before(stem)
    return (_stem(head, "province", draw) if head else "") + _stem(stem, level, draw) + unit


def _province_before(stem: str) -> tuple[str, str]:
    """Cut a province without its 省 off (江苏南京市)."""
    for size in (3, 2):
        if len(stem) > size and stem[:size] in _provinces("bare"):
            return stem[:size], stem[size:]
    return "", stem


def _bare(words: str, draw: Draw) -> str:
    """Replace a place without kind words: provinces and cities that are known, then anything else."""
    if all(one in _NUMERALS for one in words):
        return scramble(words, draw)
    pieces = []
    while words:
        for size in range(min(len(words), 5), 1, -1):
            if words[:size] in _provinces("bare"):
                pieces.append(_stem(words[:size], "province", draw))
                break
            if words[:size] in _cities():
                pieces.append(_stem(words[:size], "city", draw))
                break
        else:
            size = len(words)
            pieces.append(_stem(words, "stem", draw))
        words = words[size:]
    return "".join(pieces)


def _stem(words: str, level: str, draw: Draw) -> str:
    """Choose a name of a level, of the same length where there are enough of it."""
    new = draw.pick(_choices(level, min(len(words), 4)), f"place {level}", words, but=words)
    return new if len(words) < 5 or level != "stem" else new + draw.pick(pool("stems_zh"), "place more", words)


@cache
def _choices(level: str, size: int) -> tuple[str, ...]:
    from faker.providers.address.zh_CN import Provider

    if level == "stem":
        return pool(("stems_zh_short", "stems_zh", "stems_zh_long", "stems_zh_long")[size - 1])
    lists = {
        "province": _provinces("plain"),
        "city": tuple(name for name in Provider.cities if name not in _APART and name[-1] != "盟"),
        "district": tuple(Provider.districts),
        "town": pool("towns_zh"),
        "street": pool("streets_zh"),
        "estate": pool("estates_zh"),
    }
    names = tuple(sorted(set(lists[level])))
    same = tuple(name for name in names if len(name) == size)
    return same if len(same) >= 8 else names


@cache
def _provinces(kind: str) -> tuple[str, ...]:
    """Give the provinces: `plain` without 省, `region` the autonomous ones in full, `bare` all, as people call them."""
    from faker.providers.address.zh_CN import Provider

    plain = {name[:-1] for name in Provider.provinces if name.endswith("省")} - _APART
    region = {name for name in Provider.provinces if name.endswith("自治区")}
    if kind == "bare":
        plain |= {re.sub("(?:壮族|回族|维吾尔)?自治区", "", name) for name in region}
    return tuple(sorted(region if kind == "region" else plain))


@cache
def _cities() -> frozenset[str]:
    cities = {name[:-1] for name in listed("zh_cities") if name.endswith("市") and len(name) > 2}
    return frozenset(cities | _APART | {"北京", "上海", "天津", "重庆"})
