"""Options of a training run."""

from __future__ import annotations

from pathlib import Path
from typing import Final, Literal, Self

from pydantic import Field, model_validator

from clinlp.config import Config
from clinlp.data.mentions import RULED

FROM_SCRATCH: Final = ("lstm", "cnn")
"""Encoders over words, which need no pretrained weights."""


class TrainConfig(Config):
    """What every training run needs; a `None` is chosen by the kind of encoder."""

    train: tuple[Path, ...] = Field(min_length=1, description="Files or folders of annotated notes.")
    dev: tuple[Path, ...] = Field(
        (), description="Notes to choose the best epoch on; else held out of train by patient."
    )
    out: Path = Field(
        description="Folder of the run; the best model is written to OUT/best, that of the last epoch to OUT/last."
    )
    encoder: str = Field("lstm", description="`lstm`, `cnn`, or a transformer: a local folder or a hub id.")
    stacked: bool = Field(
        False,
        description="For a transformer: an LSTM on top of it that reads its states together with the vector and the "
        "characters of each piece's word; the options of an LSTM hold for it, --vectors too.",
    )
    new_characters: int = Field(
        200,
        ge=0,
        description="For a transformer: so many characters of the notes that its vocabulary lacks get a piece each, "
        "the most frequent first.",
    )
    vectors: str | None = Field(
        None,
        description="For an LSTM or CNN: vectors to start from: a .vec file, whose words join the vocabulary, or an "
        "encoder.",
    )
    text: tuple[Path, ...] = Field((), description="For an LSTM or CNN: more notes whose words join the vocabulary.")
    epochs: int = Field(20, ge=1, description="Times that all notes are seen.")
    optimizer: Literal["adamw", "adam", "sgd", "adagrad"] = Field("adamw", description="What turns gradients to steps.")
    momentum: float = Field(0.9, ge=0, lt=1, description="SGD's.")
    learning_rate: float | None = Field(
        None,
        gt=0,
        description="Of the encoder; for AdamW 1e-3 for an LSTM or CNN (2e-3 for several codes a note), 1e-4 for "
        "a transformer, 5e-4 for its adapters.",
    )
    head_learning_rate: float | None = Field(
        None,
        gt=0,
        description="Of the layers on top of the encoder; for AdamW 1e-3, for several codes a note over an LSTM or CNN "
        "4e-3.",
    )
    layer_decay: float = Field(
        1.0, gt=0, le=1, description="For a transformer: each layer's rate as a share of that of the layer above."
    )
    freeze_layers: int | None = Field(
        None, ge=0, description="For a transformer: the embeddings and so many of the lowest layers stay as they are."
    )
    lora_rank: int | None = Field(
        None, ge=1, description="For a transformer: adapters of this rank learn, the encoder itself stays as it is."
    )
    lora_alpha: int | None = Field(
        None, ge=1, description="Adapters count this many times over their rank; else twice the rank."
    )
    lora_targets: tuple[str, ...] = Field(
        (), description="Names of the linear layers that get an adapter; else all projections of attention."
    )
    ema: float | None = Field(
        None, gt=0, lt=1, description="Score and save a moving average of the weights, of which so much stays a step."
    )
    weight_decay: float | None = Field(
        None, ge=0, description="0.01 for AdamW, 0 for the others, where it is a part of the gradient; norms have none."
    )
    warmup: float = Field(0.1, ge=0, le=1, description="Share of the run in which the rate rises; then it falls to 0.")
    batch_pieces: int = Field(1024, ge=16, description="Pieces of a batch, padding included.")
    accumulate: int = Field(1, ge=1, description="Batches of a process that make one step.")
    max_grad_norm: float = Field(5.0, gt=0, description="Longer gradients are scaled down to this norm.")
    max_pieces: int = Field(256, ge=8, le=8192, description="Pieces of a window; longer notes are read in several.")
    precision: Literal["no", "bf16", "fp16"] = Field("no", description="Mixed precision; `no` is float32.")
    patience: int | None = Field(None, ge=1, description="Stop after so many epochs without a better score.")
    checkpoint_steps: int | None = Field(None, ge=1, description="Steps between checkpoints; else one an epoch.")
    keep_checkpoints: int = Field(1, ge=1, description="Checkpoints that stay; older ones are removed.")
    tracker: Literal["tensorboard", "wandb", "mlflow"] | None = Field(
        None, description="Where losses and scores go besides OUT/log.jsonl; its package must be installed."
    )
    seed: int = Field(1, ge=0, lt=2**32, description="The same seed gives the same run.")
    dev_share: float = Field(0.1, gt=0, lt=1, description="Share of patients held out when there is no --dev.")
    hidden: int = Field(200, ge=8, description="LSTM units of each direction.")
    layers: int = Field(1, ge=1, description="LSTM layers; residual blocks of a CNN.")
    dropout: float | None = Field(
        None, ge=0, lt=1, description="0.4 for an LSTM, 0.2 for a CNN, 0.1 for a transformer."
    )
    filter_widths: tuple[int, ...] = Field(
        (3, 5, 9), min_length=1, description="For a CNN: pieces that its filters see at once, odd numbers."
    )
    channels: int = Field(128, ge=8, description="For a CNN: numbers that the filters of each width give.")
    word_width: int = Field(128, ge=8, description="Numbers of the word vector of an LSTM or CNN.")
    n_bigrams: int = Field(
        0, ge=0, description="Hash buckets of word pairs; helps Chinese, where a word is a character."
    )
    min_count: int = Field(1, ge=1, description="Times that a word must occur to join the vocabulary.")
    max_words: int = Field(50_000, ge=1, description="Words of the vocabulary of an LSTM or CNN at most.")
    word_dropout: float = Field(0.05, ge=0, lt=1, description="Share of words shown as unknown while training.")

    @model_validator(mode="after")
    def _fits_the_encoder(self) -> Self:
        """Refuse what an encoder over words has not."""
        if self.encoder in FROM_SCRATCH:
            asked = {
                "layer_decay": self.layer_decay < 1,
                "freeze_layers": self.freeze_layers is not None,
                "lora_rank": self.lora_rank is not None,
                "stacked": self.stacked,
            }
            kind = "an LSTM" if self.encoder == "lstm" else "a CNN"
            for name in (name for name, given in asked.items() if given):
                raise ValueError(f"{name}: a transformer needed, got {kind}")
        if any(width < 1 or width % 2 == 0 for width in self.filter_widths):
            raise ValueError(f"filter_widths: odd numbers needed, got {list(self.filter_widths)}")
        if self.lora_rank is None and (self.lora_targets or self.lora_alpha is not None):
            raise ValueError("lora_rank: needed with lora_alpha and lora_targets, got none")
        if self.lora_rank is not None and self.freeze_layers is not None:
            raise ValueError("freeze_layers: nothing left to freeze where lora_rank keeps the encoder as it is")
        return self


