"""What is trained beside a network of diagnoses: TF-IDF, names of codes in part and whole, and an ensemble of all.

Each is a model folder of the run. One that is there already is kept by a run that goes on.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray

from clinlp.data.likeness import NameUnits
from clinlp.data.names import CodeNames, learn_names, table_names
from clinlp.data.splits import count_patients, deal
from clinlp.data.titles import read_titles, write_titles
from clinlp.inference.decision import Decision
from clinlp.inference.diagnosis import load_ranker
from clinlp.metrics.diagnosis import score_diagnoses
from clinlp.models.baselines import Dictionary, DictionaryConfig, EnsembleConfig
from clinlp.models.codes import CodesConfig
from clinlp.models.store import find_model, read_config, save_model, write_whole
from clinlp.note import Diagnosis, Note
from clinlp.records.codes import read_codes
from clinlp.training.baselines import Bools, Floats, fit_tfidf, name_rates, targets
from clinlp.training.codes import find_names
from clinlp.training.config import DiagnosisConfig
from clinlp.training.ensemble import predict_apart, weigh
from clinlp.training.folder import writing
from clinlp.training.likeness import fit_likeness
from clinlp.training.trust import settle_codes

_FOLDS: Final = 5
_TITLES: Final = {
    "tfidf": "TF-IDF and logistic regression: words, pairs and parts of words, runs of Han characters",
    "likeness": "Names of codes, by how much of them a sentence holds",
    "dictionary": "Names of codes, where a note states them of the patient",
    "ensemble": "Networks, TF-IDF and names of codes, weighed by what they bring on dev",
}


@dataclass(frozen=True, slots=True)
class Beside:
    """One row of the table of models: a model of the run and its scores on dev."""

    name: str
    scores: Mapping[str, float]
    seconds: float


Tell = Callable[[Beside | str], None]


def code_scores(dev: Sequence[Note], predicted: Sequence[Note], *, single: bool) -> dict[str, float]:
    """Score predicted codes, those from 0.5 on or the first; "score" is what the best model has most of."""
    scores = score_diagnoses(dev, predicted, single=single)
    main = scores.top1 if single else scores.map
    return {"score": main, "map": scores.map, "micro_f1": scores.micro.f1, "macro_f1": scores.macro_f1}


def train_beside(
    config: DiagnosisConfig, notes: Sequence[Note], dev: Sequence[Note], *, resume: bool, tell: Tell | None = None
) -> None:
    """Train what a run lacks beside its network, in the main process, and tell the scores of all models.

    Scores of the ensemble, whose weights are fitted on dev, come from fits that did not see the note: dev is dealt into
    folds by patient.

    Args:
        dev: Notes with codes of the length that is learned; of a network that reads patients, their history too.
        resume: Keep models that are there; an ensemble that joins others is weighed again.
    """
    from accelerate import PartialState

    if not PartialState().is_main_process:
        return
    run = _Run(config, notes, dev, load_ranker(config.out / "best").config)
    stale = [] if resume else list(_TITLES)
    if config.join or run.joined_before():
        stale.append("ensemble")
    for name in stale:
        shutil.rmtree(config.out / name, ignore_errors=True)
    steps = {"tfidf": run.tfidf, "likeness": run.likeness, "dictionary": run.dictionary, "ensemble": run.ensemble}
    for name in run.beside:
        if not (config.out / name).is_dir():  # it has its name once it is whole
            steps[name]()
    if tell is not None:
        if not run.gold.any():
            tell("dev: no code that is learned; the members of the ensemble weigh alike, and scores are 0")
        for name in ("network", *run.beside):
            held = json.loads((run.folder(name) / "scores.json").read_text("utf-8"))
            tell(Beside(name, _shown(held), held.get("seconds", 0.0)))


def _shown(held: Mapping[str, float]) -> dict[str, float]:
    """Give the scores of a model's folder; of codes as its thresholds choose them, where it has some."""
    tuned = {"micro_f1": "f1_with_thresholds", "macro_f1": "macro_f1_with_thresholds"}
    names = {each: tuned.get(each, each) for each in ("score", "map", "micro_f1", "macro_f1")}
    return {each: held.get(name, held.get(each, 0.0)) for each, name in names.items()}


