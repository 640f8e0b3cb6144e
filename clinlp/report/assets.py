"""What every page is made of: its files, and the policy that keeps it from asking anything of a network."""

from __future__ import annotations

import base64
import hashlib
import re
from functools import cache
from importlib.resources import files
from string import Template
from typing import Final

UNSHOWABLE: Final = r"[\x00\ud800-\udfff]"  # no HTML file can hold these


@cache
def asset(name: str) -> str:
    """Read a file of this room."""
    return files("clinlp.report").joinpath(name).read_text("utf-8")


def template(name: str) -> Template:
    """Give a page of this room: the head that all of them have, and a body of its own."""
    return Template(asset("head.html") + asset(name))


def policy(style: str, script: str = "") -> str:
    """Allow this style and this script, by their hashes, and nothing else."""
    allowed = "; ".join(
        f"{kind} 'sha256-{base64.b64encode(hashlib.sha256(part.encode('utf-8')).digest()).decode('ascii')}'"
        for kind, part in (("style-src", style), ("script-src", script))
        if part
    )
    return f"default-src 'none'; {allowed}; base-uri 'none'; form-action 'none'"


def showable(page: str) -> str:
    """Show a lone surrogate or NUL as U+FFFD."""
    return re.sub(UNSHOWABLE, "\ufffd", page)