class EntitiesConfig(TrainConfig):
    """Options for an entity tagger."""

    head: Literal["crf", "linear", "pointer", "biaffine"] = Field(
        "crf",
        description="`crf` and `linear` tag pieces; `pointer` and `biaffine` score spans, which may nest and overlap.",
    )
    max_width: int | None = Field(
        None, ge=1, description="Pieces of the longest span that is scored; else that of the longest in train."
    )
    labels: tuple[str, ...] | None = Field(None, description="Labels to learn; else all that train has.")
    annotated: str | None = Field(
        None,
        description="Column that names the labels with which a note was annotated (a list, or with commas); without "
        "it, with all. Corpora of different labels so train one model: a word without a mark may be of any label that "
        "its note was not annotated with.",
    )
    class_weights: Literal["inverse", "sqrt"] | None = Field(
        None,
        description="For a linear head: a piece counts more the rarer its label is among pieces: `inverse` to its "
        "share, or to the root of it.",
    )
    label_weights: tuple[str, ...] = Field(
        (), description="For a linear head: LABEL=2 makes the label's pieces count twice; O is no label."
    )
    focal: float | None = Field(
        None, gt=0, description="For a linear head: focal loss with this gamma (2 is usual): easy pieces count less."
    )

    tune_thresholds: bool = Field(
        False, description="Give labels the probability that a span must have for the best F1 on dev."
    )

    @model_validator(mode="after")
    def _fits_the_head(self) -> Self:
        """Refuse weights of pieces where the head does not score pieces one by one, and labels that cannot be."""
        if self.labels is not None and (not self.labels or not all(label.strip() for label in self.labels)):
            raise ValueError("labels: names needed, got a blank one")
        if self.labels is not None and len(set(self.labels)) < len(self.labels):
            twice = next(label for at, label in enumerate(self.labels) if label in self.labels[:at])
            raise ValueError(f"labels: each once needed, got {twice!r} twice")
        if self.head != "linear":
            asked = {"class_weights": self.class_weights, "label_weights": self.label_weights, "focal": self.focal}
            for name in (name for name, given in asked.items() if given):
                raise ValueError(f"{name}: head linear needed, got {self.head}")
        if self.annotated is not None and self.head not in ("crf", "linear"):
            raise ValueError(f"annotated: head crf or linear needed, got {self.head}")
        if self.annotated is not None and (self.class_weights or self.label_weights or self.focal):
            raise ValueError("annotated: needed without class_weights, label_weights and focal, got one of them")
        return self


