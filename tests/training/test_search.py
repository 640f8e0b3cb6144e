"""Search for options: what a space may say, exact resume, pruning, the file that training takes."""

from __future__ import annotations

import fcntl
import json

import pytest

from clinlp import UsageError
from clinlp.training.config import DiagnosisConfig, EntitiesConfig
from clinlp.training.runs import Begun
from clinlp.training.space import read_space
from clinlp.training.task import Epoch

SPACE = """
learning_rate = {low = 1e-4, high = 0.1, log = true}
hidden = {low = 8, high = 16, step = 4}
head = ["crf", "linear"]
"""
SMALL = {"epochs": 2, "batch_pieces": 256, "hidden": 8, "word_width": 8, "head_learning_rate": 0.02}


class Killed(BaseException):
    """Stands for a signal: nothing in the library catches it."""


def config(path, out, kind=EntitiesConfig, **options):
    return kind.load(None, train=(path,), dev=(path,), out=out, **SMALL | options)


def space(tmp_path, made, said=SPACE):
    (tmp_path / "space.toml").write_text(said)
    return read_space(tmp_path / "space.toml", made)


def find(*given, **named):
    pytest.importorskip("optuna")
    from clinlp.training.search import search

    return search(*given, **named)


def test_a_killed_search_finds_what_an_unbroken_one_finds(ward, tmp_path):
    whole = config(ward, tmp_path / "whole")
    found = find(whole, space(tmp_path, whole), 3)
    broken = config(ward, tmp_path / "broken")
    now = []

    def kill(news):
        now.append(news)
        begun = [each for each in now if isinstance(each, Begun)]
        if isinstance(news, Epoch) and news.epoch == 1 and len(begun) == 2:
            raise Killed

    with pytest.raises(Killed):
        find(broken, space(tmp_path, broken), 2, tell=kill)
    journal = tmp_path / "broken" / "journal.jsonl"
    with journal.open("a") as file:  # as if killed in the middle of a line
        file.write('{"op_code":')
    journal.with_name("journal.jsonl.lock").symlink_to(journal)
    with pytest.raises(UsageError, match="got one with runs; --resume goes on with them"):
        find(broken, space(tmp_path, broken), 3)
    with pytest.raises(UsageError, match=r"search\.json: --resume needs the same high, got another value"):
        find(broken, space(tmp_path, broken, SPACE.replace("0.1,", "0.2,")), 3, resume=True)
    with pytest.raises(UsageError, match=r"search\.json: --resume needs the same head, got another value"):
        find(broken, space(tmp_path, broken, SPACE.replace("head", "# head")), 3, resume=True)
    told = []
    resumed = find(broken, space(tmp_path, broken), 3, resume=True, tell=told.append)
    assert [news.epoch for news in told if isinstance(news, Epoch)] == [2, 1, 2]  # the first trial is not run again
    assert resumed.trials == found.trials
    assert resumed.best == found.best
    models = [path.parent.name for path in (tmp_path / "broken").glob("trial-*/best")]
    assert models == [f"trial-{found.best.number}"]
    assert not list((tmp_path / "broken").rglob("checkpoint-*"))
    told.clear()
    assert find(broken, space(tmp_path, broken), 3, resume=True, tell=told.append).trials == found.trials
    assert told == []


def test_the_best_options_are_a_file_that_training_takes(ward, tmp_path):
    made = config(ward, tmp_path / "out", DiagnosisConfig, epochs=1)
    found = find(made, space(tmp_path, made, "dropout = [0.0, 0.3]\nn_bigrams = {low = 0, high = 40, step = 20}"), 2)
    assert found.model == tmp_path / "out" / f"trial-{found.best.number}" / "best"
    taken = DiagnosisConfig.load(found.config, out=tmp_path / "again")
    assert taken == made.model_copy(update={**found.best.options, "out": tmp_path / "again"})
    said = json.loads((tmp_path / "out" / "trials.json").read_text())
    assert [each["number"] for each in said] == [1, 2]
    assert all(each["state"] == "complete" and each["n_epochs"] == 1 for each in said)


