"""What each command shows and writes when all is well."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from clinlp import __version__
from clinlp.records import read_notes

from .cli_cases import NAME, RULES, SENTINEL, Command

HELP_BUDGET_S = 1.0  # processor seconds; 0.3 on an idle machine
COMMANDS = (
    "annotate",
    "deidentify",
    "convert",
    "train entities",
    "train diagnosis",
    "evaluate",
    "evidence",
    "predict",
    "report",
    "check",
    "compare",
    "models",
    "demo",
)
HEAVY = ("torch", "spacy", "transformers", "accelerate", "datasets", "pyarrow", "numpy")
DRUGS = ("metformin", "aspirin", "阿司匹林", "二甲双胍")


def medicated(n_notes: int) -> list[dict[str, Any]]:
    """Notes that name one drug each, with its span and a code."""
    rows = []
    for at in range(n_notes):
        drug = DRUGS[at % 4]
        text = f"予{drug}治疗。" if at % 4 > 1 else f"Takes {drug} daily ."
        start = text.index(drug)
        span = {"start": start, "end": start + len(drug), "label": "DRUG"}
        rows.append({"note_id": f"n{at}", "text": text, "entities": [span], "codes": ["E11.9" if at % 2 else "I10.0"]})
    return rows


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), "utf-8")
    return path


def test_version(clinlp: Command) -> None:
    assert clinlp("--version") == (0, f"clinlp {__version__}\n", "")


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_every_command_explains_itself(clinlp: Command, command: str) -> None:
    done = clinlp(*command.split(), "--help")
    assert (done.code, done.err) == (0, "")
    assert "Usage" in done.out
    if command not in ("", "models"):
        assert f"clinlp {command}" in done.out.partition("Examples")[2]


def test_the_help_is_fast_and_loads_nothing_heavy() -> None:
    code = f"""
import sys
from clinlp.cli import main
try:
    main(["--help"])
finally:
    sys.stderr.write(",".join(name for name in {HEAVY} if name in sys.modules))
"""
    best = float("inf")
    for _ in range(5):
        began = os.times()  # processor seconds of the child: a busy machine does not slow them
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
        ended = os.times()
        best = min(best, ended.children_user + ended.children_system - began.children_user - began.children_system)
        assert done.stderr == ""
        if best < HELP_BUDGET_S:
            break
    assert best < HELP_BUDGET_S


def test_deidentify_by_rules_loads_no_model(good: Path, tmp_path: Path) -> None:
    code = f"""
import sys
from clinlp.cli import main
try:
    main(["deidentify", {str(good)!r}, "-o", {str(tmp_path / "released.csv")!r}, "--phi", "off"])
finally:
    sys.stderr.write(",".join(name for name in ("torch", "spacy", "transformers") if name in sys.modules))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr == ""
    assert "[NAME]" in (tmp_path / "released.csv").read_text("utf-8")


def test_annotate_shows_counts_times_and_what_was_left_out(clinlp: Command, good: Path, tmp_path: Path) -> None:
    done = clinlp("annotate", good, "-o", tmp_path / "out", *RULES, "--deid", "placeholder")
    assert (done.code, done.err) == (0, "")
    shown = " ".join(done.out.split())
    assert "notes 2" in shown
    assert "quarantined 0" in shown
    assert "stage seconds share" in shown
    assert "left out, because they may identify: ward (1); --keep-field keeps one" in shown
    assert "Dr. [NAME-1] on [DATE-1]" in (tmp_path / "out" / "part-00000.jsonl").read_text("utf-8")


def test_flags_win_over_the_config_file(clinlp: Command, good: Path, tmp_path: Path) -> None:
    (tmp_path / "job.toml").write_text('entities = "off"\ndiagnosis = "off"\ndeid = "mask"\nkeep_fields = ["ward"]\n')
    assert clinlp("annotate", good, "-o", tmp_path / "a", "--config", tmp_path / "job.toml").code == 0
    assert clinlp("annotate", good, "-o", tmp_path / "b", "--config", tmp_path / "job.toml", "--deid", "off").code == 0
    masked, kept = (next(iter(read_notes(tmp_path / name / "part-00000.jsonl"))) for name in "ab")
    assert "Dr. ********" in masked.text
    assert "Jane Doe" in kept.text
    assert masked.fields["ward"] == "7b"


