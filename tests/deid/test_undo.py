"""What a release took comes back: words, ids, dates, columns and exact borders, in any order and from any format."""

from __future__ import annotations

import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from datetime import date
from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clinlp.deid import Mode, default_detectors, deidentify, find_phi
from clinlp.deid.keys import new_key, read_key
from clinlp.deid.seal import read_entry, unseal
from clinlp.deid.undo import give_back, taken, undo
from clinlp.deid.vault import VaultWriter, read_vault, reidentify, seal
from clinlp.errors import DataError, UsageError
from clinlp.note import Diagnosis, Note
from clinlp.rewrite import Edit, rewrite
from clinlp.spans import Span

from .vault_cases import BOTH, EN, KEY, MODES, OTHER, make, no_phi, notes, release

# round trips


@given(notes(), st.sampled_from(MODES), st.booleans(), st.none() | st.dates())
def test_what_a_release_took_comes_back(note: Note, mode: Mode, keep: bool, shift: date | None) -> None:
    released = release(note, mode, ("ward", "age") if keep else (), shift=shift)
    entry = read_entry(seal(note, released, KEY))
    assert entry is not None
    held = unseal(entry, released, KEY)
    assert held is not None
    back = give_back(released, held)
    assert back == note
    assert list(back.fields) == list(note.fields)
    assert [span.score for _, span in back.spans()] == [span.score for _, span in note.spans()]


@given(notes(), st.data())
def test_whatever_stands_for_the_words_they_come_back(note: Note, data: st.DataObject) -> None:
    surrogates = st.sampled_from(("Rolvak", "诸葛", "4 May 2019", "Quoxly", " ", "\n", "\ufeff", "[", "\x00"))
    edits = [Edit(span.start, span.end, data.draw(surrogates)) for span in note.phi]
    released = replace(rewrite(note, edits), patient_id="p-other", time=date(2031, 1, 1), fields={"ward": "other"})
    entry = read_entry(seal(note, released, KEY))
    assert entry is not None
    held = unseal(entry, released, KEY)
    assert held is not None
    assert give_back(released, held) == replace(note, fields={"ward": "other", **note.fields})


@pytest.mark.parametrize(("text", "age"), [("Ann, aged 45 years.", (10, 18)), ("安女士，45岁入院。", (4, 7))])
def test_an_age_that_may_stay_as_it_was_gives_borders_back(text: str, age: tuple[int, int]) -> None:
    start, end = age
    note = Note("n", text, entities=(Span(start, start + 2, "NUMBER"),), phi=(Span(start, end, "AGE"),))
    edited = rewrite(note, [Edit(start, end, text[start:end])])
    assert edited.entities == (Span(start, end, "NUMBER"),)
    for released in (edited, note):
        assert give_back(released, taken(note, released)) == note


@given(notes(), st.sampled_from(MODES))
def test_undo_carries_what_was_found_in_the_release(note: Note, mode: Mode) -> None:
    released = release(note, mode)
    places = {span.label: span for span in released.phi}
    found = replace(released, entities=tuple(places.values()))
    back = rewrite(found, undo(note, released))
    assert back.text == note.text
    assert back.phi == note.phi
    assert set(back.entities) <= set(note.phi)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(notes(), min_size=1, max_size=6), st.sampled_from(MODES), st.randoms(use_true_random=False))
def test_a_dump_comes_back_in_any_order(tmp_path: Path, some: list[Note], mode: Mode, random: Random) -> None:
    originals = [replace(note, note_id=f"{note.note_id}-{at}") for at, note in enumerate(some)]
    path = tmp_path / "clinic.vault"
    path.unlink(missing_ok=True)
    released = [release(note, mode) for note in originals]
    make(path, originals, released)
    order = random.sample(range(len(originals)), len(originals))
    assert list(reidentify([released[at] for at in order], path, KEY)) == [originals[at] for at in order]


def test_what_the_rules_find_comes_back(tmp_path: Path) -> None:
    texts = (
        "Seen by Dr. Jane Doe on 03/12/2021, phone (212) 555-0147. Ann Lee, 93-year-old, denies chest pain.",
        "姓名：王小明，住院号：20240318，电话13800138000。2021年12月3日入院，主诉：胸痛三天。",
    )
    found = find_phi([Note(f"n{at}", text) for at, text in enumerate(texts)], default_detectors())
    assert all(note.phi for note in found)
    for mode in MODES:
        released = [deidentify(note, mode) for note in found]
        path = make(tmp_path / f"{mode}.vault", found, released)
        assert list(reidentify(released, path, KEY)) == found


