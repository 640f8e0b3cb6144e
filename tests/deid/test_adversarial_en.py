"""Short English queries and note lines meant to fool the rules, together: what leaks, and what else is removed.

Each of them is held to its exact spans in `test_cases`.
"""

from __future__ import annotations

import json
from pathlib import Path

from clinlp.deid import default_detectors, find_phi
from clinlp.metrics.leakage import score_leakage
from clinlp.note import Note
from clinlp.spans import Span

CASES = Path(__file__).parent.parent / "cases" / "adversarial_en.jsonl"


def gold_notes() -> list[Note]:
    records = [json.loads(line) for line in CASES.read_text("utf-8").splitlines()]
    return [
        Note(record["note_id"], record["text"], lang="en", phi=tuple(Span(*span) for span in record["phi"]))
        for record in records
    ]


def test_the_suite_leaks_little_and_keeps_the_rest() -> None:
    gold = gold_notes()
    found = find_phi([Note(note.note_id, note.text, lang="en") for note in gold], default_detectors())
    scores = score_leakage(gold, found)
    assert len(gold) >= 400
    assert sum(not note.phi for note in gold) >= 100  # what only looks like an identifier
    assert scores.overall.character_recall >= 0.99
    assert scores.over_redaction < 0.005
    assert scores.clean_share >= 0.99


def test_hidden_characters_do_not_hide_a_name() -> None:
    text = "Dr. Oka\u200bfor saw Mar\u00adisol Eche\u200dverria, MRN 44\u200b71923, tel \u202a555-214-8890\u202c."
    [found] = find_phi([Note("n", text, lang="en")], default_detectors())
    removed = {at for span in found.phi for at in range(span.start, span.end)}
    left = "".join(c for at, c in enumerate(text) if at not in removed)
    assert not any(word in left for word in ("Oka", "for", "Mar", "isol", "Eche", "verria", "44", "71923", "555"))
    assert "saw" in left
