"""Use the installed wheel: `smoke.py CHECKOUT DEMO_OUTPUT`. Says nothing when all is well."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import spacy

import clinlp


def need(held: bool, what: str) -> None:
    """Stop with one line unless it holds."""
    if not held:
        sys.exit(f"smoke: {what}")


def check_demo(folder: Path) -> None:
    """The demo wrote notes whose spans fit their text, and a page."""
    lines = [line for path in sorted(folder.rglob("*.jsonl")) for line in path.read_text("utf-8").splitlines()]
    records = [json.loads(line) for line in lines]
    need(bool(records), f"{folder}: annotated records needed, got none")
    need({record.get("lang") for record in records} >= {"en", "zh"}, f"{folder}: both languages needed")
    for record in records:
        for kind in ("entities", "phi", "sections"):
            for span in record.get(kind, ()):
                fits = 0 <= span["start"] < span["end"] <= len(record["text"])
                need(fits, f"{record['note_id']}: {kind} span [{span['start']}, {span['end']}) leaves the text")
    need(any(record.get("entities") for record in records), f"{folder}: entities needed, got none")
    pages = list(folder.rglob("*.html"))
    need(bool(pages), f"{folder}: an HTML page needed, got none")
    need("Content-Security-Policy" in pages[0].read_text("utf-8"), f"{pages[0]}: no policy; is this the page?")


def check_pipe(lang: str, text: str, label: str) -> None:
    """The spaCy component finds PHI in a blank pipeline."""
    nlp = spacy.blank(lang)
    nlp.add_pipe("clinlp_phi")
    doc = nlp(text)  # held: a span group does not outlive its Doc
    found = {span.label_ for span in doc.spans["phi"]}
    need(label in found, f"clinlp_phi on {lang}: {label} needed, got {sorted(found)}")


def main(checkout: Path, demo: Path) -> None:
    """Check where the package came from, then use it."""
    home = Path(clinlp.__file__).resolve()
    need(not home.is_relative_to(checkout.resolve()), f"the installed wheel is needed, got {home}")
    need((home.parent / "py.typed").is_file(), "py.typed is not in the wheel")
    check_demo(demo)
    check_pipe("en", "Seen by Dr. Ada Lorne on 03/14/2021 for chest pain.", "DATE")
    check_pipe("zh", "患者于2021年3月14日因胸痛入院。", "DATE")


main(Path(sys.argv[1]), Path(sys.argv[2]))
