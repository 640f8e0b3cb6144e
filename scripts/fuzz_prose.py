"""Fuzz the reading of prose: `python scripts/fuzz_prose.py -max_total_time=3600` (needs `pip install atheris`).

Whatever the bytes say, tokens, sentences, sections and context come without an exception and with offsets
inside the text. Options are those of libFuzzer; a case that fails is written to the current folder.
"""

from __future__ import annotations

import sys

import atheris

with atheris.instrument_imports(include=["clinlp.text"]):
    from clinlp.spans import Span
    from clinlp.text.context import add_context
    from clinlp.text.language import detect_language
    from clinlp.text.sections import find_sections
    from clinlp.text.sentences import split_sentences
    from clinlp.text.tokens import tokenize


def read(data: bytes) -> None:
    """Read one text: its bytes are UTF-8, or a raw stretch of code points where they are not."""
    source = atheris.FuzzedDataProvider(data)
    places = [(source.ConsumeIntInRange(0, 400), source.ConsumeIntInRange(1, 40)) for _ in range(4)]
    held = source.ConsumeBytes(source.remaining_bytes())
    try:
        text = held.decode("utf-8", "surrogateescape")
    except UnicodeDecodeError:
        text = held.decode("latin-1")
    lang = detect_language(text)
    at = 0
    for start, end in tokenize(text):
        if not at <= start < end <= len(text):
            raise ValueError("a token lies outside the text or before the last one")
        at = end
    at = 0
    for start, end in split_sentences(text, lang):
        if not at <= start < end <= len(text):
            raise ValueError("a sentence lies outside the text or before the last one")
        at = end
    sections = find_sections(text, lang)
    if any(span.end > len(text) for span in sections):
        raise ValueError("a section ends after the text")
    spans = [Span(start, min(start + n, len(text)), "X") for start, n in places if start < len(text)]
    for span in add_context(text, spans, lang, sections):
        if span.context is None or any(cue.end > len(text) for cue in span.context.cues):
            raise ValueError("an entity has no context, or a cue ends after the text")


def main() -> None:
    atheris.Setup(sys.argv, read)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
