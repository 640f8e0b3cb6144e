"""A run as one of several: train on these notes, predict those, whatever is trained; done once, kept, never redone."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from clinlp.data.features import Loss
from clinlp.data.patients import next_codes
from clinlp.errors import DataError, UsageError
from clinlp.inference.decision import choice
from clinlp.metrics.choice import Choice
from clinlp.metrics.diagnosis import score_diagnoses
from clinlp.metrics.entities import score_entities
from clinlp.metrics.prf import NoteCounts
from clinlp.models.codes import CodesConfig
from clinlp.models.store import read_config, write_whole
from clinlp.note import Diagnosis, Note
from clinlp.records import read_notes, write_notes
from clinlp.training.beside import Beside
from clinlp.training.checkpoint import remove_checkpoints
from clinlp.training.config import ContextConfig, DiagnosisConfig, EntitiesConfig, PhiConfig, TrainConfig
from clinlp.training.context import finetune_context
from clinlp.training.diagnosis import finetune_diagnosis
from clinlp.training.finetune import finetune_entities, finetune_phi
from clinlp.training.folder import FREE
from clinlp.training.parts import Parts
from clinlp.training.task import Epoch

if TYPE_CHECKING:
    from accelerate import PartialState

PREDICTIONS: Final = "predictions.jsonl"
_TOP: Final = 100  # codes of a note that are kept, the most probable first: all of thousands would fill the disk


@dataclass(frozen=True, slots=True)
class Begun:
    """Which run of several begins, or was done before."""

    name: str
    n_notes: int
    n_apart: int
    done: bool = False

    def __str__(self) -> str:
        end = "; done before" if self.done else ""
        return f"{self.name}: {self.n_notes:,} notes to train on, {self.n_apart:,} to score{end}"


Tell = Callable[[Beside | Epoch | Loss | Begun | str], None]


def finetune(
    config: TrainConfig, parts: Parts | None = None, *, resume: bool = False, tell: Tell | None = None
) -> Path:
    """Train what the config is for; give the folder of its best epoch."""
    if isinstance(config, PhiConfig):
        return finetune_phi(config, resume=resume, tell=tell, parts=parts)
    if isinstance(config, EntitiesConfig):
        return finetune_entities(config, resume=resume, tell=tell, parts=parts)
    if isinstance(config, ContextConfig):
        return finetune_context(config, resume=resume, tell=tell, parts=parts)
    if isinstance(config, DiagnosisConfig):
        return finetune_diagnosis(config, resume=resume, tell=tell, parts=parts)
    raise TypeError(f"config of entities, phi or diagnoses needed, got {type(config).__name__}")


def run_part(
    config: TrainConfig, parts: Parts, apart: Sequence[Note], name: str, tell: Tell | None = None
) -> list[Note]:
    """Train on parts and give predictions for the notes set apart.

    The predictions are the sign that a run is done: it is not run again. One that was killed goes on
    from its checkpoint.
    """
    file = config.out / PREDICTIONS
    if tell is not None:
        tell(Begun(name, len(parts[0]), len(apart), file.is_file()))
    if not file.is_file():
        best = finetune(network_only(config), parts, resume=True, tell=tell)
        if is_main():
            write_notes(predict(config, best, apart), file)
            remove_checkpoints(config.out)
        wait()
    return list(read_notes(file))


def network_only(config: TrainConfig) -> TrainConfig:
    """Give the config of a run that is one of several, of which the network alone counts."""
    alone = {"baselines": False, "join": ()}
    return config.model_copy(update=alone) if isinstance(config, DiagnosisConfig) else config


def is_main() -> bool:
    """Whether this process is the one that writes what a series of runs found."""
    return bool(_processes().is_main_process)


def wait() -> None:
    """Wait until all processes are here, so that what one wrote is there for all."""
    _processes().wait_for_everyone()


def _processes() -> PartialState:
    """Join this process to the others, as the training loop does: the first to ask settles how."""
    import torch
    from accelerate import PartialState

    return PartialState(cpu=not torch.cuda.is_available())


def predict(config: TrainConfig, model: Path, notes: Sequence[Note]) -> list[Note]:
    """Give the notes, bare but for what the model finds; of codes the hundred most probable."""
    bare = [Note(note.note_id, note.text, note.patient_id, note.lang, note.time, fields=note.fields) for note in notes]
    if isinstance(config, PhiConfig):
        from clinlp.deid import find_phi
        from clinlp.inference.phi import PhiTagger

        return find_phi(bare, [PhiTagger.load(model)])
    if isinstance(config, EntitiesConfig):
        from clinlp.inference.entities import EntityPredictor

        return EntityPredictor.load(model)(bare)
    from clinlp.inference.diagnosis import DiagnosisPredictor

    predictor = DiagnosisPredictor.load(model, top=_TOP)
    predictor.evidence = False
    return predictor(bare)


def gold_notes(config: TrainConfig, notes: Iterable[Note]) -> list[Note]:
    """Give the notes that can be scored, with what the config is to learn: its labels, codes of its length."""
    if isinstance(config, DiagnosisConfig):
        # with patients, notes that nobody annotated are history; no score counts them
        return [
            note
            if note.diagnoses is None
            else replace(note, diagnoses=tuple(map(Diagnosis, dict.fromkeys(labels_of(config, note)))))
            for note in notes
            if config.patients is not None or note.diagnoses is not None
        ]
    if isinstance(config, EntitiesConfig) and config.labels is not None:
        known, kind = set(config.labels), attribute_of(config)
        kept: list[Note] = []
        for note in notes:
            held: dict[str, Any] = {kind: tuple(span for span in getattr(note, kind) if span.label in known)}
            kept.append(replace(note, **held))
        return kept
    return list(notes)


def labels_of(config: TrainConfig, note: Note) -> list[str]:
    """Give the labels of a note's spans, or its codes at the length that is learned."""
    if isinstance(config, DiagnosisConfig):
        return [item.code[: config.code_length] for item in note.diagnoses or ()]
    return [span.label for span in getattr(note, attribute_of(config))]