def test_columns_and_encoding_are_named(clinlp: Command, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes("row,body\n一,姓名：王小明\n二,体温正常\n".encode("gb18030"))
    flags = ("--text-column", "body", "--id-column", "row", "--encoding", "gb18030")
    assert clinlp("annotate", tmp_path / "a.csv", "-o", tmp_path / "out", *RULES, *flags).code == 0
    notes = list(read_notes(tmp_path / "out" / "part-00000.jsonl"))
    assert [(note.note_id, note.text) for note in notes] == [("一", "姓名：[NAME]"), ("二", "体温正常")]


def test_the_output_folder_is_a_dump_again(clinlp: Command, good: Path, tmp_path: Path) -> None:
    clinlp("annotate", good, "-o", tmp_path / "out", *RULES, "--shard-bytes", "1")
    done = clinlp("convert", tmp_path / "out", tmp_path / "all.csv")
    assert (done.code, done.err) == (0, "")
    assert [note.note_id for note in read_notes(tmp_path / "all.csv")] == ["a", "b"]


def test_progress_on_a_terminal_holds_no_text(tmp_path: Path) -> None:
    rows = [{"note_id": f"n{at}", "text": f"Patient: {NAME}"} for at in range(300)]
    path = write(tmp_path / "in.jsonl", rows)
    arguments = ["annotate", str(path), "-o", str(tmp_path / "out"), *RULES, "--chunk-notes", "20"]
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "clinlp", *arguments],
        stdout=theirs,
        stderr=theirs,
        env={**os.environ, "TERM": "xterm"},
    ) as running:
        os.close(theirs)
        said = b""
        while True:
            try:
                data = os.read(ours, 65536)
            except OSError:
                break
            if not data:
                break
            said += data
    os.close(ours)
    assert running.returncode == 0
    assert b"records" in said
    assert SENTINEL.encode() not in said