class _Run:
    """The notes of a run, and its models so far."""

    def __init__(self, config: DiagnosisConfig, notes: Sequence[Note], dev: Sequence[Note], shape: CodesConfig) -> None:
        self.config, self.read = config, dev
        self.joined = {f"network_{at}": find_model(path) for at, path in enumerate(config.join, 2)}
        self.notes, self.dev = ([note for note in part if note.diagnoses is not None] for part in (notes, dev))
        notes, dev = self.notes, self.dev
        self.shape = CodesConfig(
            codes=shape.codes, code_length=shape.code_length, single=shape.single, target=shape.target
        )
        self.gold = targets(dev, shape.codes, shape.code_length)
        n_folds = min(_FOLDS, count_patients(dev))
        self.folds = np.array(deal(dev, n_folds, config.seed) if n_folds > 1 else [0] * len(dev))
        with_code = targets(notes, shape.codes, shape.code_length)
        self.usual: Floats = (with_code.sum(0) + 0.5) / (len(notes) + 1)

        self.table: dict[str, set[str]] = {}
        for path in filter(None, (config.codes, config.code_names)):
            for code, names in find_names(shape.codes, read_codes(path), below=True).items():
                self.table.setdefault(code, set()).update(names)

    @property
    def beside(self) -> list[str]:
        """What is trained beside the network; names in part need a table of names."""
        return [name for name in _TITLES if name != "likeness" or any(self.table.values())]

    @property
    def members(self) -> tuple[str, ...]:
        """What the ensemble weighs."""
        return ("network", *self.joined, *self.beside[:-1])

    def joined_before(self) -> bool:
        """Whether the ensemble that is there weighs other models than it now would."""
        folder = self.folder("ensemble")
        held = read_config(folder) if folder.is_dir() else None
        return isinstance(held, EnsembleConfig) and held.members != self.members

    def folder(self, name: str) -> Path:
        """Where a model of the run lies."""
        return self.joined.get(name) or self.config.out / ("best" if name == "network" else name)

    def tfidf(self) -> None:
        """Fit the n-grams."""
        began = time.perf_counter()
        model, reader = fit_tfidf(self.notes, self.shape)
        with writing(self.config.out / "tfidf.part", "the TF-IDF baseline") as part:
            save_model(part, model)
            reader.save(part)
            self._keep(part, "tfidf", load_ranker(part).probabilities(self.dev), began)

    def likeness(self) -> None:
        """Weigh the words of all names of the tables, and fit how far a part of a name can be believed."""
        began = time.perf_counter()
        names = {at: sorted(self.table.get(code, ())) for at, code in enumerate(self.shape.codes)}
        units = NameUnits.build(names, self.notes)
        model = fit_likeness(self.notes, self.shape, units)
        with writing(self.config.out / "likeness.part", "the names in part") as part:
            save_model(part, model)
            units.save(part)
            self._keep(part, "likeness", load_ranker(part).probabilities(self.dev), began)

    def dictionary(self) -> None:
        """Gather names, and fit on train how far they can be believed."""
        began = time.perf_counter()
        codes = self.shape.codes
        stated = table_names(self.table, codes)  # what a table says needs no proof
        names = CodeNames(learn_names(self.notes, codes, self.shape.code_length) | stated)
        model = Dictionary(DictionaryConfig(**self.shape.model_dump()))
        rates = name_rates(self._named(names, stated), targets(self.notes, codes, self.shape.code_length), self.usual)
        model.named, model.unnamed = (torch.from_numpy(each.astype(np.float32)) for each in rates)
        with writing(self.config.out / "dictionary.part", "the dictionary") as part:
            save_model(part, model)
            names.save(part)
            self._keep(part, "dictionary", load_ranker(part).probabilities(self.dev), began)

    def _named(self, names: CodeNames, stated: dict[str, set[int]]) -> Bools:
        """Say which training note names which code, by names that were not learned from the note.

        Args:
            stated: Names that were not learned at all.
        """
        n_folds = min(_FOLDS, count_patients(self.notes)) if names.names.keys() - stated.keys() else 1
        folds = deal(self.notes, n_folds, self.config.seed) if n_folds > 1 else [0] * len(self.notes)
        named = np.zeros((len(self.notes), len(self.shape.codes)), bool)
        for fold in range(n_folds):
            if n_folds > 1:
                others = [note for note, at in zip(self.notes, folds, strict=True) if at != fold]
                names = CodeNames(learn_names(others, self.shape.codes, self.shape.code_length) | stated)
            for row in np.flatnonzero(np.array(folds) == fold).tolist():
                named[row, list(names.find(self.notes[row]))] = True
        return named

    def ensemble(self) -> None:
        """Weigh the network, the n-grams and the names, and join them in a folder that needs no other."""
        began = time.perf_counter()
        annotated = [note.diagnoses is not None for note in self.read]
        rankers = (load_ranker(self.folder(name), precision="fp32") for name in self.members)
        said = np.stack(
            [
                self._warmed(name, ranker.probabilities(self.read)[annotated])
                for name, ranker in zip(self.members, rankers, strict=True)
            ]
        )
        config = EnsembleConfig(**self.shape.model_dump(), members=self.members, warmed=True)
        found = predict_apart(said, self.gold, self.folds, config)
        with writing(self.config.out / "ensemble.part", "the ensemble") as part:
            save_model(part, weigh(said, self.gold, config))
            for name in self.members:
                _share(self.folder(name), part / name)
            self._keep(part, "ensemble", found, began)

    def _warmed(self, name: str, found: Floats) -> Floats:
        """Bring what a member says to its temperature, which was fitted on the same dev notes."""
        config = read_config(self.folder(name))
        if not isinstance(config, CodesConfig):
            raise TypeError(f"{name}: a model of diagnoses needed, got one of {config.task}")
        return Decision(config, self.shape.codes).warmed(found)

    def _keep(self, part: Path, name: str, found: NDArray[Any], began: float) -> None:
        """Score a model that is written, fit its thresholds, say what it is, and give it its name."""
        predicted = [_ranked(note, row, self.shape.codes) for note, row in zip(self.dev, found, strict=True)]
        scores = code_scores(self.dev, predicted, single=self.shape.single)
        write_whole(part / "scores.json", json.dumps(scores, indent=1))
        way, calibration = self.config.thresholds, self.config.calibration
        settle_codes(part, self.dev, thresholds=way, calibration=calibration, raw=found)
        held = json.loads((part / "scores.json").read_text("utf-8"))
        write_whole(
            part / "scores.json", json.dumps(held | {"seconds": round(time.perf_counter() - began, 2)}, indent=1)
        )
        write_whole(part / "README.md", _card(name, self.shape, len(self.notes), len(self.dev), _shown(held)))
        write_titles(part, read_titles(self.config.out / "best"))
        part.replace(self.config.out / name)


