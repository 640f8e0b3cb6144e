"""A report as one self-contained HTML page: numbers, figures and tables, and a list of mistakes to go through."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any, Final, NamedTuple

from clinlp.errors import UsageError
from clinlp.report.assets import asset, policy, showable, template
from clinlp.report.figures import Picture

_SHOWN: Final = 2_000  # mistakes of a page; the JSON Lines file holds all


class Card(NamedTuple):
    """A number that matters: its name in both languages, the number, and what stands below it."""

    name: str
    value: str
    below: str = ""


class Table(NamedTuple):
    """A table of plain text; the first column names the row."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    below: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """One mistake of the list: facts to filter by, and words of the note where these were asked for.

    Attributes:
        words: Before, inside and after the place in the note.
    """

    note_id: str
    kind: str
    gold: str
    predicted: str
    place: str
    score: float | None
    words: tuple[str, str, str] | None = None


@dataclass(frozen=True, slots=True)
class Section:
    """A part of a report with a heading of its own."""

    title: str
    pictures: Sequence[Picture] = ()
    tables: Sequence[Table] = ()
    mistakes: Sequence[Row] = ()


@dataclass(frozen=True, slots=True)
class Report:
    """What a page shows, and all numbers for JSON.

    Attributes:
        mistakes: All of them, for JSON Lines; None where there can be none.
    """

    title: str
    summary: str
    cards: Sequence[Card]
    sections: Sequence[Section]
    method: str
    numbers: Mapping[str, Any]
    mistakes: Sequence[Mapping[str, Any]] | None = None

    @property
    def pictures(self) -> list[Picture]:
        """All figures, in order."""
        return [picture for section in self.sections for picture in section.pictures]

    def write(self, folder: Path) -> list[Path]:
        """Write `index.html`, `scores.json`, the figures and, where there are mistakes, `errors.jsonl`; give the files.

        Raises:
            UsageError: The folder cannot be written.
        """
        files = {"index.html": render_report(self), "scores.json": _json(self.numbers, 1)}
        if self.mistakes is not None:
            files["errors.jsonl"] = "".join(_json(each) for each in self.mistakes)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            for name, text in files.items():
                (folder / name).write_text(text, "utf-8")
        except OSError as error:
            raise UsageError(f"{folder}: a folder that can be written needed, got {error.strerror}") from None
        for picture in self.pictures:
            picture.write(folder / "figures")
        return [*(folder / name for name in files), *([folder / "figures"] if self.pictures else [])]


def render_report(report: Report) -> str:
    """Draw a report as one HTML page that opens offline."""
    style = asset("audit.css") + asset("report.css")
    script = asset("report.js")
    page = template("report.html").substitute(
        policy=policy(style, script),
        title=escape(report.title),
        style=style,
        script=script,
        summary=escape(report.summary),
        cards="".join(map(_card, report.cards)),
        links="".join(f'<a href="#s{at}">{escape(each.title)}</a>' for at, each in enumerate(report.sections)),
        sections="\n".join(_section(at, each) for at, each in enumerate(report.sections)),
        method=escape(report.method),
    )
    return showable(page)


def draw_table(heading: str, columns: Sequence[str], rows: Sequence[Sequence[str]], level: int = 2) -> str:
    """Draw a table of cells that are HTML already, with its heading, of the level given, above it."""
    head = "".join(f'<th scope="col">{column}</th>' for column in columns)
    body = "".join(
        f'<tr><th scope="row">{row[0]}</th>{"".join(f"<td>{cell}</td>" for cell in row[1:])}</tr>' for row in rows
    )
    return (
        f'<section><h{level}>{heading}</h{level}><div class="scroll" tabindex="0" role="group" aria-label="{heading}">'
        f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div></section>"
    )


def _card(card: Card) -> str:
    name, value, below = map(escape, card)
    return f'<div class="card"><span>{name}</span><b>{value}</b><span class="faint">{below}</span></div>'


def _section(at: int, section: Section) -> str:
    figures = "".join(
        f'<figure class="{"wide" if _is_wide(each) else ""}">{each.inline()}'
        f"<figcaption>{escape(' '.join(each.title))}</figcaption></figure>"
        for each in section.pictures
    )
    tables = "".join(
        draw_table(escape(each.title), [*map(escape, each.columns)], [[*map(escape, row)] for row in each.rows], 3)
        + (f'<p class="faint">{escape(each.below)}</p>' if each.below else "")
        for each in section.tables
    )
    return (
        f'<section class="part" id="s{at}" aria-labelledby="t{at}"><h2 id="t{at}">{escape(section.title)}</h2>'
        f'<div class="figures">{figures}</div>{tables}{"".join(_browser(section.mistakes))}</section>'
    )


def _is_wide(picture: Picture) -> bool:
    return picture.name == "epochs"


def _browser(mistakes: Sequence[Row]) -> Iterator[str]:
    """Draw the list of mistakes, with filters over it that need the script; without it, all are shown."""
    if not mistakes:
        return
    shown = mistakes[:_SHOWN]
    kinds = dict.fromkeys(each.kind for each in mistakes)
    labels = sorted({name for each in mistakes for name in (each.gold, each.predicted) if name})
    n = f"{len(mistakes):,}" if len(shown) == len(mistakes) else f"{_SHOWN:,} of {len(mistakes):,} 仅列前 {_SHOWN:,} 条"
    every = "all 全部"
    yield f'<section class="errors"><h3>Errors, one by one 逐条错误 <span class="faint">{n}</span></h3>'
    yield '<div class="filters" hidden>'
    yield _select("kind 类型", "kind", every, [*kinds])
    yield _select("label or code 类别或编码", "label", every, labels)
    yield '<label>find 查找 <input type="search" name="find"></label><output aria-live="polite"></output></div>'
    columns = ("note 病历", "kind 类型", "gold 标准", "predicted 预测", "place 位置", "score 置信度")
    with_words = any(each.words for each in shown)
    head = "".join(f'<th scope="col">{name}</th>' for name in (*columns, *(("text 原文",) if with_words else ())))
    yield '<div class="scroll tall" tabindex="0" role="group" aria-label="Errors 错误">'
    yield f"<table><thead><tr>{head}</tr></thead><tbody>"
    yield from (_row(each, with_words=with_words) for each in shown)
    yield "</tbody></table></div></section>"


def _select(name: str, key: str, every: str, values: Sequence[str]) -> str:
    options = "".join(f'<option value="{escape(value)}">{escape(value)}</option>' for value in values)
    return f'<label>{name} <select name="{key}"><option value="">{every}</option>{options}</select></label>'


def _row(row: Row, *, with_words: bool) -> str:
    score = "" if row.score is None else f"{row.score:.3f}"
    cells = [row.kind, row.gold or "–", row.predicted or "–", row.place, score]
    made = f'<tr><th scope="row">{escape(row.note_id)}</th>{"".join(f"<td>{escape(cell)}</td>" for cell in cells)}'
    if with_words:
        before, inside, after = map(escape, row.words or ("", "", ""))
        made += f'<td class="words"><bdi>{before}<mark>{inside}</mark>{after}</bdi></td>'
    return f"{made}</tr>"


def _json(numbers: Mapping[str, Any], indent: int | None = None) -> str:
    return json.dumps(numbers, ensure_ascii=False, indent=indent) + "\n"
