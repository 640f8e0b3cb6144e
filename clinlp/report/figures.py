"""Figures as files and as part of a page: PNG, and SVG whose words stay words.

The same numbers make the same bytes on one machine. In SVG, Chinese shows wherever the viewer has a
font for it; in PNG, where the machine that drew it has.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from html import escape
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from clinlp.errors import MissingExtraError, UsageError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

INK: Final = "#1c2128"
FAINT: Final = "#5b6572"
LINE: Final = "#d9dde3"
PAPER: Final = "#ffffff"
COLOURS: Final = ("#0072b2", "#d55e00", "#009e73", "#b3589a", "#c88a00", "#3a9fd6", "#7a5fb0", "#6d7680")
"""Told apart by colour-blind readers too (after Okabe & Ito 2008), and dark enough on white, light enough on black."""

_PAGE: Final = {INK: "currentColor", FAINT: "var(--faint)", LINE: "var(--line)", PAPER: "var(--paper)"}
_CHINESE: Final = (
    "Noto Sans CJK SC",
    "Noto Sans SC",
    "Source Han Sans SC",
    "Source Han Sans CN",
    "PingFang SC",
    "Hiragino Sans GB",
    "Heiti SC",
    "Microsoft YaHei",
    "SimHei",
    "WenQuanYi Micro Hei",
    "WenQuanYi Zen Hei",
    "Droid Sans Fallback",
    "Arial Unicode MS",
)
_DPI: Final = 144


@dataclass(frozen=True, slots=True)
class Picture:
    """A drawn figure.

    Attributes:
        name: Stem of its files.
        title: Its heading, in English and Chinese.
        says: What it shows, for those who cannot see it.
    """

    name: str
    title: tuple[str, str]
    says: str
    svg: str = field(repr=False)
    png: bytes = field(repr=False)

    def write(self, folder: Path) -> None:
        """Write `NAME.svg` and `NAME.png`.

        Raises:
            UsageError: The folder cannot be written.
        """
        try:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / f"{self.name}.svg").write_text(self.svg, "utf-8")
            (folder / f"{self.name}.png").write_bytes(self.png)
        except OSError as error:
            raise UsageError(f"{folder}: cannot be written ({error.strerror})") from None

    def inline(self) -> str:
        """Give the SVG as an element of a page: in the page's colours and font, without styles or ids of its own."""
        body = self.svg[self.svg.index("<svg") :]
        body = re.sub(r"<(metadata|style)\b.*?</\1>", "", body, flags=re.DOTALL)
        body = re.sub(r"<[^!][^>]*>", lambda tag: _plain(tag[0], self.name), body)
        return body.replace("<svg", f'<svg class="figure" role="img" aria-label="{escape(self.says)}"', 1)


def picture(
    name: str,
    title: tuple[str, str],
    says: str,
    draw: Callable[[Figure], None],
    size: tuple[float, float] = (6.4, 4.2),
) -> Picture:
    """Draw one figure; nothing of matplotlib's own state is left changed.

    Args:
        draw: Draws on an empty figure.
        size: Width and height in inches.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    try:
        import matplotlib as mpl
        from matplotlib.figure import Figure
    except ImportError:
        raise MissingExtraError("matplotlib", "plots") from None
    svg, png = BytesIO(), BytesIO()
    with mpl.rc_context(_style()), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from")  # shown as boxes; the SVG has the words
        figure = Figure(figsize=size, layout="constrained")
        draw(figure)
        figure.savefig(svg, format="svg", metadata=dict.fromkeys(("Creator", "Date", "Format", "Type")))
        figure.savefig(png, format="png", dpi=_DPI, metadata={"Software": None})
    return Picture(name, title, says, svg.getvalue().decode("utf-8"), png.getvalue())


def words(english: str, chinese: str) -> str:
    """Name something on a figure in both languages, or in English alone where no font has Chinese."""
    return f"{english} {chinese}" if chinese_font() else english


def plain(label: str, longest: int = 40) -> str:
    """Give a label of somebody's as it is shown: one line, cut where it is long, never read as a formula."""
    label = re.sub(r"[^\S ]+|[\x00-\x1f\x7f\ud800-\udfff]", " ", label)
    label = label if len(label) <= longest else f"{label[: longest - 1]}…"
    return label.replace("$", r"\$")


@cache
def chinese_font() -> str | None:
    """Find a font with Chinese characters; None if this machine has none."""
    try:
        from matplotlib.font_manager import fontManager
    except ImportError:
        raise MissingExtraError("matplotlib", "plots") from None
    there = set(fontManager.get_font_names())
    return next((name for name in _CHINESE if name in there), None)


def _style() -> Any:
    """Say how all figures look, whatever the user's own settings are."""
    chinese = chinese_font()
    return {
        "svg.fonttype": "none",
        "svg.hashsalt": "clinlp",
        "font.family": ["DejaVu Sans", *([chinese] if chinese else ())],
        "font.size": 10.0,
        "text.color": INK,
        "text.usetex": False,
        "axes.edgecolor": FAINT,
        "axes.facecolor": "none",
        "axes.grid": True,
        "axes.axisbelow": True,
        "axes.labelcolor": INK,
        "axes.labelsize": 10.0,
        "axes.linewidth": 0.8,
        "axes.prop_cycle": _cycle(),
        "axes.spines.right": False,
        "axes.spines.top": False,
        "axes.unicode_minus": False,
        "figure.facecolor": PAPER,
        "grid.color": LINE,
        "grid.linewidth": 0.8,
        "legend.fontsize": 9.0,
        "legend.frameon": False,
        "lines.linewidth": 1.8,
        "savefig.bbox": None,
        "savefig.facecolor": "auto",
        "xtick.color": FAINT,
        "xtick.labelcolor": INK,
        "xtick.labelsize": 9.0,
        "ytick.color": FAINT,
        "ytick.labelcolor": INK,
        "ytick.labelsize": 9.0,
    }


def _cycle() -> Any:
    from matplotlib.rcsetup import cycler

    return cycler(color=COLOURS)


def _plain(tag: str, name: str) -> str:
    """Turn a tag's style into attributes, which a strict policy allows; keep ids that others refer to, made unique."""
    if tag.startswith(("<g ", "<svg")):
        tag = re.sub(r' id="[^"]*"', "", tag)
    tag = re.sub(r'( id="|url\(#|href="#)', rf"\g<1>{name}-", tag)
    return re.sub(r' style="([^"]*)"', lambda style: "".join(map(_attribute, style[1].split(";"))), tag)


def _attribute(rule: str) -> str:
    """Turn one rule of a style into an attribute; of a font its size alone."""
    key, _, value = (part.strip() for part in rule.partition(":"))
    if key == "font":
        size = re.search(r"([\d.]+)px", value)
        return f' font-size="{size[1]}"' if size else ""
    return f' {key}="{_PAGE.get(value.lower(), value)}"' if value else ""
