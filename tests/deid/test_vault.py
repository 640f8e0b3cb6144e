"""The vault: whole originals back for the right key and text, nothing at all for any other."""

from __future__ import annotations

import base64
import json
import multiprocessing
import os
import stat
import traceback
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from datetime import date
from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clinlp.deid import Mode, default_detectors, deidentify, find_phi
from clinlp.deid.keys import Key, new_key, read_key
from clinlp.deid.seal import read_entry, unseal
from clinlp.deid.undo import give_back, taken, undo
from clinlp.deid.vault import VaultWriter, read_vault, reidentify, seal
from clinlp.errors import DataError, Failure, UsageError
from clinlp.note import Diagnosis, Note
from clinlp.rewrite import Edit, rewrite
from clinlp.spans import Span

from .vault_cases import KEY, MODES, OTHER, SENTINELS, notes, release

EN = Note(
    "en-1",
    "Zyxqwv Quoxly, MRN 90417735, has asthma. Seen 3 May 2019.",
    "p-90417735",
    "en",
    date(2019, 5, 3),
    entities=(Span(33, 39, "DISEASE"), Span(7, 39, "LONG")),
    phi=(Span(0, 13, "NAME"), Span(19, 27, "MRN"), Span(46, 56, "DATE")),
    sections=(Span(0, 57, "other"),),
    diagnoses=(Diagnosis("J45", 0.9, (Span(33, 39, "DISEASE"),)),),
    fields={"ward": "7b", "name": "Zyxqwv"},
)
ZH = Note(
    "中-1",
    "患者祁缇澜，住院号90417735，患哮喘。记录者：苏黎禾。",
    None,
    "zh",
    entities=(Span(19, 21, "DISEASE"),),
    phi=(Span(2, 5, "NAME"), Span(9, 17, "MRN"), Span(26, 29, "NAME")),
    fields={"病区": "七", "医生": "苏黎禾"},
)
BOTH = (EN, ZH)


def make(path: Path, originals: Iterable[Note], released: Iterable[Note], key: Key = KEY) -> Path:
    with VaultWriter(path, key) as vault:
        vault.write(seal(original, each, key) for original, each in zip(originals, released, strict=True))
    return path


def no_phi(words: str) -> bool:
    return not any(sentinel in words for sentinel in SENTINELS)


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


# fail closed


@pytest.mark.parametrize("note", BOTH, ids=lambda note: note.lang)
def test_a_text_that_was_changed_restores_nothing(tmp_path: Path, note: Note) -> None:
    released = release(note)
    path = make(tmp_path / "v", [note], [released])
    for changed in (
        replace(released, text=released.text + " "),
        replace(released, text=released.text.replace("哮", "喘").replace("asthma", "asthmA")),
        note,
    ):
        [failure] = reidentify([changed], path, KEY)
        assert isinstance(failure, Failure)
        assert "the text as it was released needed, got one that does not fit its entry" in failure.reason
        assert no_phi(repr(failure))


def test_a_note_that_is_not_in_the_vault_restores_nothing(tmp_path: Path) -> None:
    path = make(tmp_path / "v", [EN], [release(EN)])
    [failure] = reidentify([release(ZH)], path, KEY)
    assert failure == Failure(
        "", None, "中-1", "reidentify", "DataError", "note 中-1: an entry in the vault needed, got none"
    )


def test_an_entry_that_was_moved_to_another_note_opens_nothing(tmp_path: Path) -> None:
    twin = replace(EN, note_id="en-2", text=EN.text.replace("Zyxqwv", "Rolvak"))
    released = [release(EN), release(twin)]
    assert released[0].text == released[1].text
    path = make(tmp_path / "v", [EN, twin], released)
    header, *lines = path.read_bytes().splitlines(keepends=True)
    swapped = [lines[0].replace(b"en-1", b"en-2"), lines[1].replace(b"en-2", b"en-1")]
    path.write_bytes(header + b"".join(swapped))
    results = list(reidentify(released, path, KEY))
    assert all(isinstance(result, Failure) for result in results)


def test_any_flipped_bit_opens_nothing(tmp_path: Path) -> None:
    released = release(ZH)
    path = make(tmp_path / "v", [ZH], [released])
    header, line = path.read_bytes().splitlines(keepends=True)
    entry = json.loads(line)
    random = Random(7)  # noqa: S311  which bits, not a secret
    for name in ("nonce", "data"):
        held = bytearray(base64.b64decode(entry[name]))
        for _ in range(20):
            at, bit = random.randrange(len(held)), 1 << random.randrange(8)
            held[at] ^= bit
            path.write_bytes(header + json.dumps({**entry, name: base64.b64encode(held).decode()}).encode() + b"\n")
            held[at] ^= bit
            [failure] = reidentify([released], path, KEY)
            assert isinstance(failure, Failure)
    path.write_bytes(header + json.dumps({**entry, "data": entry["data"][:8]}).encode() + b"\n")
    [failure] = reidentify([released], path, KEY)
    assert isinstance(failure, Failure)


def test_a_wrong_key_is_said_before_any_note_is_read(tmp_path: Path) -> None:
    path = make(tmp_path / "v", [EN], [release(EN)])

    def never() -> Iterable[Note]:
        pytest.fail("a note was read")
        yield EN

    with pytest.raises(UsageError, match="the key that the vault was made with needed, got another key"):
        reidentify(never(), path, OTHER)
    with pytest.raises(UsageError, match="got another key"):
        VaultWriter(path, OTHER)


