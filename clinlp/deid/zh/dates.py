"""Dates in Chinese notes, in all written forms; not durations, scores and frequencies."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

from clinlp.deid.categories import PhiLabel
from clinlp.deid.dates.age import OLD_YEARS
from clinlp.deid.en.months import month_dates
from clinlp.deid.patterns import leading
from clinlp.spans import Span

_D = r"[0-9](?<![0-9.][0-9])"
_NUMERAL = "〇零一二三四五六七八九十"
_CLOCK = (
    r"(?:[ T]?(?:[早中晚上下]午?)?[0-2]?[0-9](?:[:：][0-5][0-9](?:[:：][0-5][0-9]"
    r"(?:\.[0-9]+)?)?|[时点](?:[0-5]?[0-9]分?|半)?(?:许|左右)?))?"
)
_NOT_LONG = r"(?![余前后来大龄个以内中份]|之|左右|[0-9])"


@cache
def _start() -> re.Pattern[str]:
    """Where a number may open a date: eight digits, or a few and what the forms go on with (group 1)."""
    return re.compile(rf"{_D}(?:[0-9]{{7}}(?![0-9])|[0-9]{{0,3}} ?([-年月日号./~、至]))")


@cache
def _dated() -> dict[str, tuple[tuple[re.Pattern[str], float], ...]]:
    """Give the forms in digits with their scores, by the character after the first number."""
    month, day = r"(?:1[0-2]|0?[1-9])", r"(?:3[01]|[12][0-9]|0?[1-9])"
    year = r"(?:18|19|20)[0-9]{2}"
    to = r"(?: ?[-—~至到、] ?"
    years = (
        re.compile(
            rf"{_D}(?:(?<=[12])[0-9]{{3}}|[0-9])? ?年 ?{month} ?月(?:份| ?{day} ?[日号])?"
            rf"{to}(?:{month} ?月)? ?{day} ?[日号])?{_CLOCK}"
        ),
        0.95,
    )
    months = (
        re.compile(rf"{_D}[0-9]? ?月 ?{day} ?[日号]{to}(?:{month} ?月)? ?{day} ?[日号])?{_CLOCK}"),
        0.95,
    )
    parted = (
        (re.compile(rf"{_D}[0-9]{{3}} ?([-./]) ?{month} ?\1 ?{day}(?![0-9]){_CLOCK}"), 0.95),
        (re.compile(rf"{_D}[0-9]{{3}}[-/.](?:1[0-2]|0[1-9])(?![0-9.%/-]|[a-zA-Z])"), 0.7),
        (re.compile(rf"{_D}[0-9]{{3}}[-/.][1-9](?=[行因出入在做查予起])"), 0.7),
        (
            re.compile(
                rf"{_D}[0-9]?/{month}/{year}(?![0-9]){_CLOCK}|{_D}[0-9]([-./]){month}\1(?:[0-3][0-9])(?![0-9]){_CLOCK}"
            ),
            0.7,
        ),
    )
    packed = (
        re.compile(rf"{_D}(?<=[12])[0-9]{{3}}(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])(?![0-9A-Za-z])"),
        0.6,
    )
    return {"年": (years,), "月": (months,), **dict.fromkeys("-./", parted), "": (packed,)}


@cache
def _used() -> re.Pattern[str]:
    """What stands after a day: 16-03-20入院, 16-04-10 13:27."""
    return re.compile(r" ?(?:[入出来转]院|复[查诊]|就诊|门诊|手术|[0-2]?[0-9][:：][0-5][0-9])")


@cache
def _listed() -> re.Pattern[str]:
    """A whole date right after the number of its line: 4.2013-01-14复诊."""
    return re.compile(
        r"(?<=[0-9]\.)(?<![0-9.][0-9]\.)(?:19|20)[0-9]{2}([-/年])(?:1[0-2]|0?[1-9])(?:\1|月)(?:3[01]|[12][0-9]|0?[1-9])日?"
        r"(?![0-9])"
    )


@cache
def _spelled() -> tuple[tuple[re.Pattern[str], float], ...]:
    """Give the forms in Chinese numerals, and those of the lunar calendar."""
    numerals = f"[{_NUMERAL}]"
    return (
        (
            re.compile(
                rf"{numerals}(?<!{numerals}.)(?:{numerals}{{1,3}}年{numerals}{{1,2}}月(?:份|{numerals}{{1,3}}[日号])?"
                rf"|{numerals}?月{numerals}{{1,3}}[日号])"
            ),
            0.95,
        ),
        (re.compile(rf"月(?<=[正冬腊].)(?:初[一二三四五六七八九十]|[廿{_NUMERAL}]{{1,3}})(?![0-9个余天])日?"), 0.8),
        # 三月十六, 六月初八, 甲辰年八月廿三
        (
            re.compile(
                rf"(?:[甲乙丙丁戊己庚辛壬癸][子丑寅卯辰巳午未申酉戌亥]年)?{numerals}(?<!{numerals}.){numerals}?月"
                rf"(?:初[一二三四五六七八九十]|[二三]?十[一二三四五六七八九]?|廿[一二三四五六七八九]?)日?(?![0-9个余天年月周岁分多来次{_NUMERAL}])"
            ),
            0.8,
        ),
        (re.compile("廿[一二三四五六七八九]?(?=那天|当天|早|晚|[日号])[日号]?"), 0.6),
        # 贰零贰肆年拾月廿柒日
        (
            re.compile("[壹贰叁肆伍陆柒捌玖零]{2,4}年[壹贰叁肆伍陆柒捌玖拾]{1,2}月[壹贰叁肆伍陆柒捌玖拾廿]{1,3}[日号]"),
            0.95,
        ),
        (re.compile("元月(?<!公.)(?:[0-9]{1,2}|[一二三四五六七八九十]{1,3})[日号]"), 0.9),
        (
            re.compile(
                "端午节?(?=[^茶])|清明节|重阳节|中秋节?|国庆节|元旦|除夕|元宵节|植树节|劳动节|五一节?(?=[假期那当前后回])|儿童节|妇女节|教师节|圣诞节|平安夜"
                "|七夕|中元节|腊八节?|大年(?:三十|初[一二三四五六七八九十])|年三十|春节(?=当天|那天|[假期前后回])"
            ),
            0.6,
        ),
        (
            re.compile(
                r"农(?<!务.)历(?:[0-9〇零一二三四五六七八九]{4}年)?"
                r"(?:闰)?[正冬腊0-9〇零一二三四五六七八九十]{1,3}月(?:初|廿)?[0-9廿〇零一二三四五六七八九十]{0,3}[日]?"
            ),
            0.85,
        ),
    )


@cache
def _loose_dates() -> tuple[re.Pattern[str], ...]:
    before = r"(?:今年|去年|前年|同年|本年|次年|当年|明年|于|自|至|到|从|在|[（(]|年)$"
    return (
        re.compile(rf"{_D}[0-9]?(?: ?[-~、至] ?[0-9]{{1,2}})?月(?:[上中下]旬|底|初|末|份)?{_NOT_LONG}"),
        re.compile(before),
        re.compile(
            rf"{_D}[0-9]?[日号](?:(?:凌晨|清晨|早晨|[上下中]午|晚上?|夜间|夜里)|(?![余前后内间龄为以线]|之|左右))"
        ),
        re.compile(r"(?:于|本月|当月|上月|次月|同月|至|自|[（(]|，|,|。|^)$"),
        re.compile(rf"{_D}[0-9]?[-./](?:3[01]|[12][0-9]|0?[1-9])(?![0-9.%/-]|[a-zA-Zμ个次天日月年度级分mg×*])"),
        re.compile(
            r"(?:日期[:：]?|时间[:：]?|于|自|自从|今[天日早晨]|昨[天日晚]|前天|[周星期][一二三四五六日天]|入院|出院|截止|截至|[初二三四五复]诊|签发"
            r"|采样|采集|记录|报告|接诊|下次|随访|术日|出生)[ （(:：]?$"
        ),
    )


def find_dates(text: str) -> Iterator[Span]:
    """Find the dates of a Chinese text."""
    forms, used = _dated(), _used()
    reach = 0
    for whole in _listed().finditer(text):
        yield Span(whole.start(), whole.end(), PhiLabel.DATE.value, 0.9)
    for start in _start().finditer(text):
        at, mark = start.start(), start[1] or ""
        for pattern, score in forms.get(mark, ()) if at >= reach else ():
            match = pattern.match(text, at)
            if match and (score > 0.7 or _is_sure(match[0]) or used.match(text, match.end())):
                yield Span(at, match.end(), PhiLabel.DATE.value, score)
                reach = max(reach, match.end())
        if mark:
            yield from _loose(text, at, mark)
    for pattern, score in _spelled():
        for match in pattern.finditer(text):
            yield Span(match.start() - (match[0][0] == "月"), match.end(), PhiLabel.DATE.value, score)
    for match in _bare().finditer(text):
        yield Span(match.start(), match.end(), PhiLabel.DATE.value, 0.6)
    for match in _old_year().finditer(text):
        before = text[max(0, match.start() - 8) : match.start()].rstrip("：: ")
        if match[1] or before.endswith(("生于", "出生", "出生年", "出生年份")):
            yield Span(match.start(), match.end(), PhiLabel.DATE.value, 0.75)
    for match in _weekday().finditer(text):
        yield Span(match.start(1), match.end(1), PhiLabel.DATE.value, 0.55)
    yield from month_dates(text)


@cache
def _weekday() -> re.Pattern[str]:
    """The weekday (group 1) of a week that is said (下周二); one alone, or to another, is no date."""
    return re.compile(r"(?<![早晚以])[上下本这]个?((?:星期|礼拜|周)[一二三四五六日天])(?![至到~—、-]|[个共直般审起])")


@cache
def _old_year() -> re.Pattern[str]:
    """A year alone, and whether it says that somebody was born: that tells an age over 89."""
    return re.compile(rf"{OLD_YEARS}(?<![0-9A-Za-z/.-]....)年?(?![0-9]|[/.-][0-9])(?=(出?生人?(?!产|化|长))?)")


@cache
def _bare() -> re.Pattern[str]:
    """A month and a day, or a short year too, whose place says what they are: at the start of a line, before a time."""
    month, day = r"(?:1[0-2]|0?[1-9])", r"(?:3[01]|[12][0-9]|0?[1-9])"
    return re.compile(
        rf"[0-9](?<![0-9A-Za-z./:-].)(?:"
        rf"[0-9]{{3}}、{month}、{day}(?![0-9、])"  # 2024、9、27
        rf"|[0-9]\.(?:1[0-2]|0[1-9])\.(?:3[01]|[12][0-9]|0[1-9])(?![0-9.])"  # 22.10.08
        rf"|[0-9]?月{day}(?=[ \u3000到至去来在，,。；;（(]|$)"  # 6月3 到
        rf"|(?:(?<=^.)|(?<=\n.))[0-9]?[./-]{day}"
        rf"(?=[ \u3000\t]{{1,4}}[\u4e00-\u9fff](?<![个次天周月年岁级分克毫升片粒])|[ \u3000\t]{{1,3}}[0-2]?[0-9][:：])"
        rf"|[0-9]?[./-]{day} {{0,2}}(?=[0-2]?[0-9][:：][0-5][0-9](?![0-9]))"
        rf"|(?<=[\n，。；,;（(于至者].)(?:(?<=[01])[0-2])?[./-]{day}(?= ?(?:[入出转][我本]?院|急诊|就诊|手术|复查))"
        rf"|[0-9]?[./-]{day}[至~到—](?:{month}[./-])?{day}(?![0-9.%/-]|[a-zA-Zμ个次天])"
        rf"(?=.{{0,6}}(?:期间|住院|出院|入院|ICU|门诊|随访|值班|检出))"
        rf")"
    )


def _is_sure(words: str) -> bool:
    """Whether a form in digits is a date by itself: a year of four digits, slashes or a time in it."""
    return words[:2] in ("19", "20") or "/" in words or ":" in words


def _loose(text: str, at: int, mark: str) -> Iterator[Span]:
    """Months, days and short forms that are dates only beside a sign: 于3月, 12月底, 当月5日上午."""
    months, month_before, days, day_before, short, short_before = _loose_dates()
    window = text[max(0, at - 6) : at]
    near = window[-3:]
    match = months.match(text, at) if mark in "月-~、至" else None
    if match and leading(match[0]) <= 12 and not near.endswith(("近", "约")):
        score = 0.6 if match[0][-1] in "旬底初末份" or month_before.search(near) else 0.0
    elif match := (days.match(text, at) if mark in "日号" else None):
        is_part = match[0][-1] in "晨午晚上间里"
        is_day = 1 <= leading(match[0]) <= 31 and day_before.search(near) and (is_part or near[-1:] in "月于至自")
        score = 0.55 if is_day else 0.0
    elif match := (short.match(text, at) if mark in "-./" else None):
        score = 0.6 if 1 <= leading(match[0]) <= 12 and short_before.search(window) else 0.0
    if match and score:
        yield Span(at, match.end(), PhiLabel.DATE.value, score)
