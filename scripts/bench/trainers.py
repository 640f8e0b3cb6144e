"""One side of `training.py`: a process that trains by one trainer, an epoch each time that the runner says so."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

OURS = {"clinlp": "auto", "clinlp-bf16": "bf16", "clinlp-fp32": "no"}
PEERS = {"huggingface": "no", "huggingface-bf16": "bf16", "edsnlp": "no", "edsnlp-bf16": "bf16"}


class Turns:
    """The side's end of the line to the runner: says what happened, waits for its turn, counts pieces."""

    def __init__(self, line: IO[str]) -> None:
        self.line = line
        self.n_pieces = self.n_padded = self.n_steps = 0
        self.began = self.ended = (0.0, 0.0)

    def wait(self, event: str, **said: Any) -> None:
        """Say it and sleep until the runner answers; an epoch then begins."""
        self.line.write(json.dumps({"event": event, **said}) + "\n")
        self.line.flush()
        if not sys.stdin.readline():
            raise SystemExit("the runner is gone")
        self.n_pieces = self.n_padded = self.n_steps = 0
        self.began = self.ended = (time.perf_counter(), time.process_time())

    def mark(self) -> None:
        """A step is done."""
        self.n_steps += 1
        self.ended = (time.perf_counter(), time.process_time())

    def epoch(self) -> None:
        """An epoch is done, at the last mark."""
        wall, cpu = (ended - began for ended, began in zip(self.ended, self.began, strict=True))
        counts = {"n_pieces": self.n_pieces, "n_padded": self.n_padded, "n_steps": self.n_steps}
        self.wait("epoch", wall_s=wall, cpu_s=cpu, **counts)

    def count(self, mask: Any) -> None:
        """Count a batch as the encoder reads it, without the two pieces around each window."""
        self.n_pieces += int(mask.sum()) - 2 * mask.shape[0]
        self.n_padded += mask.numel() - 2 * mask.shape[0]


def train_ours(given: argparse.Namespace, turns: Turns) -> dict[str, Any]:
    """What `clinlp train entities` runs."""
    import accelerate  # noqa: F401  so that no side pays for it in its first epoch
    import torch

    from clinlp.inference.device import autocast
    from clinlp.training.config import EntitiesConfig
    from clinlp.training.finetune import finetune_entities
    from clinlp.training.task import Epoch, Progress

    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    precision = OURS[given.side]
    if precision == "auto":
        precision = "no" if isinstance(autocast(device, "auto", "transformer"), nullcontext) else "bf16"
    log: list[Epoch] = []

    class Watch:
        """Waits for its turn after each epoch."""

        def __call__(self, news: object) -> None:
            if isinstance(news, Epoch):
                log.append(news)
                padded = turns.n_steps and news.pieces_per_s * news.seconds / (1 - news.padding_share)
                turns.n_pieces, turns.n_padded = round(news.pieces_per_s * news.seconds), round(padded)
                turns.epoch()
            elif not isinstance(news, str):  # what was left out, just before the first step
                turns.wait("ready")

        def watch(self, progress: Progress) -> None:  # noqa: ARG002
            turns.mark()

    config = EntitiesConfig.load(
        None,
        train=(given.work / "train.jsonl",),
        dev=(given.work / "dev.jsonl",),
        out=given.work / given.side,
        encoder=str(given.minilm),
        head=given.head,
        epochs=given.epochs,
        learning_rate=given.learning_rate,
        batch_pieces=given.batch_pieces,
        max_pieces=given.max_pieces,
        precision=precision,
        seed=given.seed,
    )
    finetune_entities(config, tell=Watch())
    names = ("precision", "recall", "f1", "overlap_f1")
    best = max(epoch.scores["f1"] for epoch in log)
    return {name: log[-1].scores[name] for name in names} | {"best_f1": best, "precision_used": precision}