def test_progress_counts_the_files_of_a_pattern(
    clinlp: Command, good: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")  # Rich takes it for a terminal
    write(tmp_path / "good-2.jsonl", [{"note_id": "c", "text": "体温正常"}])
    done = clinlp("deidentify", tmp_path / "good*.jsonl", "-o", tmp_path / "out.csv", "--phi", "off")
    assert done.code == 0
    assert "3 notes in" in done.out
    assert good.exists()


def test_a_job_that_is_run_again_says_that_nothing_is_new(clinlp: Command, good: Path, tmp_path: Path) -> None:
    arguments = ("annotate", good, "-o", tmp_path / "out", *RULES, "--phi", "off")
    assert "records a second" in clinlp(*arguments).out
    done = clinlp(*arguments)
    assert done.out.rstrip().endswith(f"2 notes in {tmp_path / 'out'} (nothing new)")
    assert "stage" not in done.out


def test_convert_says_what_a_format_cannot_hold(clinlp: Command, good: Path, tmp_path: Path) -> None:
    done = clinlp("convert", good, tmp_path / "brat", "--to", "brat")
    assert (done.code, done.err) == (0, "")
    assert done.out.splitlines()[0] == f"2 notes in {tmp_path / 'brat'}"
    assert "this format cannot hold: " in done.out
    assert clinlp("convert", good, tmp_path / "a.csv").code == 0
    assert clinlp("convert", good, tmp_path / "a.csv").code == 2
    assert clinlp("convert", good, tmp_path / "a.csv", "--overwrite").code == 0


def test_convert_shows_the_bad_records(clinlp: Command, tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(f'{{"text": "fine"}}\n{{"text": "{NAME}"\n')
    done = clinlp("convert", path, tmp_path / "b.jsonl")
    assert done.code == 0
    assert done.line.startswith(f"clinlp: {path}:2: record is not JSON")


def test_evaluate_predictions(clinlp: Command, tmp_path: Path) -> None:
    gold = medicated(4)
    predicted = json.loads(json.dumps(gold))
    predicted[0]["entities"] = []
    predicted[1]["entities"][0]["end"] -= 1
    predicted[2]["codes"] = ["E11.9"]
    paths = write(tmp_path / "p.jsonl", predicted), write(tmp_path / "g.jsonl", gold)
    done = clinlp("evaluate", *paths, "--json", tmp_path / "scores.json")
    assert (done.code, done.err) == (0, "")
    scores = json.loads((tmp_path / "scores.json").read_text())
    assert scores["entities"]["strict"]["micro"]["n_correct"] == 2
    assert scores["entities"]["overlap"]["micro"]["n_correct"] == 3
    assert scores["diagnoses"]["micro"]["n_correct"] == 3
    assert "phi" not in scores
    assert "strict matches" in done.out
    assert "MAP" in done.out


@pytest.mark.parametrize(("by", "what"), [("rules", "phi"), ("entities-en", "entities"), ("diagnosis-zh", "diagnoses")])
def test_gold_that_holds_nothing_to_score_is_refused(clinlp: Command, good: Path, by: str, what: str) -> None:
    done = clinlp("evaluate", by, good)
    assert (done.code, done.line) == (1, f"clinlp: gold: notes with {what} needed, got none in 2")


def test_groups_by_a_field_that_no_note_has_are_refused_before_any_work(clinlp: Command, tmp_path: Path) -> None:
    path = write(tmp_path / "g.jsonl", medicated(4))
    done = clinlp("evaluate", path, path, "--by", "ward")
    assert (done.code, done.out) == (2, "")
    assert done.line == "clinlp: by: a field of the gold notes needed, got 'ward', which none has"


def test_evaluate_the_rules_on_phi(clinlp: Command, tmp_path: Path) -> None:
    text = "Dr. Jane Doe. 姓名：王小明"
    phi = [[text.index(name), text.index(name) + len(name), "NAME"] for name in ("Jane Doe", "王小明")]
    path = write(tmp_path / "g.jsonl", [{"note_id": "a", "text": text, "phi": phi}])
    done = clinlp("evaluate", "rules", path, "--json", tmp_path / "scores.json")
    assert (done.code, done.err) == (0, "")
    leakage = json.loads((tmp_path / "scores.json").read_text())["phi"]["leakage"]
    assert leakage["labels"]["all"]["span_recall"] == 1.0
    assert leakage["clean_share"] == 1.0


def test_a_trained_tagger_is_evaluated_and_used(clinlp: Command, tmp_path: Path) -> None:
    path = write(tmp_path / "train.jsonl", medicated(32))
    small = ("--hidden", "16", "--word-width", "16", "--epochs", "6", "--head-learning-rate", "0.02")
    rate = ("--learning-rate", "0.02", "--word-dropout", "0", "--batch-pieces", "64")
    done = clinlp("train", "entities", "--train", path, "--dev", path, "-o", tmp_path / "run", *small, *rate)
    assert done.code == 0, done.err
    assert len([line for line in done.out.splitlines() if line.split()[0].isdigit()]) == 6
    assert f"best model: {tmp_path / 'run' / 'best'}" in done.out
    best = tmp_path / "run" / "best"
    done = clinlp("evaluate", best, path, "--json", tmp_path / "scores.json")
    assert json.loads((tmp_path / "scores.json").read_text())["entities"]["strict"]["micro"]["f1"] > 0.9
    flags = ("--entities", best, "--diagnosis", "off", "--deid", "off")
    assert clinlp("annotate", path, "-o", tmp_path / "out", *flags).code == 0
    note = next(iter(read_notes(tmp_path / "out" / "part-00000.jsonl")))
    assert [note.text[span.start : span.end] for span in note.entities] == ["metformin"]


def test_a_trained_diagnoser_is_scored_at_the_length_it_learned(clinlp: Command, tmp_path: Path) -> None:
    path = write(tmp_path / "train.jsonl", medicated(32))
    small = ("--hidden", "16", "--word-width", "16", "--epochs", "8", "--learning-rate", "0.02", "--code-length", "3")
    more = ("--head-learning-rate", "0.02", "--batch-pieces", "64", "--single")
    done = clinlp("train", "diagnosis", "--train", path, "--dev", path, "-o", tmp_path / "run", *small, *more)
    assert done.code == 0, done.err
    done = clinlp("evaluate", tmp_path / "run" / "best", path, "--json", tmp_path / "scores.json")
    assert done.code == 0, done.err
    scores = json.loads((tmp_path / "scores.json").read_text())["diagnoses"]
    assert set(scores["codes"]) == {"E11", "I10"}
    assert scores["micro"]["n_predicted"] == 32
    assert scores["map"] > 0.9


def test_demo_writes_notes_and_a_page(clinlp: Command, tmp_path: Path) -> None:
    done = clinlp("demo", "-o", tmp_path / "demo")
    assert done.code == 0
    notes = list(read_notes(tmp_path / "demo" / "notes.jsonl"))
    assert {note.lang for note in notes} == {"en", "zh"}
    assert all(note.phi and note.sections for note in notes)
    assert "<html" in (tmp_path / "demo" / "notes.html").read_text("utf-8")
    assert str(tmp_path / "demo" / "notes.html") in done.out


def test_models_lists_what_is_bundled(clinlp: Command) -> None:
    from clinlp.models.store import list_bundled

    done = clinlp("models")
    assert done.code == 0
    names = list_bundled()
    assert all(name in done.out for name in names)
    assert bool(names) or "no bundled models" in done.err
