"""Near-duplicates: what is alike is found, what is not is not, and the work grows with the notes alone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clinlp import Note, write_notes
from clinlp.data.checks import alike, near
from clinlp.data.checks.config import CheckConfig
from clinlp.data.checks.near import N_HASHES, MinHash, candidates, jaccard, normal, rows_of, shingles
from clinlp.data.checks.run import check

EN = "abcdefghijklmnopqrstuvwxyz    "
ZH = "患者入院查体温血压心率呼吸神志清楚双肺未闻及干湿啰音腹软无痛反跳肝脾触移动性浊阴肠鸣正常下肢水肿"


def text(draw: np.random.Generator, letters: str, n: int) -> str:
    return normal("".join(draw.choice(list(letters), n)))


def edited(draw: np.random.Generator, letters: str, original: str, n_edits: int) -> str:
    """Change single characters, delete some, insert others."""
    characters = list(original)
    for _ in range(n_edits):
        at = int(draw.integers(len(characters)))
        new = str(draw.choice(list(letters)))
        characters[at] = ("", new, characters[at] + new)[draw.integers(3)]
    return normal("".join(characters))


def find(texts: Sequence[str], similarity: float = 0.8, parts: Sequence[Sequence[bool]] = ()) -> set[tuple[int, int]]:
    found = [shingles(each) for each in texts]
    sign = MinHash().sign
    held = [np.array(part) for part in parts] or [np.ones(len(texts), bool)]
    sizes = np.array([len(each) for each in found])
    pairs = candidates(np.array([sign(each) for each in found]), sizes, held, similarity)
    return {(low, high) for low, high in pairs.tolist() if jaccard(found[low], found[high]) >= similarity}


@pytest.mark.parametrize("letters", [EN, ZH], ids=["en", "zh"])
@pytest.mark.parametrize(("n", "n_edits"), [(60, 1), (300, 5), (2000, 30)])
def test_edited_copies_are_found(letters: str, n: int, n_edits: int) -> None:
    draw = np.random.default_rng([n, len(letters)])
    originals = [text(draw, letters, n) for _ in range(60)]
    texts = [*originals, *(edited(draw, letters, each, n_edits) for each in originals)]
    exact = {(at, at + 60) for at in range(60) if jaccard(shingles(texts[at]), shingles(texts[at + 60])) >= 0.8}
    assert len(exact) >= 45
    found = find(texts)
    assert len(found & exact) >= 0.95 * len(exact)
    assert found <= exact  # random texts have nothing in common


@settings(max_examples=50)
@given(st.text(max_size=30), st.text(max_size=30))
def test_similarity_is_the_share_of_common_five_grams(one: str, other: str) -> None:
    one, other = normal(one), normal(other)

    def grams(each: str) -> set[str]:
        return {each[at : at + 5] for at in range(max(1, len(each) - 4))} if each else set()

    a, b = grams(one), grams(other)
    assert jaccard(shingles(one), shingles(other)) == (len(a & b) / len(a | b) if a | b else 1.0)


@pytest.mark.parametrize("share", [0.2, 0.5, 0.8, 0.95])
def test_signatures_estimate_the_share(share: float) -> None:
    generator = np.random.default_rng(7)
    sign, estimates = MinHash().sign, []
    for _ in range(50):
        both = generator.integers(0, 1 << 32, 600, np.uint32)
        n_common = int(600 * share)
        rest = (600 - n_common) // 2
        one, other = both[: n_common + rest], np.concatenate([both[:n_common], both[n_common + rest :]])
        estimates.append((sign(one) == sign(other)).mean())
    assert np.mean(estimates) == pytest.approx(share, abs=0.02)
    assert np.std(estimates) < 2 * (share * (1 - share) / N_HASHES) ** 0.5


@pytest.mark.parametrize("similarity", [0.5, 0.7, 0.8, 0.9, 1.0])
def test_bands_find_a_pair_of_the_wanted_similarity(similarity: float) -> None:
    rows = rows_of(similarity)
    assert 1 - (1 - similarity**rows) ** (N_HASHES // rows) >= 0.99


def test_bands_of_the_usual_similarity_are_narrow_enough_to_tell_others_apart() -> None:
    assert rows_of(0.8) == 6


def test_pairs_grow_with_the_number_of_texts_and_not_with_its_square() -> None:
    """A form filled in again and again: every text is like every other."""
    draw = np.random.default_rng(3)
    form = text(draw, EN, 400)
    n_pairs = [len(find([f"{form} {at:04d}" for at in range(n)])) for n in (100, 200, 400)]
    assert n_pairs[1] < 2.2 * n_pairs[0]
    assert n_pairs[2] < 2.2 * n_pairs[1]
    assert n_pairs[2] >= 8 * 400 * 0.9


def test_a_copy_in_another_part_is_found_in_a_crowded_bucket() -> None:
    """The one copy in train is compared with all of dev, however many of dev are alike."""
    draw = np.random.default_rng(4)
    form = text(draw, ZH, 300)
    texts = [f"{form}{'甲' * (at % 7)}{at:03d}" for at in range(120)]
    train = [at == 60 for at in range(120)]
    found = find(texts, parts=[train, [not each for each in train]])
    assert {at for pair in found for at in pair if 60 in pair} == set(range(120))


def test_short_and_empty_texts_have_their_place() -> None:
    assert len(shingles("")) == 0
    assert len(shingles("abc")) == 1
    assert jaccard(shingles("咳嗽"), shingles("咳嗽")) == 1.0
    assert jaccard(shingles("咳嗽"), shingles("咳痰")) == 0.0
    assert normal(" Fever\n\tAND　cough ") == "fever and cough"
    assert len(shingles(normal("a\ud800b"))) == 1


def test_rounds_that_fit_the_memory_find_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    draw = np.random.default_rng(5)
    notes = []
    for at in range(12):
        base = text(draw, (EN, ZH)[at % 2], 200)
        notes += [Note(f"a{at}", base), Note(f"b{at}", edited(draw, ZH, base, 2))]
    path = tmp_path / "notes.jsonl"
    write_notes(notes, path)
    whole = check({"data": path}, CheckConfig(examples=99))
    monkeypatch.setattr(alike, "_MEMORY", 1000)
    assert check({"data": path}, CheckConfig(examples=99)) == whole
    assert {(pair.note_id, pair.other_id) for pair in whole.pairs} == {(f"b{at}", f"a{at}") for at in range(12)}


def test_a_note_counts_if_any_before_it_is_alike_and_not_the_most_alike_alone(tmp_path: Path) -> None:
    base = text(np.random.default_rng(8), ZH, 300)
    notes = [
        Note("a", base),
        Note("b", base[:140] + "甲乙丙" + base[143:]),
        Note("c", base[:140] + "甲乙丁" + base[143:]),
    ]
    write_notes(notes, tmp_path / "notes.jsonl")
    found = check({"data": tmp_path / "notes.jsonl"})
    assert found.n("near_duplicate") == 2
    assert [(pair.note_id, pair.other_id) for pair in found.pairs] == [("c", "b"), ("b", "a")]


def test_signatures_are_compared_in_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    draw = np.random.default_rng(6)
    form = text(draw, EN, 200)
    texts = [f"{form}{at:03d}" for at in range(30)]
    whole = find(texts)
    monkeypatch.setattr(near, "_CHUNK", 7)
    assert find(texts) == whole
