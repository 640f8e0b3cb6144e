"""The page at `/`: paste a note, see what is found, correct it, and save what trains.

It asks this service alone, keeps nothing, and its policy allows its own files and no others.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from html import escape
from importlib.resources import files
from string import Template
from typing import Final

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response

from clinlp.deid import PhiLabel
from clinlp.labels import ENTITY_LABELS
from clinlp.report.assets import asset
from clinlp.report.names import label_names

_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"
)


def add_page(app: FastAPI) -> None:
    """Add the page and its files."""
    for path, kind, text in (
        ("/", "text/html", _page()),
        ("/page.css", "text/css", _file("page.css")),
        *((f"/{name}.js", "text/javascript", _file(f"{name}.js")) for name in ("words", "service", "page", "files")),
        ("/report.css", "text/css", asset("marks.css") + asset("page.css")),
    ):
        app.add_route(path, _answer(kind, text), include_in_schema=False)


def _answer(kind: str, text: str) -> Callable[[Request], Response]:
    def give(_: Request) -> Response:
        return Response(text, media_type=kind, headers={"Content-Security-Policy": _POLICY})

    return give


@cache
def _page() -> str:
    """The page, with what the usual labels are called."""
    names = {
        "entities": [(label, *label_names("entities", label)) for label in ENTITY_LABELS],
        "phi": [(str(label), *label_names("phi", label)) for label in PhiLabel],
    }
    return Template(_file("page.html")).substitute(labels=escape(json.dumps(names, ensure_ascii=False)))


def _file(name: str) -> str:
    return files("clinlp.serve").joinpath(name).read_text("utf-8")
