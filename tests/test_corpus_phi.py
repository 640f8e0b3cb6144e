"""Dense notes full of identifiers: spans hold what their slots wrote, held-out lines stay held out, seeds decide."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections import Counter
from itertools import pairwise
from pathlib import Path
from zlib import crc32

import pytest

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from clinlp.deid.categories import PhiLabel  # noqa: E402
from clinlp.records import to_record  # noqa: E402
from corpora.grammar import Choice, Slot, parse  # noqa: E402
from corpora.people import load_people  # noqa: E402
from corpora.phi_values import CAPPED_AGE, write_date  # noqa: E402
from corpora.queries import SHARES, phi_notes  # noqa: E402
from corpora.vocabulary import load_vocabulary  # noqa: E402

N_NOTES = 1500


@pytest.fixture(scope="module", params=["en", "zh"])
def lang(request):
    return request.param


@pytest.fixture(scope="module")
def notes(lang):
    return list(phi_notes(lang, N_NOTES, seed=11))


def words_of(notes, label):
    return [n.text[s.start : s.end] for n in notes for s in n.phi if s.label == label]


def lines(lang, prefix):
    return {name: pool for name, pool in load_vocabulary(lang).banks.items() if name.startswith(prefix)}


def used(notes):
    return {line for note in notes for line in note.fields["templates"].split()}


def held_out(lang):
    return {f"{name}:{crc32(line.encode()):08x}" for name, pool in lines(lang, "t_").items() for line in pool.held}


def test_the_same_seed_gives_the_same_notes_and_fewer_are_a_prefix(lang):
    once = list(phi_notes(lang, 40, seed=4))
    assert once == list(phi_notes(lang, 40, seed=4))
    assert once[:10] == list(phi_notes(lang, 10, seed=4))
    assert [n.text for n in once] != [n.text for n in phi_notes(lang, 40, seed=5)]


def test_spans_are_trimmed_flat_and_hold_a_letter_or_a_digit(notes):
    for note in notes:
        for span in note.phi:
            words = note.text[span.start : span.end]
            assert words == words.strip(), note.note_id
            assert words[-1] not in ",;:，；：。、", note.note_id
            assert re.search(r"\w", words), note.note_id
        assert all(a.end <= b.start for a, b in pairwise(note.phi)), note.note_id


def test_every_label_is_there(notes):
    labels = Counter(span.label for note in notes for span in note.phi)
    assert set(labels) == set(PhiLabel) - {PhiLabel.DEPARTMENT}  # departments stay by policy
    assert labels["NAME"] > labels["DATE"] > labels["AGE"] > 50


def test_all_kinds_are_there_and_negatives_hold_nothing(notes):
    assert {note.fields["kind"] for note in notes} == set(SHARES)
    empty = [note for note in notes if note.fields["kind"] == "negative"]
    assert len(empty) > N_NOTES / 10
    assert not any(note.phi for note in empty)


def test_ages_are_identifiers_from_90_on_alone(notes):
    ages = [int(found[0]) for words in words_of(notes, "AGE") if (found := re.findall(r"^\d+", words))]
    assert ages
    assert min(ages) > CAPPED_AGE


def test_ids_are_unique_and_records_round_trip(lang, notes):
    assert len({note.note_id for note in notes}) == len(notes)
    assert {note.lang for note in notes} == {lang}
    assert all(note.text.strip() for note in notes)
    assert all(json.loads(json.dumps(to_record(note)))["text"] == note.text for note in notes[:20])


def test_training_notes_use_no_held_out_line(lang, notes):
    held = held_out(lang)
    assert len(held) > 40
    assert not held & used(notes)
    assert held & used(phi_notes(lang, 300, seed=11, part="heldout"))


def test_at_least_300_queries_and_as_many_other_lines(lang):
    banks = lines(lang, "t_")
    queries = set(banks.pop("t_query").items)
    assert len(queries) >= 300
    assert len({line for pool in banks.values() for line in pool.items}) >= 300


def test_names_are_mostly_new_in_every_note(notes):
    names = [words.lower() for words in words_of(notes, "NAME") if len(words) > 2]
    assert len(set(names)) > 0.6 * len(names)


def test_a_title_is_no_part_of_a_name(notes):
    titles = re.compile(r"^(?:dr|mrs?|ms|prof|drs)[. ]|(?:医生|医师|主任|护士|教授|先生|女士)$", re.IGNORECASE)
    assert not [words for words in words_of(notes, "NAME") if titles.search(words)]


def slots_of(nodes):
    for node in nodes:
        if isinstance(node, Choice):
            for option in node.options:
                yield from slots_of(option)
        elif isinstance(node, Slot):
            yield node


def test_every_plain_slot_of_a_line_is_known(lang):
    vocabulary = load_vocabulary(lang)
    known = {*vocabulary.banks, *vocabulary.words, *load_people(lang).places, "n", "age", "id18"}
    known |= {"given", "surname", "initial", "middle", "nick", "initial2", "given_caps"}
    for name, pool in (lines(lang, "q_") | lines(lang, "t_")).items():
        for line in pool.items:
            plain = {s.name for s in slots_of(parse(line)) if not s.name.isupper()}
            assert {word[0].lower() + word[1:] for word in plain} <= known, (name, line)


@pytest.mark.parametrize(
    ("form", "words"),
    [
        ("~o of %B %Y", "22nd of March 2021"),
        ("~Y年~m月~d日", "二〇二一年三月二十二日"),
        ("%-m/%-d/%y", "3/22/21"),
    ],
)
def test_dates_are_written_in_words_too(form, words):
    from datetime import date

    assert write_date(date(2021, 3, 22), form) == words


def test_the_script_writes_json_lines(lang, tmp_path):
    out = tmp_path / "a.jsonl"
    command = [sys.executable, str(ROOT / "scripts/make_corpus.py"), "--kind", "phi", "--lang", lang]
    subprocess.run([*command, "--notes", "3", "--seed", "7", "-o", str(out)], check=True, cwd=tmp_path)
    assert [json.loads(line) for line in out.open(encoding="utf-8")] == [to_record(n) for n in phi_notes(lang, 3, 7)]