def train_huggingface(given: argparse.Namespace, turns: Turns) -> dict[str, Any]:
    """The usual recipe: words and their tags, the first piece of a word has its tag, random batches of one size."""
    import torch
    import transformers as hf
    from datasets import Dataset

    from clinlp.records import read_notes

    hf.set_seed(given.seed)
    tokenizer = hf.AutoTokenizer.from_pretrained(given.minilm)
    train, dev = ([*read_notes(given.work / f"{part}.jsonl")] for part in ("train", "dev"))
    labels = sorted({span.label for note in train for span in note.entities})
    names = ["O", *(f"{part}-{label}" for label in labels for part in "BI")]
    sizes = {"num_labels": len(names), "id2label": dict(enumerate(names))}
    model = hf.AutoModelForTokenClassification.from_pretrained(given.minilm, dtype=torch.float32, **sizes)

    def encode(rows: dict[str, Any]) -> Any:
        read = tokenizer(rows["words"], is_split_into_words=True, truncation=True, max_length=given.max_pieces)
        if "tags" in rows:
            read["labels"] = [first_pieces(read.word_ids(at), tags) for at, tags in enumerate(rows["tags"])]
        return read

    rows = [words_of(text, spans, names) for note in train for text, spans, _ in sentences_of(note)]
    data = Dataset.from_list([{"words": words, "tags": tags} for words, tags, _ in rows if words])
    data = data.map(encode, batched=True, remove_columns=["words", "tags"])
    n_pieces = sum(len(ids) - 2 for ids in data["input_ids"])
    size = max(1, round(given.batch_pieces * len(data) / n_pieces))  # so many pieces a batch as we have
    stack = hf.DataCollatorForTokenClassification(tokenizer)

    def collate(items: list[Any]) -> Any:
        batch = stack(items)
        turns.count(batch["attention_mask"])
        return batch

    class Watch(hf.TrainerCallback):
        """Waits for its turn after each epoch."""

        def on_step_end(self, *_: Any, **__: Any) -> None:
            turns.mark()

        def on_epoch_end(self, *_: Any, **__: Any) -> None:
            turns.epoch()

    options = hf.TrainingArguments(
        output_dir=str(given.work / given.side),
        per_device_train_batch_size=size,
        num_train_epochs=given.epochs,
        learning_rate=given.learning_rate,
        warmup_steps=0.1,  # a share of all steps, as ours
        bf16=PEERS[given.side] == "bf16",
        use_cpu=not torch.cuda.is_available(),
        save_strategy="no",
        logging_strategy="no",
        report_to="none",
        disable_tqdm=True,
        dataloader_pin_memory=False,
        seed=given.seed,
    )
    trainer = hf.Trainer(model=model, args=options, train_dataset=data, data_collator=collate, callbacks=[Watch()])
    turns.wait("ready")
    trainer.train()
    model.eval()

    def find(note: Any) -> Iterator[Any]:
        for text, _, start in sentences_of(note):
            words, _, offsets = words_of(text, (), names)
            if not words:
                continue
            read = encode({"words": [words]})
            inputs = {key: torch.tensor(value).to(model.device) for key, value in read.items()}
            with torch.inference_mode():
                found = model(**inputs).logits[0].argmax(-1).tolist()
            heads = first_pieces(read.word_ids(0), list(range(len(words))))
            tags = dict(zip(heads, found, strict=True))
            yield from spans_of([names[tags.get(at, 0)] for at in range(len(words))], offsets, start)

    return score(dev, find) | {"notes_a_batch": size, "precision_used": PEERS[given.side]}