def test_a_trial_that_falls_behind_is_stopped_and_one_that_diverges_is_counted(ward, tmp_path, monkeypatch):
    pytest.importorskip("optuna")
    from clinlp.errors import DivergedError
    from clinlp.training import search as room

    def train(run, parts, *, resume, tell):
        """Stands for the loop: six trials, of which the fifth is poor and the sixth diverges."""
        number = int(run.out.name.removeprefix("trial-")) - 1
        if number == 5:
            raise DivergedError("step 1: a finite loss needed, got nan")
        (run.out / "best").mkdir(parents=True)
        score = 0.1 if number == 4 else 0.5 + number / 100
        (run.out / "best" / "scores.json").write_text(json.dumps({"score": score}))
        for epoch in range(1, 6):
            tell(Epoch(epoch, 1.0, {"score": score}, 1.0, 1.0, 0.0, 1.0, best=True))
        return run.out / "best"

    monkeypatch.setattr(room, "finetune", train)
    made = config(ward, tmp_path / "out", epochs=5)
    found = find(made, space(tmp_path, made), 6)
    assert [each.state for each in found.trials] == [*["complete"] * 4, "pruned", "fail"]
    assert [each.n_epochs for each in found.trials] == [5, 5, 5, 5, 1, 0]
    assert (found.best.number, found.best.score) == (4, 0.53)
    assert found.trials[5].score is None


def test_one_process_searches_at_a_time(ward, tmp_path):
    made = config(ward, tmp_path / "out")
    (tmp_path / "out").mkdir()
    with (tmp_path / "out" / "search.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(UsageError, match="out: a search that is not running needed, got one that is"):
            find(made, space(tmp_path, made), 1)


@pytest.mark.parametrize(
    ("said", "complaint"),
    [
        ("hiden = [1]", "space.toml: unknown key 'hiden'; did you mean 'hidden'?"),
        ("seed = [1, 2]", "space.toml: seed: an option to search over needed, got one that is the same in all trials"),
        ("", "space.toml: an option to search over needed, got none"),
        ("hidden = 5", "space.toml: hidden: a list of values, or {low = ..., high = ...}, needed, got another form"),
        ("hidden = []", "space.toml: hidden: a list of values, or"),
        ("hidden = {low = 9}", "space.toml: hidden: high needed, got none"),
        ("hidden = {low = 9, hihg = 10}", "space.toml: hidden: unknown key 'hihg'; did you mean 'high'?"),
        ("hidden = {low = 20, high = 10}", "space.toml: hidden: low below high needed, got 20 and 10"),
        ("hidden = {low = 9.5, high = 10.5}", "space.toml: hidden: whole numbers needed, got 9.5 to 10.5"),
        ("hidden = {low = 2, high = 10}", "space.toml: hidden: Input should be greater than or equal to 8"),
        ("dropout = {low = 0, high = 1}", "space.toml: dropout: Input should be less than 1"),
        ("dropout = {low = 0, high = 0.5, log = true}", "space.toml: dropout: a range with log needs low above 0"),
        ("dropout = {low = 0, high = 0.5, step = 0.6}", "space.toml: dropout: step above 0 and within the range"),
        ("layer_decay = [0.9]", "space.toml: layer_decay: a transformer needed, got an LSTM"),
        ("tracker = ['wandb']", "space.toml: tracker: an option to search over needed, got one that is the same"),
        ('head = ["crf", "softmax"]', "space.toml: head: Input should be 'crf'"),
        ("hidden = [", "space.toml: TOML needed, got "),
    ],
)
def test_a_bad_space_gives_one_clear_line(four_notes, tmp_path, said, complaint):
    with pytest.raises(UsageError) as raised:
        space(tmp_path, config(four_notes, tmp_path / "out"), said)
    assert complaint in str(raised.value)
    assert "\n" not in str(raised.value).removesuffix("\n")
    assert "Value error" not in str(raised.value)


def test_a_space_file_that_is_not_there(four_notes, tmp_path):
    with pytest.raises(UsageError, match=r"none\.toml: config file needed, got none"):
        read_space(tmp_path / "none.toml", config(four_notes, tmp_path / "out"))
