"""`clinlp audit`: spans and texts of any tool, joined by id, and never a word of a note."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest

from .cli_cases import NAME, RULES, SENTINEL, Command

EN = f"Patient: Mr. {NAME}. Seen on 03/12/2021, denies chest pain."
ZH = f"姓名：王小明（{SENTINEL}），住院号：20240318，否认发热。"


def at(text: str, words: str, label: str) -> list[Any]:
    start = text.index(words)
    return [start, start + len(words), label]


def write(path: Path, rows: Iterable[Mapping[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), "utf-8")
    return path


def gold_rows(n: int = 4) -> list[dict[str, Any]]:
    """English and Chinese notes in turn, two of each patient."""
    rows = []
    for number in range(n):
        text, words = EN, [(NAME, "NAME"), ("03/12/2021", "DATE")]
        if number % 2:
            text, words = ZH, [("王小明", "NAME"), (SENTINEL, "NAME"), ("20240318", "MRN")]
        phi = [at(text, *each) for each in words]
        patient = f"{SENTINEL}{number // 2}"
        rows.append({"note_id": f"n{number}", "text": text, "patient_id": patient, "phi": phi})
    return rows


def released(row: Mapping[str, Any], tag: str = "[PHI]") -> str:
    text = str(row["text"])
    for start, end, _ in sorted(row["phi"], reverse=True):
        text = text[:start] + tag + text[end:]
    return text


class Audits:
    """Runs the command on rows, and checks that nothing it says or writes holds the sentinel."""

    def __init__(self, clinlp: Command, folder: Path) -> None:
        self._clinlp, self._folder = clinlp, folder

    def __call__(self, gold: Path | list[dict[str, Any]], predicted: Path | list[dict[str, Any]], *more: str) -> Any:
        paths = [
            each if isinstance(each, Path) else write(self._folder / name, each)
            for name, each in (("gold.jsonl", gold), ("predicted.jsonl", predicted))
        ]
        files = [self._folder / name for name in ("audit.json", "audit.html")]
        self.done = self._clinlp("audit", *paths, "--json", files[0], "--html", files[1], "--resamples", "200", *more)
        said = self.done.out + self.done.err + "".join(file.read_text("utf-8") for file in files if file.exists())
        assert SENTINEL not in said
        assert "王小明" not in said
        return json.loads(files[0].read_text("utf-8")) if files[0].exists() else None


@pytest.fixture
def audits(clinlp: Command, tmp_path: Path) -> Audits:
    return Audits(clinlp, tmp_path)


def test_spans_over_the_same_text(audits: Audits) -> None:
    gold = gold_rows()
    found = json.loads(json.dumps(gold))
    found[1]["phi"][0][1] -= 1  # 王小 of 王小明
    found[2]["phi"].append(at(EN, "chest", "NAME"))
    scores = audits(gold, found)
    assert (audits.done.code, audits.done.err) == (0, "")
    assert scores["coverage"]["n_by_spans"] == 4
    assert (scores["overall"]["n_spans"], scores["overall"]["n_spans_removed"]) == (10, 9)
    assert scores["labels"]["NAME"]["n_characters_removed"] == scores["labels"]["NAME"]["n_characters"] - 1
    assert scores["labels"]["NAME"]["note_recall"]["value"] == 0.75
    assert scores["over_redaction"]["n_characters_removed"] == 5
    assert (scores["bound"]["unit"], scores["bound"]["n"], scores["bound"]["n_leaking"]) == ("patients", 2, 1)
    [leak] = scores["leaks"]
    assert leak == {"note_id": "n1", "start": 3, "end": 6, "label": "NAME", "n_characters_left": 1, "n_letters_left": 1}
    assert "1 of 2 patients with PHI leak: at most 97.47 % do" in audits.done.out


def test_the_order_of_the_notes_has_no_say(audits: Audits) -> None:
    gold = gold_rows(20)
    found = [row | {"phi": row["phi"][:1]} for row in gold]
    one, other = audits(gold, found), audits(gold, found[::-1])
    assert one["overall"]["n_spans_removed"] == other["overall"]["n_spans_removed"] == 20
    assert one["labels"].keys() == other["labels"].keys()


@pytest.mark.parametrize("tag", ["[PHI]", "<PHI-1>", "****", "____", "【隐私】", ""])
def test_the_text_of_any_tool(audits: Audits, tmp_path: Path, tag: str) -> None:
    gold = gold_rows()
    with (tmp_path / "tool.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "deid_text"])
        writer.writerows([row["note_id"], released(row, tag)] for row in gold)
    scores = audits(write(tmp_path / "gold.jsonl", gold), tmp_path / "tool.csv", "--text-column", "deid_text")
    assert audits.done.line.startswith("clinlp: texts differ: all 4 notes are scored by their text")
    assert scores["coverage"]["n_by_text"] == 4
    assert scores["overall"]["span_recall"]["value"] == 1.0
    assert scores["over_redaction"]["value"] == 0.0
    assert scores["leaks"] == []


@pytest.mark.parametrize("mode", ["tag", "mask", "placeholder"])
def test_our_own_release_scores_as_its_spans_do(audits: Audits, clinlp: Command, tmp_path: Path, mode: str) -> None:
    gold = write(tmp_path / "g.jsonl", gold_rows())
    assert clinlp("deidentify", gold, "-o", tmp_path / "released.jsonl", "--mode", mode).code == 0
    assert clinlp("annotate", gold, "-o", tmp_path / "out", "--deid", "off", *RULES).code == 0
    by_text = audits(gold, tmp_path / "released.jsonl")
    by_spans = audits(gold, tmp_path / "out")
    assert by_spans["coverage"]["n_by_spans"] == by_text["coverage"]["n_by_text"] == 4
    for key in ("overall", "labels", "leaks"):
        assert by_text[key] == by_spans[key]


def test_one_note_with_a_changed_text_makes_text_count(audits: Audits) -> None:
    gold = gold_rows()
    mixed = [gold[0] | {"text": released(gold[0]), "phi": []}, *gold[1:]]  # marked, and still all there
    scores = audits(gold, mixed)
    assert (scores["coverage"]["n_by_text"], scores["coverage"]["n_unchanged"]) == (4, 3)
    assert scores["overall"]["n_notes_clean"] == 1
    scores = audits(gold, mixed, "--by", "spans")
    assert (scores["coverage"]["n_by_spans"], scores["coverage"]["n_other_text_left_out"]) == (3, 1)
    assert scores["overall"]["n_notes_clean"] == 3
    assert "notes with another text than GOLD's, so that spans cannot be compared, not scored: 1" in audits.done.line


def test_text_alone_counts_where_it_is_asked_for(audits: Audits) -> None:
    scores = audits(gold_rows(), gold_rows(), "--by", "text")
    assert scores["overall"]["n_spans_removed"] == 0
    assert scores["bound"]["share_leaking_at_most"] == 1.0


def test_spaces_and_marks_are_told_apart(audits: Audits) -> None:
    gold = gold_rows(2)
    first, last = (at(EN, word, "NAME") for word in NAME.split())
    found = [gold[0] | {"phi": [first, last, gold[0]["phi"][1]]}, gold[1]]
    scores = audits(gold, found)
    assert [leak["n_letters_left"] for leak in scores["leaks"]] == [0]
    assert "leaked spans that keep nothing but spaces or marks: 1;" in audits.done.out
    assert audits(gold, found, "--words-only")["leaks"] == []


def test_what_is_to_be_ignored_counts_neither_way(audits: Audits) -> None:
    gold = [
        row | {"phi_ignore": [at(row["text"], "chest" if row["text"] == EN else "发热", "X")]} for row in gold_rows()
    ]
    found = [row | {"phi": [*row["phi"], *row["phi_ignore"]]} for row in gold]
    assert audits(gold, found)["over_redaction"]["n_characters_removed"] == 0


def test_what_cannot_be_joined_is_counted_and_said(audits: Audits, tmp_path: Path) -> None:
    gold = gold_rows(5)
    found = [gold[0], gold[0], gold[1], gold[2] | {"text": 7}, gold[3], gold[4] | {"note_id": "other"}]
    scores = audits(gold, found)
    coverage = {key: n for key, n in scores["coverage"].items() if n}
    assert coverage == {
        "n_gold": 5,
        "n_predicted": 6,
        "n_predicted_twice": 1,
        "n_predicted_unreadable": 1,
        "n_missing": 2,
        "n_extra": 1,
        "n_by_spans": 3,
    }
    lines = audits.done.err.splitlines()
    assert any(line.endswith('predicted.jsonl:4: "text" needs to be a string, got number') for line in lines)
    assert any("records left out, for their id came before: 1" in line for line in lines)
    assert any("notes that are not in PREDICTED, not scored: 2; the first: n2" in line for line in lines)
    assert any("notes that are not in GOLD, not scored: 1; the first: other" in line for line in lines)
    assert audits.done.code == 0


def test_other_notes_under_the_same_ids_are_suspected(audits: Audits) -> None:
    gold = gold_rows(2)
    audits(gold, [gold[0] | {"text": "Nothing alike here", "phi": []}, gold[1]])
    assert "notes that share under a fifth of their text with GOLD's: 1" in audits.done.err


def test_nothing_to_score_is_an_error(audits: Audits) -> None:
    gold = gold_rows(2)
    assert audits(gold, [row | {"note_id": f"x{row['note_id']}"} for row in gold]) is None
    assert audits.done.code == 1
    assert "got none that can be scored (2 missing, 2 of other ids, 0 with another text)" in audits.done.err
    assert audits([row | {"phi": []} for row in gold], gold) is None
    assert audits.done.code == 1
    assert "PHI needed in a note that both sides hold, got none in 2 notes" in audits.done.err
    assert audits([gold[0] | {"phi_ignore": [NAME]}], gold[:1]) is None
    assert (audits.done.code, "phi_ignore needs" in audits.done.line) == (1, True)


@pytest.mark.parametrize(
    ("more", "code", "message"),
    [
        (("--level", "95"), 2, "level"),
        (("--by", "guess"), 2, "'guess' is not one of"),
        (("--text-column", "nowhere"), 1, 'no "nowhere"'),
    ],
)
def test_bad_usage(audits: Audits, more: tuple[str, str], code: int, message: str) -> None:
    assert audits(gold_rows(), gold_rows(), *more) is None
    assert audits.done.code == code
    assert message in audits.done.err


def test_what_cannot_be_written_is_said(clinlp: Command, tmp_path: Path) -> None:
    path = write(tmp_path / "gold.jsonl", gold_rows())
    done = clinlp("audit", path, path, "--json", tmp_path / "none" / "audit.json")
    assert (done.code, "cannot be written" in done.line) == (2, True)


@pytest.mark.parametrize("mode", ["tag", "mask", "placeholder"])
def test_a_release_in_the_place_of_gold_is_refused(clinlp: Command, tmp_path: Path, mode: str) -> None:
    """Its PHI is replaced, so that the notes as they were seem to have lost it all."""
    gold = write(tmp_path / "gold.jsonl", gold_rows())
    assert clinlp("deidentify", gold, "-o", tmp_path / "out.jsonl", "--mode", mode, "--phi", "off").code == 0
    done = clinlp("audit", tmp_path / "out.jsonl", gold)
    assert done.code == 1
    assert "notes as they were needed, got released ones, whose PHI is replaced; GOLD comes first" in done.err
    assert "100" not in done.out
    assert clinlp("audit", gold, tmp_path / "out.jsonl").code == 0