def _ranked(note: Note, row: NDArray[Any], codes: Sequence[str]) -> Note:
    """Give a note all codes with their probabilities, the most probable first; none without words."""
    if np.isnan(row).any():
        return replace(note, diagnoses=())
    order = np.argsort(-row, kind="stable").tolist()
    return replace(note, diagnoses=tuple(Diagnosis(codes[at], min(1.0, float(row[at]))) for at in order))


def _share(source: Path, target: Path) -> None:
    """Put a model folder into another: as links where the disk can, for files of models are never changed in place."""
    target.mkdir()
    for file in source.iterdir():
        if file.is_file():
            try:
                os.link(file, target / file.name)
            except OSError:
                shutil.copy2(file, target / file.name)


def _card(name: str, shape: CodesConfig, n_notes: int, n_dev: int, scores: Mapping[str, float]) -> str:
    """Write what a model is and how good."""
    fitted = " (in folds, by fits that did not see the note)" if name == "ensemble" else ""
    head, line, cells = (
        " | ".join(column)
        for column in zip(
            *(
                (each.replace("_", " "), "---:", f"{100 * value:.2f}")
                for each, value in scores.items()
                if each != "score"
            ),
            strict=True,
        )
    )
    return (
        f"# {_TITLES[name]}\n\n{len(shape.codes):,} codes, {'one' if shape.single else 'any number'} a note. "
        f"Trained on {n_notes:,} notes; measured on {n_dev:,} dev notes{fitted}, %; "
        "F1 by thresholds that these notes chose, so a little too good:\n\n"
        f"| | {head} |\n|---|{line.replace(' ', '')}|\n| dev | {cells} |\n"
    )