def attribute_of(config: TrainConfig) -> Literal["entities", "phi"]:
    """Which spans a tagger learns."""
    return "phi" if isinstance(config, PhiConfig) else "entities"


def choice_of(config: TrainConfig) -> Choice | None:
    """Say which codes the model of a run chooses; None of a tagger."""
    if not isinstance(config, DiagnosisConfig):
        return None
    held = read_config(config.out / "best")
    return choice(held) if isinstance(held, CodesConfig) else None


def count(
    config: TrainConfig, gold: Sequence[Note], predicted: Sequence[Note], chosen: Choice | None = None
) -> tuple[NoteCounts, ...]:
    """Count what was found in each note, in the order of gold.

    Args:
        chosen: Which codes count, as the model chose on its dev notes; else those from 0.5 on.
    """
    if isinstance(config, DiagnosisConfig):
        gold = next_codes(gold) if config.patients == "next" else gold
        notes = score_diagnoses(gold, predicted, chosen or Choice(), single=config.single).notes
        named = ("exact", "top1", "map")
        return tuple(replace(note, shares={name: note.shares[name] for name in named}) for note in notes)
    return score_entities(gold, predicted, attribute=attribute_of(config)).notes


def read_training(config: TrainConfig) -> list[Note]:
    """Read the notes to train on.

    Raises:
        DataError: Two notes have one id, so that their predictions could not be told apart.
    """
    notes = [note for path in config.train for note in read_notes(path)]
    seen: set[str] = set()
    for note in notes:
        if note.note_id in seen:
            raise DataError(f"note {note.note_id}: one note of an id needed, got two")
        seen.add(note.note_id)
    return notes


def open_series(config: TrainConfig, name: str, plan: Mapping[str, Any], *, resume: bool) -> None:
    """Keep the plan of several runs, and their config, in `OUT/name`; runs that go on must have the same.

    Of several processes one looks and writes, so that none takes the other's plan for one that was there.

    Raises:
        UsageError: The folder cannot be written, holds other runs, or the plan differs.
    """
    if is_main():
        _open_series(config, name, plan, resume=resume)
    wait()


def _open_series(config: TrainConfig, name: str, plan: Mapping[str, Any], *, resume: bool) -> None:
    out, kept = config.out, config.out / name
    said: dict[str, Any] = json.loads(json.dumps(plan)) | {"config": config.model_dump(mode="json", exclude=set(FREE))}
    if kept.is_file():
        if not resume:
            raise UsageError(f"{out}: a new folder needed, got one with runs; --resume goes on with them")
        held = json.loads(kept.read_text("utf-8"))
        if differing := _differing(held, said):
            raise UsageError(f"{kept}: --resume needs the same {differing}, got another value")
        return
    if (out / "config.json").exists():
        raise UsageError(f"{out}: a new folder needed, got one with a run")
    try:
        out.mkdir(parents=True, exist_ok=True)
        write_whole(kept, json.dumps(said, indent=1))
    except OSError as error:
        raise UsageError(f"{out}: a folder that can be written needed, got {error.strerror}") from None


def _differing(held: dict[str, Any], said: dict[str, Any]) -> str | None:
    """The name of the first value that differs."""
    for key in held | said:
        if isinstance(said.get(key), dict) and isinstance(held.get(key), dict):
            if inner := _differing(held[key], said[key]):
                return inner
        elif held.get(key) != said.get(key):
            return key
    return None
