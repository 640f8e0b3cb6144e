"""What goes wrong in a run: numbers that are none, disks that are full, data that says too little."""

from __future__ import annotations

import json
import resource
import shutil
import sys
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from clinlp import DataError, Diagnosis, Note, Span, UsageError, read_notes, write_notes
from clinlp.cli import main
from clinlp.errors import DivergedError
from clinlp.inference.entities import EntityPredictor
from clinlp.training.config import DiagnosisConfig, EntitiesConfig
from clinlp.training.finetune import finetune_diagnosis, finetune_entities
from clinlp.training.loop import train
from clinlp.training.task import Epoch, Task

SENTINEL = "Zyxqwv"


def quick(out, notes, dev=None, **options):
    settings = {"epochs": 1, "batch_pieces": 32, "hidden": 8, "word_width": 8}
    return EntitiesConfig.load(None, train=(notes,), dev=(dev or notes,), out=out, **settings | options)


def save(path, *notes):
    write_notes(notes, path)
    return path


# numbers that are none


class Weighted(torch.nn.Module):
    """One weight, times what it is given; or a loss whose slope is no number."""

    def __init__(self, *, steep=False):
        super().__init__()
        self.encoder = torch.nn.Linear(1, 1, bias=False)
        self.steep = steep

    def forward(self, values):
        said = self.encoder(values[:, None]).sum()
        return said + (said * 0).abs().sqrt() if self.steep else said


def task_of(values):
    lengths = np.full(len(values), 8, np.int64)
    return Task(
        lengths,
        lengths,
        lambda items: {"values": torch.tensor([values[item] for item in items.tolist()])},
        lambda _: {"score": 0.0},
        lambda *_: None,
        lambda items: [f"note-{item}" for item in items.tolist()],
    )


@pytest.mark.parametrize("value", ["nan", "inf"])
def test_a_loss_that_is_no_number_names_the_step_and_the_notes_of_its_batch_alone(tmp_path, value):
    values = [1.0] * 8
    values[5] = float(value)
    config = EntitiesConfig.load(None, train=("x",), out=tmp_path, batch_pieces=16, accumulate=2, checkpoint_steps=1)
    with pytest.raises(DivergedError, match=rf"^step \d: a finite loss needed, got -?{value} for notes ") as raised:
        train(Weighted(), task_of(values), config)
    named = str(raised.value).split("for notes ")[1].split(";")[0].split(", ")
    assert "note-5" in named
    assert len(named) == 2


def test_a_gradient_that_is_no_number_stops_the_run_before_a_checkpoint_holds_it(tmp_path):
    config = EntitiesConfig.load(None, train=("x",), out=tmp_path, batch_pieces=16, checkpoint_steps=1)
    with pytest.raises(DivergedError, match="step 1: a finite gradient needed, got nan for notes note-"):
        train(Weighted(steep=True), task_of([1.0] * 4), config)
    assert list(tmp_path.glob("checkpoint-*")) == []


def test_at_most_twenty_notes_are_named(tmp_path):
    config = EntitiesConfig.load(None, train=("x",), out=tmp_path, batch_pieces=1024)
    with pytest.raises(DivergedError, match="and 10 more; try a lower learning rate"):
        train(Weighted(), task_of([float("nan")] * 30), config)


@pytest.mark.parametrize("head", ["crf", "linear", "pointer"])
def test_the_ids_of_a_run_are_those_of_its_notes(four_notes, tmp_path, head):
    """An empty note before the others moves the windows, not the names."""
    notes = [Note("empty", ""), *read_notes(four_notes)]
    rates = {"learning_rate": 1e30, "head_learning_rate": 1e30, "epochs": 9, "batch_pieces": 16, "max_pieces": 8}
    config = quick(tmp_path / "run", save(tmp_path / "a.jsonl", *notes), head=head, **rates)
    with pytest.raises(DivergedError) as raised:
        finetune_entities(config)
    named = str(raised.value).split("for notes ")[1].split(";")[0].split(", ")
    assert set(named) <= {"n0", "n1", "n2", "n3"}


# a disk that is full


