"""What the bundled models are trained on: synthetic notes, and public corpora whose licence lets weights ship."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import chain, islice
from pathlib import Path

from clinlp.deid import default_detectors, find_phi
from clinlp.labels import ENTITY_LABELS
from clinlp.note import Diagnosis, Note
from clinlp.records import from_record, read_notes
from clinlp.spans import Span
from corpora.generator import make_brief_notes, make_notes
from corpora.policy import under_policy
from corpora.queries import phi_notes
from corpora.written import varied, written_notes

ANNOTATED = "annotated"  # column that names the labels of a corpus
SURE_NAME = 0.6  # below it the rules only guess a name
WRITTEN_TIMES = 6  # variations of each note written by hand
FINE = {"Duration": "DURATION", "Frequency": "FREQUENCY"}  # finer types of maccrobat2020 that its 12 labels leave out


def under_our_labels(note: Note, renamed: Mapping[str, str]) -> Note:
    """Put a public corpus's spans under the package's labels; those that have none there are left out."""
    spans = [Span(s.start, s.end, renamed.get(s.label, s.label)) for s in note.entities]
    fine = [Span(a, b, FINE[kind]) for a, b, kind in note.fields.get("entities_fine", ()) if kind in FINE]
    return replace(note, entities=tuple(s for s in (*spans, *fine) if s.label in ENTITY_LABELS))


def public_notes(model: str, data: Path, part: str) -> Iterator[Note]:
    """Give the notes of public corpora that a bundled model may learn from."""
    if model == "entities-en":
        for note in read_notes(data / "en" / "maccrobat2020" / f"{part}.jsonl"):
            yield under_our_labels(note, {})
    if model == "diagnosis-en":
        yield from read_notes(data / "en" / "codiesp_en" / f"{part}.jsonl")
    if model == "phi-en" and part == "train":  # records that hold next to no PHI: what the rules find there is it
        for note in find_phi([*_english_prose(data / "en")], default_detectors()):
            yield replace(note, phi=tuple(span for span in note.phi if not _is_guess(span)))
    if model == "phi-zh" and part == "train":
        yield from _word_lists(data / "zh" / "facts" / "lexicon" / "THUOCL_medical.txt")


def partial_notes(model: str, data: Path) -> Iterator[Note]:
    """Give training notes of public corpora that annotate some of the model's labels, named in a column of their own.

    Diseases of bc5cdr are left out: symptoms are among them.
    """
    if model == "entities-en":
        for name, renamed, label in (("ncbi_disease", {}, "DISEASE"), ("bc5cdr", {"CHEMICAL": "DRUG"}, "DRUG")):
            for note in read_notes(data / "en" / name / "train.jsonl"):
                spans = tuple(span for span in under_our_labels(note, renamed).entities if span.label == label)
                yield replace(note, entities=spans, fields={ANNOTATED: [label]})


def _is_guess(span: Span) -> bool:
    """Whether the rules took a word for a name because it is no other: in a paper mostly a term."""
    return span.label == "NAME" and span.score is not None and span.score < SURE_NAME


def _english_prose(folder: Path) -> Iterator[Note]:
    """Give case reports, abstracts, transcripts and dialogues: eponyms, trials and places that are no PHI."""
    for name in ("maccrobat2020", "mts_dialog", "ncbi_disease"):
        yield from read_notes(folder / name / "train.jsonl")
    for name in ("mtsamples", "e3c_raw"):
        yield from islice(read_notes(folder / name / "notes.jsonl"), 0, None, 8)


def _word_lists(path: Path) -> Iterator[Note]:
    """Give lists of medical words: none of them is a person, however it begins."""
    words = [line.split("\t")[0].strip() for line in path.read_text("utf-8").splitlines()]
    rng = random.Random(path.name)  # noqa: S311 - an order of words, not a secret
    rng.shuffle(words)
    at = 0
    while at < len(words):
        n_words = rng.randint(2, 30)
        yield Note(f"words-{at}", rng.choice("、，；\n").join(words[at : at + n_words]) + "。", lang="zh")
        at += n_words


def synthetic_notes(model: str, n_notes: int, seed: int, part: str) -> Iterator[Note]:
    """Make notes; one without a diagnosis is annotated with none. For PHI two in three are dense; written ones join."""
    task, _, lang = model.partition("-")
    if task == "phi":
        yield from _phi_notes(lang, n_notes, seed, part)
        return
    made = [make_notes(lang, n_notes, seed, part)]
    if task == "diagnosis":  # a code is to be found where a single line names it, too
        n_brief = 3 * n_notes // 2 if lang == "en" else n_notes
        made.append(make_brief_notes(lang, n_brief, seed, part))
    for record in chain.from_iterable(made):
        note = from_record(record)
        yield replace(note, diagnoses=tuple(Diagnosis(d.code) for d in note.diagnoses or ()))


def _phi_notes(lang: str, n_notes: int, seed: int, part: str) -> Iterator[Note]:
    yield from phi_notes(lang, 2 * n_notes // 3, seed, part)
    if part == "train":
        yield from varied(written_notes(lang, "train"), WRITTEN_TIMES, seed)
    else:
        yield from written_notes(lang, "dev")
    for record in make_notes(lang, n_notes // 3, seed, part):  # whole notes mark what stays by policy too
        yield under_policy(from_record(record))