class PhiConfig(EntitiesConfig):
    """Options for a tagger of protected health information."""

    head: Literal["crf", "linear"] = Field("crf", description="What turns emissions into tags.")
    tune_thresholds: Literal[False] = False  # those of PHI are chosen by `clinlp calibrate`


class DiagnosisConfig(TrainConfig):
    """Options for a diagnoser."""

    batch_pieces: int = Field(4096, ge=16, description="Pieces of a batch, padding included.")
    max_pieces: int = Field(512, ge=8, le=8192, description="Pieces of a window; longer notes are read in several.")
    code_length: int | None = Field(None, ge=1, description="Cut codes to this length: 3 gives ICD-10 categories.")
    min_notes: int = Field(1, ge=1, description="Notes that must have a code for it to be learned.")
    single: bool = Field(False, description="Exactly one code a note.")
    codes: Path | None = Field(
        None,
        description="Table with a column `code` (.csv, .tsv, .jsonl): what to learn; else all that train has.",
    )
    unknown_codes: Literal["error", "ignore"] = Field(
        "error", description="What codes of train are that --codes lacks: `ignore` leaves them out and counts them."
    )
    code_names: Path | None = Field(
        None,
        description="Table with columns `code` and `name`, in any language: codes of like names start alike and "
        "learn from each other, and the dictionary looks for the names.",
    )
    loss: Literal["bce", "asymmetric", "balanced"] = Field(
        "bce",
        description="`bce`: cross entropy of each code; `asymmetric`: codes that a note clearly has not count little; "
        "`balanced`: rare codes count more.",
    )
    thresholds: Literal["common", "per-code", "top-k", "fixed"] = Field(
        "common",
        description="From which probability a code counts, for the best F1 on dev: `common` to all codes, `per-code` "
        "(rare codes stay near the common one), `top-k` the first k codes of every note, `fixed` 0.5.",
    )
    calibration: Literal["temperature", "isotonic", "none"] = Field(
        "temperature", description="How probabilities are brought to what is right on dev after training."
    )
    numbers: tuple[str, ...] = Field((), description="Column of the notes that holds a number, read beside the text.")
    categories: tuple[str, ...] = Field(
        (), description="Column of the notes that holds one of several values, read beside the text."
    )
    patients: Literal["same", "next"] | None = Field(
        None,
        description="Read all notes of a patient in order of time, each in the light of those before it, for the codes "
        "of its own visit (`same`), or to forecast those of the patient's `next` one; else each note by itself.",
    )
    history: int = Field(128, ge=8, description="With patients: units of the LSTM over the notes of a patient.")
    baselines: bool = Field(
        True,
        description="Train TF-IDF, a dictionary of code names and an ensemble of both and the network beside it, in "
        "OUT/tfidf, OUT/dictionary and OUT/ensemble.",
    )
    join: tuple[Path, ...] = Field(
        (),
        description="Model folder of another run, with the same train notes, dev notes and codes, that the ensemble "
        "weighs too: an LSTM beside a CNN, say.",
    )

    @model_validator(mode="after")
    def _fits_the_codes(self) -> Self:
        """Refuse options that have no say together."""
        if self.join and not self.baselines:
            raise ValueError("join: an ensemble needed, got no baselines")
        if self.single and self.loss == "asymmetric":
            raise ValueError("loss: bce or balanced needed where a note has a single code, got asymmetric")
        if self.codes is not None and self.min_notes > 1:
            raise ValueError("min_notes: nothing to choose where codes names the codes to learn")
        if self.single and self.thresholds not in ("common", "fixed"):
            raise ValueError(f"thresholds: several codes a note needed for {self.thresholds}, got single")
        return self


class ContextConfig(DiagnosisConfig):
    """Options for a classifier of what a note says about its entities: a diagnoser of their sentences."""

    epochs: int = Field(8, ge=1, description="Times that all entities are seen.")
    batch_pieces: int = Field(4096, ge=16, description="Pieces of a batch, padding included.")
    max_pieces: int = Field(256, ge=8, le=8192, description="Pieces of a window; longer sentences are read in several.")
    thresholds: Literal["common", "per-code", "top-k", "fixed"] = Field(
        "per-code", description="From which probability something holds: for the best F1 on dev, or `fixed` 0.5."
    )
    numbers: tuple[str, ...] = Field(
        RULED, description="What the rules say of an entity, read beside its text, so that the rules are corrected."
    )
    baselines: bool = False
