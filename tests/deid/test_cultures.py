"""Names of many cultures are found at equal rates by the rules alone."""

from __future__ import annotations

from dataclasses import replace

import pytest

from clinlp.deid import default_detectors, find_phi
from clinlp.metrics.leakage import score_leakage
from corpora.cultures import EN, ZH, notes_of


def recall(lang: str, culture: str) -> float:
    gold = list(notes_of(lang, culture))
    found = find_phi([replace(note, phi=()) for note in gold], default_detectors())
    return score_leakage(gold, found).overall.character_recall


@pytest.mark.parametrize(("lang", "cultures"), [("en", EN), ("zh", ZH)])
def test_names_of_all_cultures_are_found_alike(lang, cultures):
    found = {culture: recall(lang, culture) for culture in cultures}
    lowest = min(found, key=lambda culture: found[culture])
    assert len(found) >= (20 if lang == "en" else 10)
    assert found[lowest] >= 0.97, {culture: round(share, 3) for culture, share in found.items()}
    assert max(found.values()) - found[lowest] <= 0.03, {culture: round(share, 3) for culture, share in found.items()}