def test_a_wrong_key_opens_no_entry_behind_a_right_header() -> None:
    released = release(EN)
    entry = read_entry(seal(EN, released, OTHER))
    assert entry is not None
    assert unseal(entry, released, KEY) is None
    assert unseal(entry, released, OTHER) is not None


@pytest.mark.parametrize("data", [b"", b"{}", b'{"note_id": "n", "text": "x"}\n', b"\x89PNG\r\n", b"[1]\n"])
def test_what_is_no_vault_is_said(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "v"
    path.write_bytes(data)
    with pytest.raises(UsageError, match="v: a vault needed, got another file"):
        read_vault(path, KEY)
    if data:
        with pytest.raises(UsageError, match="v: a vault needed, got another file"):
            VaultWriter(path, KEY)
    assert path.read_bytes() == data


def test_another_version_is_said(tmp_path: Path) -> None:
    path = make(tmp_path / "v", [EN], [release(EN)])
    path.write_bytes(path.read_bytes().replace(b'"v":1', b'"v":2', 1))
    with pytest.raises(UsageError, match="a vault of version 1 needed, got one of another version"):
        read_vault(path, KEY)


def test_a_missing_vault_or_folder_is_said(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="none: vault needed, got none"):
        reidentify([], tmp_path / "none", KEY)
    with pytest.raises(UsageError, match="vault cannot be read"):
        read_vault(tmp_path, KEY)
    with pytest.raises(UsageError, match="vault cannot be written"):
        VaultWriter(tmp_path / "nowhere" / "v", KEY)


def test_a_failure_stays_one(tmp_path: Path) -> None:
    path = make(tmp_path / "v", [EN], [release(EN)])
    failure = Failure("dump.jsonl", 1, "x", "read", "DataError")
    assert list(reidentify([failure, release(EN)], path, KEY)) == [failure, EN]


# the file


@pytest.mark.parametrize("n_lost", [1, 2, 30, 150])
def test_a_vault_that_was_cut_off_keeps_the_other_entries(tmp_path: Path, n_lost: int) -> None:
    released = [release(note) for note in BOTH]
    path = make(tmp_path / "v", BOTH, released)
    path.write_bytes(path.read_bytes()[:-n_lost])
    with read_vault(path, KEY) as vault:
        whole = n_lost == 1  # the line's end alone
        assert (vault.n_entries, vault.n_broken) == (1 + whole, 1 - whole)
    results = list(reidentify(released, path, KEY))
    assert results[0] == EN
    assert isinstance(results[1], Note) == whole
    make(path, [ZH], [released[1]])  # the job goes on
    assert list(reidentify(released, path, KEY)) == list(BOTH)


def test_no_plain_word_is_in_the_vault(tmp_path: Path) -> None:
    released = [release(note, mode) for note in BOTH for mode in MODES]
    path = make(tmp_path / "v", [note for note in BOTH for _ in MODES], released)
    data = path.read_bytes()
    for words in (*SENTINELS, "asthma", "哮喘", "2019", "ward", "p-90417735"):
        assert words.encode() not in data
        assert json.dumps(words).strip('"').encode() not in data
        for shift in range(3):  # in base64 a word looks like one of three things
            packed = base64.b64encode(b"\0" * shift + words.encode()).decode()
            assert packed[4:-4].encode() not in data or len(packed) <= 12
    assert KEY.secret not in data
    assert KEY.secret.hex().encode() not in data
    assert base64.b64encode(KEY.secret) not in data


def test_no_nonce_comes_twice() -> None:
    released = release(EN)
    entries = [read_entry(seal(EN, released, KEY)) for _ in range(200)]
    nonces = {entry["nonce"] for entry in entries if entry is not None}
    assert len(nonces) == 200
    assert all(len(base64.b64decode(nonce)) == 12 for nonce in nonces)


@pytest.mark.skipif(os.name != "posix", reason="files have no modes here")
def test_a_vault_is_for_its_owner_alone(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        path = make(tmp_path / "v", [EN], [release(EN)])
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is full")
def test_a_full_disk_is_said() -> None:
    with pytest.raises(UsageError, match="vault cannot be written"):
        VaultWriter(Path("/dev/full"), KEY)


@pytest.mark.skipif(os.name != "posix", reason="no limit of a file's size here")
def test_an_entry_that_did_not_fit_leaves_no_trace(tmp_path: Path) -> None:
    import resource

    path = make(tmp_path / "v", [EN], [release(EN)])
    before = path.read_bytes()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    with VaultWriter(path, KEY) as vault:
        resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + 100, hard))
        try:
            with pytest.raises(UsageError, match="vault cannot be written"):
                vault.write([seal(ZH, release(ZH), KEY)])
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert path.read_bytes() == before


def test_errors_hold_neither_words_nor_key(tmp_path: Path) -> None:
    path = make(tmp_path / "v", [EN], [release(EN)])
    bad = replace(release(EN), text=EN.text)
    said = []
    for act in (
        lambda: read_vault(path, OTHER),
        lambda: read_vault(path, KEY).restore(bad),
        lambda: seal(EN, bad, KEY),
    ):
        with pytest.raises((UsageError, DataError)) as caught:
            act()
        said.append("".join(traceback.format_exception(caught.value)))
        assert repr(caught.value.args)
    for words in (*SENTINELS, KEY.secret.hex(), repr(KEY.secret), OTHER.secret.hex(), repr(OTHER.secret)):
        assert not any(words in each.replace(str(tmp_path), "") for each in said)
