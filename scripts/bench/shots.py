"""Take the pictures of the README: `python scripts/bench/shots.py`.

The page of the service and the page of `clinlp report`, in English and in Chinese, with notes of our own; written to
`docs/` as PNG of few colours, each under 100 kB. Needs Debian's chromium and Pillow (extra `plots`).
"""

from __future__ import annotations

import io
import json
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from clinlp.inference.pipeline import Pipeline, PipelineConfig
from clinlp.note import Note
from clinlp.records import read_notes
from clinlp.report.page import render
from clinlp.report.pairs import originals_of
from scripts.bench.browser import Browser

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
LANGS = {"en": "en-US", "zh": "zh-CN"}
MOST_BYTES = 100_000
SIZE = (1280, 860)


def note_of(lang: str) -> Note:
    """Give the note of the synthetic corpus that shows most: of middling length, with many labels and a diagnosis."""
    fits = (500, 900) if lang == "en" else (250, 420)
    read = read_notes(ROOT / "corpora" / lang / "test.jsonl")
    bare = [Note(note.note_id, note.text, lang=note.lang) for note in read if fits[0] < len(note.text) < fits[1]]
    found = [note for note in Pipeline(PipelineConfig(deid="off"))(bare[:60]) if isinstance(note, Note)]
    shows = max(found, key=lambda each: (bool(each.diagnoses), len({s.label for s in (*each.entities, *each.phi)})))
    return next(note for note in bare if note.note_id == shows.note_id)


@contextmanager
def service() -> Iterator[str]:
    """Serve with the bundled models; give the address."""
    import uvicorn

    from clinlp.serve import Client, ServeConfig
    from clinlp.serve.app import create_app
    from clinlp.serve.protocol import protocol
    from clinlp.serve.server import listen, settings

    config = ServeConfig(port=0)
    with listen(config) as listening:
        server = uvicorn.Server(settings(config, create_app(config), protocol(config.read_s)))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        with Client(url) as client:
            while not client.ready():
                time.sleep(0.05)
        yield url
        server.should_exit = True
        thread.join()


def keep(browser: Any, name: str) -> None:
    """Write what is seen, in as many colours as its size allows."""
    from PIL import Image

    with tempfile.TemporaryDirectory() as folder:
        taken = Path(folder) / "taken.png"
        browser.picture(taken)
        image = Image.open(taken).convert("RGB")
    for n_colours in (128, 64, 32, 16):
        written = io.BytesIO()
        image.quantize(n_colours, dither=Image.Dither.NONE).save(written, "PNG", optimize=True)
        if len(written.getvalue()) < MOST_BYTES:
            break
    else:
        raise RuntimeError(f"{name}: a picture under {MOST_BYTES:,} bytes needed, got {len(written.getvalue()):,}")
    DOCS.mkdir(exist_ok=True)
    (DOCS / f"{name}.png").write_bytes(written.getvalue())
    sys.stdout.write(f"{name}.png {len(written.getvalue()):,} bytes, {n_colours} colours\n")


def main() -> None:
    """Take all of them."""
    width, height = SIZE
    with tempfile.TemporaryDirectory() as folder, service() as url:
        for lang, locale in LANGS.items():
            bare = note_of(lang)
            with Browser(Path(folder) / lang, width=width, height=height, lang=locale) as browser:
                browser.open(f"{url}/")
                browser.wait("document.querySelectorAll('#deid option').length")
                browser.run(f"$('input').value = {json.dumps(bare.text)}; $('input').rows = 2; go()")
                browser.wait("$('plain').textContent && document.querySelector('.dx')", 60)
                browser.point(".dx")  # its evidence lights up
                keep(browser, f"page-{lang}")
                released = [each for each in Pipeline(PipelineConfig())([bare]) if isinstance(each, Note)]
                page = Path(folder) / f"{lang}.html"
                page.write_text(render(released, "clinlp report", originals_of(released, [bare])), "utf-8")
                browser.open(page)
                keep(browser, f"report-{lang}")


if __name__ == "__main__":
    main()