@contextmanager
def files_of_at_most(size):
    """Let no file grow over so many bytes: the system refuses as it does on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


needs_limits = pytest.mark.skipif(sys.platform != "linux", reason="limits of file sizes as Linux has them")


@needs_limits
@pytest.mark.parametrize(("share", "what"), [(0.5, "the best model"), (1.5, "checkpoint-00000004")])
def test_a_full_disk_leaves_what_was_written_before_whole(four_notes, tmp_path, share, what):
    """A checkpoint is three times as large as the model: weights and two moments of each."""
    config = quick(tmp_path / "run", four_notes, epochs=3, hidden=16)
    whole = {}

    def fill(news):
        if isinstance(news, Epoch):
            whole.update({path: path.read_bytes() for path in (tmp_path / "run").rglob("*.safetensors")})
            size = int(share * (tmp_path / "run" / "best" / "model.safetensors").stat().st_size)
            resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))

    with files_of_at_most(resource.RLIM_INFINITY), pytest.raises(DataError) as raised:
        finetune_entities(config, tell=fill)
    assert str(raised.value) == (
        f"{tmp_path / 'run'}: room for {what} needed, got File too large; what was written before is whole"
    )
    assert len(whole) == 2
    kept = {path: path.read_bytes() for path in (tmp_path / "run").rglob("*.safetensors")}
    checkpoints = {path for path in whole if "checkpoint" in str(path)}
    assert kept.keys() == whole.keys()
    assert all(kept[path] == whole[path] for path in (checkpoints if "checkpoint" in what else whole))
    assert list((tmp_path / "run").rglob("*.part")) == []
    resumed = finetune_entities(config, resume=True)
    unbroken = finetune_entities(config.model_copy(update={"out": tmp_path / "unbroken"}))
    assert (resumed / "model.safetensors").read_bytes() == (unbroken / "model.safetensors").read_bytes()


@needs_limits
def test_a_full_disk_is_one_line_and_exit_code_1(four_notes, tmp_path, capsys):
    options = ["--train", four_notes, "--dev", four_notes, "-o", tmp_path / "run", "--epochs", 1, "--hidden", 16]
    with files_of_at_most(8_000), pytest.raises(SystemExit) as ended:
        main(["train", "entities", *map(str, options)])
    said = capsys.readouterr().err.splitlines()
    assert ended.value.code == 1
    assert said[-1].startswith(f"clinlp: {tmp_path / 'run'}: room for the best model needed, got File too large")
    assert "Traceback" not in "".join(said)


# data that says too little


@pytest.mark.parametrize("kind", ["entities", "diagnosis"])
def test_an_empty_dev_is_refused(four_notes, tmp_path, kind):
    (tmp_path / "dev.jsonl").write_text("")
    options = {"train": (four_notes,), "dev": (tmp_path / "dev.jsonl",), "out": tmp_path / "run"}
    with pytest.raises(DataError, match="dev"):
        if kind == "entities":
            finetune_entities(EntitiesConfig.load(None, **options))
        else:
            finetune_diagnosis(DiagnosisConfig.load(None, **options))
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("head", ["crf", "linear", "pointer"])
def test_one_label_and_a_note_without_entities_are_enough(tmp_path, head):
    notes = [Note("a", "Fever and cough.", entities=(Span(0, 5, "SYMPTOM"),)), Note("b", "无特殊。"), Note("c", "")]
    told = []
    path = save(tmp_path / "a.jsonl", *notes)
    settings = {"epochs": 20, "dropout": 0.0, "hidden": 16, "learning_rate": 0.03, "head_learning_rate": 0.1}
    best = finetune_entities(quick(tmp_path / "run", path, head=head, **settings), tell=told.append)
    assert str(told[0]) == "3 notes; 1 spans; 1 notes hold no word and were left out"
    assert [note.entities for note in EntityPredictor.load(best)(notes)] == [note.entities for note in notes]


def test_dev_labels_that_train_lacks_are_said_and_count_as_missed(tmp_path):
    train = Note("a", "Fever and cough.", entities=(Span(0, 5, "SYMPTOM"),))
    dev = replace(train, entities=(*train.entities, Span(10, 15, "FINDING")))
    settings = {"epochs": 20, "dropout": 0.0, "hidden": 16, "learning_rate": 0.03, "head_learning_rate": 0.1}
    paths = save(tmp_path / "a.jsonl", train), save(tmp_path / "b.jsonl", dev)
    told = []
    best = finetune_entities(quick(tmp_path / "run", *paths, head="linear", **settings), tell=told.append)
    assert told[1] == "dev: 1 of 2 spans have labels that train lacks and count as missed: FINDING 1"
    scores = json.loads((best / "scores.json").read_text())
    assert (scores["precision"], scores["recall"]) == (1.0, 0.5)


def test_spans_of_labels_that_were_not_chosen_are_counted(four_notes, tmp_path):
    told = []
    config = quick(tmp_path / "run", four_notes, labels=("SYMPTOM", "DISEASE", "RASH"))
    finetune_entities(config, tell=told.append)
    assert told[1:4] == [
        "train: 2 of 9 spans have labels that are not to be learned and were left out: DRUG 2",
        "dev: 2 of 9 spans have labels that are not to be learned and were left out: DRUG 2",
        "train: no span of RASH",
    ]


def test_labels_that_train_has_no_span_of_are_refused(four_notes, tmp_path):
    with pytest.raises(DataError, match="train: spans of SYMPTON, RASH needed, got none"):
        finetune_entities(quick(tmp_path / "run", four_notes, labels=("SYMPTON", "RASH")))
    assert not (tmp_path / "run" / "best").exists()


def test_a_dev_without_spans_is_said(four_notes, tmp_path):
    told = []
    dev = save(tmp_path / "dev.jsonl", Note("d", "无特殊。"))
    finetune_entities(quick(tmp_path / "run", four_notes, dev), tell=told.append)
    assert told[1] == "dev: no span of a label that is learned; every score is 0 and the last epoch is kept"


def test_dev_codes_that_are_not_learned_are_said(four_notes, tmp_path):
    dev = save(tmp_path / "dev.jsonl", *read_notes(four_notes), Note("d", "Rash.", diagnoses=(Diagnosis("L20"),)))
    told = []
    options = {"epochs": 1, "hidden": 8, "word_width": 8}
    finetune_diagnosis(
        DiagnosisConfig.load(None, train=(four_notes,), dev=(dev,), out=tmp_path / "run", **options), tell=told.append
    )
    assert told[1] == "dev: 1 of 5 codes are not learned: they count as missed"


def test_weights_of_labels_must_be_of_labels_that_are_learned(four_notes, tmp_path):
    for given, message in (("RASH=2", "got 'RASH'"), ("DRUG=-1", "got 'DRUG=-1'"), ("DRUG=x", "got 'DRUG=x'")):
        with pytest.raises(UsageError, match=f"label_weights: .* needed, {message}"):
            finetune_entities(quick(tmp_path / given, four_notes, head="linear", label_weights=(given,)))


def test_a_heavier_label_is_found_more_often(four_notes, tmp_path):
    """After a few steps a plain loss still says O everywhere; with rare labels made heavy, some are found."""
    notes, found = list(read_notes(four_notes)), []
    for number, options in enumerate(({}, {"class_weights": "inverse", "label_weights": ("DRUG=3", "SYMPTOM=2")})):
        settings = {"epochs": 8, "dropout": 0.0, "learning_rate": 0.01, "head_learning_rate": 0.01, "batch_pieces": 64}
        config = quick(tmp_path / str(number), four_notes, head="linear", **settings | options)
        predicted = EntityPredictor.load(finetune_entities(config))(notes)
        found.append(sum(len(note.entities) for note in predicted))
    assert found[0] < found[1]


def test_fp16_without_a_gpu_is_refused(four_notes, tmp_path):
    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    with pytest.raises(UsageError, match="precision: a GPU needed for fp16, got none; bf16 runs on both"):
        finetune_entities(quick(tmp_path / "run", four_notes, precision="fp16"))


# trackers


@pytest.mark.parametrize("tracker", ["wandb", "mlflow", "tensorboard"])
def test_a_tracker_that_is_not_installed_is_named(four_notes, tmp_path, tracker, monkeypatch):
    monkeypatch.setattr(sys, "meta_path", [])  # nothing that is not loaded yet can be found
    monkeypatch.setattr(sys, "path_importer_cache", {})
    for name in [name for name in sys.modules if name.split(".")[0] == tracker]:
        monkeypatch.delitem(sys.modules, name)
    from clinlp.training.tracking import need_tracker

    with pytest.raises(UsageError, match=f"tracker: the package {tracker} needed, got none; pip install {tracker}"):
        need_tracker(tracker)


def test_tensorboard_gets_losses_and_scores_and_no_text(four_notes, tmp_path):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    notes = [
        replace(note, note_id=f"{SENTINEL}{note.note_id}", text=f"{note.text} {SENTINEL}")
        for note in read_notes(four_notes)
    ]
    path = save(tmp_path / f"{SENTINEL}.jsonl", *notes)
    config = quick(tmp_path / "run", path, epochs=4, batch_pieces=16, tracker="tensorboard", keep_checkpoints=2)
    finetune_entities(config)
    folder = tmp_path / "run" / "tensorboard"
    files = [file for file in folder.rglob("*") if file.is_file()]
    assert files
    assert not any(SENTINEL.encode() in file.read_bytes() for file in files)
    events = EventAccumulator(str(folder)).Reload()
    lines = [json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    assert [event.value for event in events.Scalars("f1")] == pytest.approx([line["scores"]["f1"] for line in lines])
    assert [event.value for event in events.Scalars("loss")] == pytest.approx([line["loss"] for line in lines])
    assert {"step_loss", "learning_rate", "peak_memory_mib"} <= set(events.Tags()["scalars"])


def test_a_tracker_that_fails_in_the_run_is_left_out_and_training_goes_on(four_notes, tmp_path):
    pytest.importorskip("tensorboard")
    told = []

    def close(news):
        told.append(news)
        if isinstance(news, Epoch) and news.epoch == 1:
            [writer] = writers
            writer.close()

    from accelerate import Accelerator

    writers = []
    start = Accelerator.init_trackers

    def started(self, *given):
        start(self, *given)
        writers.append(Broken())
        self.trackers[0].writer = writers[0]

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Accelerator, "init_trackers", started)
        finetune_entities(quick(tmp_path / "run", four_notes, epochs=3, tracker="tensorboard"), tell=close)
    remarks = [news for news in told if isinstance(news, str)]
    assert remarks == ["tracker: left out from step 4 on, ConnectionError"]
    assert [news.epoch for news in told if isinstance(news, Epoch)] == [1, 2, 3]


class Broken:
    """A service that is gone after the first epoch."""

    def __init__(self):
        self.gone = False

    def add_scalar(self, *_, **__):
        if self.gone:
            raise ConnectionError

    def flush(self):
        pass

    def close(self):
        self.gone = True


def test_resuming_may_change_what_has_no_part_in_the_weights(four_notes, tmp_path):
    finetune_entities(quick(tmp_path / "run", four_notes))
    finetune_entities(quick(tmp_path / "run", four_notes, keep_checkpoints=3, checkpoint_steps=1), resume=True)
    with pytest.raises(UsageError, match="--resume needs the same ema"):
        finetune_entities(quick(tmp_path / "run", four_notes, ema=0.5), resume=True)


def test_no_weight_of_the_best_model_is_lost_or_invented(four_notes, tmp_path):
    best = load_file(finetune_entities(quick(tmp_path / "run", four_notes)) / "model.safetensors")
    assert not any("weights" in name or "loss" in name for name in best)


@pytest.mark.parametrize("head", ["crf", "pointer"])
def test_spans_without_a_word_are_counted_as_such(tmp_path, head):
    notes = [
        Note("a", "fever   today", entities=(Span(0, 5, "SIGN"), Span(6, 7, "SIGN"))),
        Note("b", "   ", entities=(Span(0, 2, "SIGN"),)),
    ]
    path, told = tmp_path / "notes.jsonl", []
    write_notes(notes, path)
    finetune_entities(quick(tmp_path / "run", path, head=head), tell=told.append)
    assert str(told[0]) == "2 notes; 3 spans; 2 hold no word and were left out; 1 notes hold no word and were left out"


def test_a_label_named_like_the_tag_outside_has_no_weights(tmp_path):
    path = tmp_path / "notes.jsonl"
    write_notes([Note("a", "fever today", entities=(Span(0, 5, "O"),))], path)
    finetune_entities(quick(tmp_path / "plain", path, head="linear"))
    with pytest.raises(UsageError, match="labels other than O needed"):
        finetune_entities(quick(tmp_path / "run", path, head="linear", class_weights="sqrt"))


@pytest.mark.parametrize(
    ("labels", "said"), [(("A", "A"), "each once needed, got 'A' twice"), ((" ",), "got a blank one"), ((), "blank")]
)
def test_labels_are_named_once_and_not_blank(four_notes, tmp_path, labels, said):
    with pytest.raises(UsageError, match=said):
        quick(tmp_path / "run", four_notes, labels=labels)


def test_an_encoder_out_of_reach_is_said_at_once(four_notes, tmp_path, monkeypatch):
    import httpx
    from huggingface_hub import HfApi

    def asked(self, name, **given):
        raise httpx.ConnectError("no route")

    monkeypatch.setattr(HfApi, "model_info", asked)
    for options in ({"encoder": "somebody/nothing"}, {"vectors": "somebody/nothing"}):
        with pytest.raises(UsageError, match="somebody/nothing: an encoder in a local folder, or a hub"):
            finetune_entities(quick(tmp_path / f"{'-'.join(options)}", four_notes, **options))
    with pytest.raises(UsageError, match=r"words\.vec\.gz: a file of vectors"):
        finetune_entities(quick(tmp_path / "file", four_notes, vectors="words.vec.gz"))


def test_an_encoder_that_lacks_weights_is_refused(four_notes, tiny_bert, tmp_path):
    from safetensors.torch import save_file

    folder = tmp_path / "half"
    shutil.copytree(tiny_bert, folder)
    held = load_file(folder / "model.safetensors")
    kept = {name: value for name, value in held.items() if "layer.1." not in name}
    save_file(kept, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(UsageError, match=r"weights of its config\.json needed, got none of encoder\.layer\.1\."):
        finetune_entities(quick(tmp_path / "run", four_notes, encoder=str(folder)))