@pytest.mark.parametrize("note", BOTH, ids=lambda note: note.lang)
def test_what_was_added_to_the_release_comes_along(tmp_path: Path, note: Note) -> None:
    released = release(note, "placeholder", ("ward", "病区"))
    path = make(tmp_path / "v", [note], [released])
    at = released.text.index("asthma" if note.lang == "en" else "哮喘")
    span = Span(at, at + 2, "NEW", 0.7)
    ward = next(iter(released.fields))
    studied = replace(
        released,
        entities=(*released.entities, span),
        diagnoses=(Diagnosis("X", 0.5, (span,)),),
        fields={ward: "changed", "grade": 3, "tokens": [[0, 1]], "sentences": [[0, 1]]},
    )
    [back] = reidentify([studied], path, KEY)
    assert isinstance(back, Note)
    assert back.diagnoses is not None
    [evidence] = back.diagnoses[0].evidence
    assert evidence in back.entities
    assert note.text[evidence.start : evidence.end] == released.text[at : at + 2]
    assert set(note.entities) < set(back.entities)
    assert back.fields == {**note.fields, ward: "changed", "grade": 3}


def test_a_number_that_csv_made_words_of_is_a_number_again() -> None:
    note = replace(EN, fields={"age": 7, "flag": True, "some": [1, 2]})
    released = release(note, "tag", ("age", "flag", "some"))
    held = taken(note, released)
    back = give_back(replace(released, fields={"age": "7", "flag": "true", "some": "[1, 2]"}), held)
    assert back == note


def test_a_release_that_lost_all_but_its_text_comes_back(tmp_path: Path) -> None:
    released = [release(note) for note in BOTH]
    path = make(tmp_path / "v", BOTH, released)
    bare = [Note(note.note_id, note.text) for note in released]
    for note, back in zip(BOTH, reidentify(bare, path, KEY), strict=True):
        assert back == replace(note, entities=(), phi=(), sections=(), diagnoses=None)


def test_several_releases_of_a_note_share_a_vault(tmp_path: Path) -> None:
    tagged, masked = release(EN, "tag"), release(EN, "mask")
    make(tmp_path / "v", [EN], [tagged])
    make(tmp_path / "v", [EN], [masked])
    assert list(reidentify([masked, tagged], tmp_path / "v", KEY)) == [EN, EN]


def test_of_two_entries_for_one_text_the_later_counts(tmp_path: Path) -> None:
    later = replace(EN, fields={"ward": "8"})
    make(tmp_path / "v", [EN, later], [release(EN), release(later)])
    assert list(reidentify([release(EN)], tmp_path / "v", KEY)) == [later]


def test_joined_vaults_are_one(tmp_path: Path) -> None:
    released = [release(note) for note in BOTH]
    parts = [make(tmp_path / note.note_id, [note], [each]) for note, each in zip(BOTH, released, strict=True)]
    joined = tmp_path / "joined"
    joined.write_bytes(b"".join(part.read_bytes() for part in parts))
    assert list(reidentify(released, joined, KEY)) == list(BOTH)
    joined.write_bytes(parts[0].read_bytes() + make(tmp_path / "other", [EN], [release(EN)], OTHER).read_bytes())
    with pytest.raises(UsageError, match="got another key"):
        read_vault(joined, KEY)


def test_a_note_with_nothing_taken_has_an_entry_too(tmp_path: Path) -> None:
    empty = Note("e", "")
    assert list(reidentify([empty], make(tmp_path / "v", [empty], [empty]), KEY)) == [empty]


def sealed_by_a_worker(notes: list[Note], key_file: Path) -> tuple[list[bytes], list[Note]]:
    """What a worker process does: it reads the key itself, and hands back lines and released notes alone."""
    key = read_key(key_file)
    released = [release(note) for note in notes]
    return [seal(*pair, key) for pair in zip(notes, released, strict=True)], released


def test_workers_seal_and_one_process_writes(tmp_path: Path) -> None:
    key, path = new_key(tmp_path / "key"), tmp_path / "v"
    chunks = [[replace(note, note_id=f"{note.note_id}-{at}") for note in BOTH] for at in range(4)]
    released = []
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(2, mp_context=spawn) as workers, VaultWriter(path, key) as vault:
        for lines, notes in workers.map(sealed_by_a_worker, chunks, [tmp_path / "key"] * len(chunks)):
            vault.write(lines)
            released += notes
    assert list(reidentify(released, path, key)) == [note for chunk in chunks for note in chunk]


# what is not sealed


@pytest.mark.parametrize("note", BOTH, ids=lambda note: note.lang)
def test_a_release_that_cannot_be_undone_is_not_sealed(note: Note) -> None:
    released = release(note)
    for wrong, message in (
        (replace(released, phi=released.phi[1:]), "a released PHI span for each of 3 needed to seal it, got 2"),
        (replace(released, text=released.text + "."), "a release that differs in its PHI alone needed"),
        (replace(released, text=released.text.replace("，", "。").replace(", ", "; ")), "differs in its PHI alone"),
    ):
        with pytest.raises(DataError, match=message) as caught:
            seal(note, wrong, KEY)
        assert no_phi(str(caught.value))


def test_what_json_cannot_hold_is_not_sealed() -> None:
    note = replace(EN, fields={"odd": object()})
    with pytest.raises(DataError, match="note en-1: "):
        seal(note, release(note), KEY)