def train_edsnlp(given: argparse.Namespace, turns: Turns) -> dict[str, Any]:
    """Train by the trainer of edsnlp: a transformer with windows, words, a CRF."""
    import edsnlp
    import edsnlp.pipes as eds
    import torch
    from edsnlp.training import ScheduledOptimizer, TrainingData, train
    from edsnlp.training.optimizer import LinearSchedule

    from clinlp.records import read_notes
    from clinlp.spans import Span, flatten

    torch.manual_seed(given.seed)
    nlp = edsnlp.blank("eds")
    window = given.max_pieces
    notes, dev = ([*read_notes(given.work / f"{part}.jsonl")] for part in ("train", "dev"))
    labels = sorted({span.label for note in notes for span in note.entities})
    encoder = eds.transformer(model=str(given.minilm), window=window, stride=window * 3 // 4)
    where = {"target_span_getter": "ents", "span_setter": "ents", "labels": labels}
    nlp.add_pipe(eds.ner_crf(embedding=encoder, mode="joint", **where), name="ner")
    encoder = nlp.pipes.ner.embedding
    bare = encoder.transformer
    bare.base_model.register_forward_pre_hook(
        lambda _, __, given: turns.count(given["attention_mask"]) if bare.training else None, with_kwargs=True
    )

    def doc_of(note: Any) -> Any:
        doc = nlp.make_doc(note.text)
        found = [doc.char_span(s.start, s.end, s.label, alignment_mode="expand") for s in flatten(note.entities)]
        doc.ents = [span for at, span in enumerate(found) if not at or span.start >= found[at - 1].end]
        return doc

    docs = [doc_of(note) for note in notes]
    read = encoder.tokenizer([note.text for note in notes], add_special_tokens=False)
    n_steps = -(-sum(map(len, read.input_ids)) // given.batch_pieces)
    turned = {id(weight) for weight in bare.parameters()}
    parts = [w for w in nlp.parameters() if id(w) in turned], [w for w in nlp.parameters() if id(w) not in turned]

    def schedule() -> Any:
        return LinearSchedule(total_steps=n_steps * given.epochs, warmup_rate=0.1)

    rates = (given.learning_rate, 1e-3)  # the layers on top have the rate of ours
    groups = [{"params": part, "lr": rate, "schedules": schedule()} for part, rate in zip(parts, rates, strict=True)]
    steps = torch.optim.AdamW(groups)
    steps.register_step_post_hook(lambda *_: turns.mark())
    stream = edsnlp.data.from_iterable(docs)
    turns.wait("ready")
    train(
        nlp=nlp,
        train_data=TrainingData(data=stream, batch_size=f"{given.batch_pieces} tokens", shuffle="dataset"),
        max_steps=n_steps * given.epochs,
        optimizer=ScheduledOptimizer(steps),
        validation_interval=n_steps,
        on_validation_callback=lambda _: turns.epoch(),
        seed=given.seed,
        cpu=not torch.cuda.is_available(),
        mixed_precision=PEERS[given.side],
        output_dir=given.work / given.side,
        save_model=False,
        logger=False,
    )
    nlp.train(False)

    def find(note: Any) -> Iterator[Any]:
        return (Span(span.start_char, span.end_char, span.label_) for span in nlp(note.text).ents)

    return score(dev, find) | {"precision_used": PEERS[given.side]}


def sentences_of(note: Any) -> Iterator[tuple[str, list[Any], int]]:
    """Cut a note into sentences: the text of each, the spans that lie in it, and where it starts."""
    from clinlp.spans import flatten
    from clinlp.text.sentences import split_sentences

    spans = flatten(note.entities)
    for start, end in split_sentences(note.text, note.lang or "en"):
        inside = [
            replace(s, start=s.start - start, end=s.end - start) for s in spans if start <= s.start and s.end <= end
        ]
        yield note.text[start:end], inside, start


def words_of(text: str, spans: Sequence[Any], names: list[str]) -> tuple[list[str], list[int], list[tuple[int, int]]]:
    """Give the words of a sentence, the place of the BIO tag of each among the names, and where they are."""
    from clinlp.text.tokens import tokenize

    offsets = tokenize(text)
    tags = [0] * len(offsets)
    for span in spans:
        inside = [at for at, (start, end) in enumerate(offsets) if start < span.end and span.start < end]
        for at in inside:
            tags[at] = names.index(f"{'B' if at == inside[0] else 'I'}-{span.label}")
    return [text[start:end] for start, end in offsets], tags, offsets


def first_pieces(words: Sequence[int | None], tags: Sequence[int]) -> list[int]:
    """Give the first piece of each word its tag, and -100, which no loss counts, to all others."""
    before = [None, *words]
    return [-100 if word is None or word == last else tags[word] for word, last in zip(words, before, strict=False)]


def spans_of(tags: Sequence[str], offsets: Sequence[tuple[int, int]], shift: int) -> Iterator[Any]:
    """Read spans from BIO tags; an I that follows nothing of its label begins a span, as in CoNLL's scorer."""
    from clinlp.spans import Span

    start, end, label = 0, 0, ""
    for tag, (first, stop) in zip([*tags, "O"], [*offsets, (0, 0)], strict=True):
        part, _, of = tag.partition("-")
        if label and (part != "I" or of != label):
            yield Span(shift + start, shift + end, label)
            label = ""
        if part != "O":
            start, end, label = (start if label else first), stop, of


def score(notes: Sequence[Any], find: Callable[[Any], Iterator[Any]]) -> dict[str, float]:
    """Predict for the notes and score by our scorer."""
    from clinlp.metrics.entities import score_entities

    predicted = [replace(note, entities=tuple(find(note))) for note in notes]
    strict, overlap = (score_entities(notes, predicted, match).micro for match in ("strict", "overlap"))
    return {"precision": strict.precision, "recall": strict.recall, "f1": strict.f1, "overlap_f1": overlap.f1}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("side", choices=[*OURS, *PEERS])
    parser.add_argument("options", help="JSON of the runner's")
    given = parser.parse_args()
    line = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a trainer prints goes to the log
    options = argparse.Namespace(side=given.side, **json.loads(given.options))
    options.work, options.minilm = Path(options.work), Path(options.minilm)
    trainers = {"clinlp": train_ours, "huggingface": train_huggingface, "edsnlp": train_edsnlp}
    turns = Turns(line)
    turns.wait("end", **trainers[given.side.partition("-")[0]](options, turns))


if __name__ == "__main__":
    main()
