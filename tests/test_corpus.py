"""The corpus generator: same seed same notes, gold that fits the text, codes that fit the contexts."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from clinlp.labels import ENTITY_LABELS  # noqa: E402
from clinlp.note import Note  # noqa: E402
from clinlp.spans import Context, Span  # noqa: E402
from corpora.generator import make_notes  # noqa: E402
from corpora.grammar import Bank, Choice, Slot, parse  # noqa: E402
from corpora.pieces import ENTITIES, PHI  # noqa: E402
from corpora.vocabulary import DATA, MIN_TO_HOLD_OUT, Pool, is_held_out, load_vocabulary  # noqa: E402

LANGS = [lang for lang in ("en", "zh") if (DATA / lang / "templates.txt").exists()]
NOTE_TYPES = {"admission", "progress", "discharge", "radiology", "pathology", "operation", "outpatient", "nursing"}
N_NOTES = 180


@pytest.fixture(scope="module", params=LANGS)
def lang(request):
    return request.param


@pytest.fixture(scope="module")
def records(lang):
    return list(make_notes(lang, N_NOTES, seed=11))


def nodes_of(nodes):
    for node in nodes:
        yield node
        if isinstance(node, Choice):
            for option in node.options:
                yield from nodes_of(option)
        elif isinstance(node, Slot) and node.literal:
            yield from nodes_of(node.literal)


def test_the_same_seed_gives_the_same_notes(lang):
    once, again = list(make_notes(lang, 15, seed=4)), list(make_notes(lang, 15, seed=4))
    assert once == again
    assert [r["text"] for r in make_notes(lang, 15, seed=5)] != [r["text"] for r in once]


def test_fewer_notes_are_a_prefix_of_more(lang):
    assert list(make_notes(lang, 5, seed=4)) == list(make_notes(lang, 15, seed=4))[:5]


def test_every_span_is_valid_and_trimmed(records):
    for record in records:
        text = record["text"]
        spans = [*record["entities"], *record["phi"], *(e for d in record["diagnoses"] for e in d["evidence"])]
        for span in spans:
            words = text[span["start"] : span["end"]]
            assert words == words.strip() != "", (record["note_id"], span)
        for section in record["sections"]:
            assert 0 <= section["start"] < section["end"] <= len(text)


def test_records_make_notes(records):
    for record in records:
        spans = tuple(
            Span(e["start"], e["end"], e["label"], context=Context(**e["context"]) if "context" in e else None)
            for e in record["entities"]
        )
        note = Note(record["note_id"], record["text"], entities=spans)
        assert len(note.entities) == len(record["entities"])
    assert len({r["note_id"] for r in records}) == len(records)


def test_spans_are_flat(records):
    for record in records:
        spans = sorted((s["start"], s["end"]) for s in [*record["entities"], *record["phi"]])
        assert all(end <= start for (_, end), (start, _) in pairwise(spans)), record["note_id"]


def test_labels_of_all_kinds_are_there(records):
    labels = Counter(e["label"] for r in records for e in r["entities"])
    assert set(labels) == set(ENTITY_LABELS)
    assert {e["label"] for r in records for e in r["phi"]} <= PHI
    assert len({e["label"] for r in records for e in r["phi"]}) >= 15


def test_contexts_of_all_kinds_are_there(records):
    told = Counter((k, v) for r in records for e in r["entities"] for k, v in e.get("context", {}).items())
    kinds = {("negated", True), ("uncertain", True), ("historical", True), ("hypothetical", True)}
    assert kinds | {("experiencer", "family")} <= set(told)


def test_slots_with_given_words_hold_them(lang):
    """`{NAME:patient}` and friends: a drug slot holds a drug's name, a disease slot a disease's."""
    vocabulary = load_vocabulary(lang)
    known = {
        "DISEASE": {n for d in vocabulary.diseases for n in d.names.items},
        "DRUG": {n for e in vocabulary.entries["drugs"] for n in e.names.items}
        | {n for d in vocabulary.diseases for n in d.keys.get("d", ())},
    }
    known = {label: {name.lower() for name in names} for label, names in known.items()}
    hits, total = Counter(), Counter()
    for record in make_notes(lang, 100, seed=3):
        for entity in record["entities"]:
            if entity["label"] in known:
                words = record["text"][entity["start"] : entity["end"]].replace("\n", " ").lower()
                total[entity["label"]] += 1
                hits[entity["label"]] += words in known[entity["label"]]
    for label in known:  # the rest: typing errors, names with anatomy inside, words given in the bank
        assert hits[label] > 0.75 * total[label], (label, hits[label], total[label])


def test_codes_come_from_affirmed_mentions_alone(records):
    for record in records:
        denied = [
            (e["start"], e["end"])
            for e in record["entities"]
            if set(e.get("context", {})) - {"historical"}  # negated, uncertain, hypothetical or somebody else's
        ]
        for diagnosis in record["diagnoses"]:
            assert diagnosis["evidence"], (record["note_id"], diagnosis["code"])
            for evidence in diagnosis["evidence"]:
                assert not any(s < evidence["end"] and evidence["start"] < e for s, e in denied), record["note_id"]


def test_some_notes_name_the_disease_and_some_only_describe_it(records):
    labels = [{e["label"] for e in d["evidence"]} for r in records for d in r["diagnoses"]]
    assert any(found == {"DISEASE"} for found in labels)
    assert any(len(found) > 1 and "DISEASE" not in found for found in labels)


def test_at_least_60_templates_of_all_types(lang):
    templates = load_vocabulary(lang).templates
    assert len(templates) >= 60
    assert {template.note_type for template in templates} >= NOTE_TYPES
    assert len({template.name for template in templates}) == len(templates)


def test_vocabulary_is_broad(lang):
    vocabulary = load_vocabulary(lang)
    assert len({disease.code for disease in vocabulary.diseases}) >= 200
    assert len({disease.code[0] for disease in vocabulary.diseases}) >= 15  # chapters
    least = {"symptoms": 250, "tests": 200, "drugs": 250, "procedures": 150}
    for kind, number in least.items():
        assert sum(len(entry.names.items) for entry in vocabulary.entries[kind]) >= number, kind


def test_every_line_parses_and_names_known_slots_and_banks(lang):
    vocabulary = load_vocabulary(lang)
    for name, pool in vocabulary.banks.items():
        for line in pool.items:
            for node in nodes_of(parse(line)):
                if isinstance(node, Bank):
                    assert node.name in vocabulary.banks, (name, line)
                if isinstance(node, Slot) and node.name.isupper() and node.name != "SURNAME":
                    assert node.name in ENTITIES | PHI, (name, line)


def test_templates_name_known_banks_and_headings(lang):
    vocabulary = load_vocabulary(lang)
    for template in vocabulary.templates:
        for section in template.sections:
            assert section.label == "-" or section.label in vocabulary.headings, template.name
            for _, bank, _, _ in section.parts:
                assert bank in vocabulary.banks, (template.name, bank)


def test_training_notes_use_no_held_out_template(lang):
    names = Pool(template.name for template in load_vocabulary(lang).templates)
    used = Counter(r["fields"]["template"] for r in make_notes(lang, 120, seed=2))
    held = Counter(r["fields"]["template"] for r in make_notes(lang, 120, seed=2, part="heldout"))
    assert names.held
    assert not set(names.held) & set(used)
    assert set(names.held) & set(held)


def test_small_lists_and_first_names_are_never_held_out():
    words = [f"word {n}" for n in range(60)]
    assert Pool(words).held
    assert set(Pool(words).open) | set(Pool(words).held) == set(words)
    assert not Pool(words[: MIN_TO_HOLD_OUT - 1]).held
    first = next(word for word in words if is_held_out(word))
    assert first in Pool([first, *sorted(set(words) - {first})], keep_first=True).open


def test_train_and_test_share_no_text(lang):
    folder = DATA.parent / lang
    if not (folder / "train.jsonl").exists():
        pytest.skip(f"no committed {lang} sets yet")
    texts = {
        part: [json.loads(line)["text"] for line in (folder / f"{part}.jsonl").open(encoding="utf-8")]
        for part in ("train", "dev", "test")
    }
    assert not set(texts["train"]) & set(texts["dev"] + texts["test"])
    assert not set(texts["dev"]) & set(texts["test"])
    assert all(len(set(part)) == len(part) for part in texts.values())


@pytest.mark.parametrize(("part", "seed"), [("dev", 2), ("test", 3)])
def test_committed_sets_are_what_the_command_writes(lang, part, seed):
    path = DATA.parent / lang / f"{part}.jsonl"
    if not path.exists():
        pytest.skip(f"no committed {lang} sets yet")
    committed = [json.loads(line) for line in path.open(encoding="utf-8")]
    assert committed == list(make_notes(lang, len(committed), seed=seed, part="heldout"))


def test_the_script_writes_json_lines(tmp_path):
    out = tmp_path / "new" / "a.jsonl"
    command = [sys.executable, str(ROOT / "scripts/make_corpus.py"), "--lang", "en", "--notes", "3", "--seed", "7"]
    subprocess.run([*command, "-o", str(out)], check=True, cwd=tmp_path)
    assert [json.loads(line) for line in out.open(encoding="utf-8")] == list(make_notes("en", 3, seed=7))


def test_a_line_with_an_open_brace_is_an_error():
    with pytest.raises(ValueError, match="closing brace needed"):
        parse("takes {DRUG daily")


def test_choices_nest_and_lone_signs_are_text():
    nodes = parse("a <b|<c|{DRUG}>> < 5 {@bank} {SYMPTOM=x!neg!fam}")
    assert isinstance(nodes[1], Choice)
    assert Bank("bank") in nodes
    assert Slot("SYMPTOM", "", ("x",), ("neg", "fam")) in nodes
    assert "".join(n for n in nodes if isinstance(n, str)).count("<") == 1


def test_linking_words_are_no_entities(records):
    words = {r["text"][e["start"] : e["end"]].lower() for r in records for e in r["entities"]}
    assert not words & {"and", "of", "in", "of the", "in the", "with", "及", "和", "与", "的", ",", "/"}


def test_a_bank_opened_twice_is_an_error(tmp_path, monkeypatch):
    from corpora import vocabulary

    monkeypatch.setattr(vocabulary, "DATA", tmp_path)
    (tmp_path / "xx").mkdir()
    (tmp_path / "xx" / "banks.txt").write_text("[a]\none\n[b]\ntwo\n[a]\nthree\n", "utf-8")
    with pytest.raises(ValueError, match="a second"):
        vocabulary.load_vocabulary("xx")
