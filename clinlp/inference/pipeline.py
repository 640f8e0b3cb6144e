"""The main job as one function: notes in, released and annotated notes out.

`batch`, `pipes` and the command line only carry notes to it.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from copy import copy
from dataclasses import replace
from typing import TYPE_CHECKING, Self

from clinlp.errors import DataError, Failure, UsageError
from clinlp.inference.config import PipelineConfig
from clinlp.inference.release import Deidentifier
from clinlp.note import Lang, Note
from clinlp.text.context import ContextFinder
from clinlp.text.language import detect_language
from clinlp.text.rules import load_rules
from clinlp.text.sections import SectionFinder

if TYPE_CHECKING:  # torch: loaded with the first model, never for rules alone
    from clinlp.inference.context import ContextPredictor
    from clinlp.inference.diagnosis import DiagnosisPredictor
    from clinlp.inference.entities import EntityPredictor

__all__ = ["Pipeline", "PipelineConfig"]

LANGUAGES: tuple[Lang, ...] = ("en", "zh")
_Stage = Callable[[Sequence[Note]], Sequence[Note]]


class Pipeline:
    """De-identifies, finds entities and their context, and predicts diagnoses.

    Everything is found in the original text, where models and rules see what they were made for; the
    text is released last, and every span is carried to it.

    Attributes:
        seconds: Time spent in each stage so far.
        deidentifier: What finds and replaces PHI; it counts what was left out and holds the vault's entries.
    """

    def __init__(self, config: PipelineConfig | None = None) -> None:
        """Load what the config asks for; models of a language only once a note needs them.

        Raises:
            UsageError: A model that the config names is none, or its file of rules is broken.
        """
        self.config = config or PipelineConfig()
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self.deidentifier = Deidentifier(self.config)
        self._taggers: dict[str, EntityPredictor] = {}
        self._diagnosers: dict[str, DiagnosisPredictor] = {}
        self._classifier: ContextPredictor | None = None
        self._readers: dict[Lang, tuple[SectionFinder, ContextFinder]] = {}
        if self.config.rules is not None:
            for lang in LANGUAGES:
                self._reader(lang)
        for name in (self.config.entities, self.config.diagnosis):  # a wrong name is said before any work
            if name not in ("bundled", "off"):
                self._tagger("en") if name == self.config.entities else self._diagnoser("en")
        if self.config.context and self.config.context_model != "rules":
            from clinlp.inference.context import ContextPredictor

            self._classifier = ContextPredictor.load(
                self.config.context_model,
                readers=self._reader,
                device=self.config.device,
                precision=self.config.precision,
            )

    def __call__(self, notes: Sequence[Note]) -> list[Note | Failure]:
        """Handle every note, in order; a note that fails gives a `Failure` and stops no other.

        Raises:
            UsageError: Something else than a note is there, such as a text.
        """
        if isinstance(notes, Note):
            raise UsageError("pipeline: a list of notes needed, got one note")
        done: list[Note | Failure] = list(notes)
        for each in done:
            if not isinstance(each, (Note, Failure)):  # it would come back as it is, as if it were released
                raise UsageError(f'pipeline: notes needed, such as Note("n1", text), got {type(each).__name__}')
        self._each(done, "read", self._read)
        if self.config.sections:
            self._each(done, "sections", self._add_sections)
        self._all(done, "phi", self.deidentifier.find)
        if self._finds_entities:
            self._by_language(done, "entities", self._tagger)
        if self.config.context and self._classifier is not None:
            self._all(done, "context", self._classify)
        elif self.config.context:
            self._each(done, "context", self._add_context)
        if self.config.diagnosis == "bundled":
            self._by_language(done, "diagnosis", self._diagnoser)
        elif self.config.diagnosis != "off":  # one model for all: a patient's notes may be of both languages
            diagnoser = self._diagnoser("en")
            self._all(done, "diagnosis", diagnoser, together=diagnoser.whole_patients)
        if self.config.deid != "off":
            self._each(done, "release", self.deidentifier.release)
        return done

    def variant(self, config: PipelineConfig) -> Self:
        """Give a pipeline that does more or less with the same models: nothing is loaded twice.

        Both count into one `seconds` and one `left_out`; use them from one thread.

        Args:
            config: As this one's, with stages switched off or another way to replace PHI.
        """
        other = copy(self)
        other.config = config
        other.deidentifier = self.deidentifier.variant(config)
        return other

    @property
    def uses_models(self) -> bool:
        """Whether any stage may load a model."""
        named = {self.config.phi, self.config.diagnosis, self.config.context_model}
        return self._finds_entities or not named <= {"off", "rules"}

    @property
    def models(self) -> tuple[str, ...]:
        """Names or folders of the models loaded so far."""
        context = (self.config.context_model,) if self._classifier is not None else ()
        return (*self.deidentifier.models, *self._taggers, *self._diagnosers, *context)

    @property
    def whole_patients(self) -> bool:
        """Whether all notes of a patient must be given together, for a model reads them in order of time."""
        return any(predictor.whole_patients for predictor in self._diagnosers.values())

    def _read(self, note: Note) -> Note:
        """Refuse what no stage should see, and say the language."""
        if len(note.text) > self.config.max_characters:
            raise DataError(
                f"note {note.note_id}: at most {self.config.max_characters:,} characters needed, got "
                f"{len(note.text):,}; split the note or raise --max-characters"
            )
        return note if note.lang else replace(note, lang=detect_language(note.text))

    @property
    def _finds_entities(self) -> bool:
        return self.config.entities != "off" and not self.config.keep_entities

    def _add_sections(self, note: Note) -> Note:
        find_sections, _ = self._reader(_lang(note))
        return replace(note, sections=find_sections(note.text))

    def _add_context(self, note: Note) -> Note:
        """Say of the entities what the text says of them; of those that are kept, where nobody has said so."""
        if not note.entities:
            return note
        _, find_context = self._reader(_lang(note))
        return self._kept(note, replace(note, entities=find_context(note.text, note.entities, note.sections)))

    def _classify(self, notes: Sequence[Note]) -> list[Note]:
        """Do the same by a trained classifier."""
        if self._classifier is None:
            raise TypeError("a classifier of contexts needed, got none")
        return [self._kept(note, found) for note, found in zip(notes, self._classifier(notes), strict=True)]

    def _kept(self, given: Note, found: Note) -> Note:
        if not self.config.keep_entities:
            return found
        pairs = zip(given.entities, found.entities, strict=True)
        return replace(found, entities=tuple([new if old.context is None else old for old, new in pairs]))

    def _reader(self, lang: Lang) -> tuple[SectionFinder, ContextFinder]:
        if lang not in self._readers:
            rules = load_rules(lang, self.config.rules)
            self._readers[lang] = SectionFinder(rules), ContextFinder(rules, lang)
        return self._readers[lang]

    def _tagger(self, lang: Lang) -> EntityPredictor:
        from clinlp.inference.entities import EntityPredictor

        name = f"entities-{lang}" if self.config.entities == "bundled" else self.config.entities
        if name not in self._taggers:
            self._taggers[name] = EntityPredictor.load(name, device=self.config.device, precision=self.config.precision)
        return self._taggers[name]

    def _diagnoser(self, lang: Lang) -> DiagnosisPredictor:
        from clinlp.inference.diagnosis import DiagnosisPredictor

        name = f"diagnosis-{lang}" if self.config.diagnosis == "bundled" else self.config.diagnosis
        if name not in self._diagnosers:
            predictor = DiagnosisPredictor.load(
                name, device=self.config.device, precision=self.config.precision, top=self.config.top
            )
            if self.config.sets or self.config.max_set is not None:
                predictor.give_sets(self.config.max_set)
            self._diagnosers[name] = predictor
        return self._diagnosers[name].giving(self.config.top)

    def _by_language(self, done: list[Note | Failure], stage: str, model: Callable[[Lang], _Stage]) -> None:
        for lang in LANGUAGES:
            if any(isinstance(note, Note) and note.lang == lang for note in done):
                self._all(done, stage, model(lang), lang)

    def _each(self, done: list[Note | Failure], stage: str, change: Callable[[Note], Note]) -> None:
        """Apply a change note by note."""
        with self._timed(stage):
            for at, note in enumerate(done):
                if isinstance(note, Note):
                    done[at] = _guarded(change, note, stage)

    def _all(
        self,
        done: list[Note | Failure],
        stage: str,
        change: _Stage,
        lang: Lang | None = None,
        *,
        together: bool = False,
    ) -> None:
        """Apply a change to all notes at once; if that fails, one by one to find those that fail.

        Args:
            together: Whether what becomes of a note rests on the others, so that the good ones are changed once more.
        """
        with self._timed(stage):
            places = [at for at, note in enumerate(done) if isinstance(note, Note) and lang in (None, note.lang)]
            notes = [note for at in places if isinstance(note := done[at], Note)]
            if not notes:
                return
            changed: Sequence[Note | Failure]
            try:
                changed = change(notes)
            except Exception:  # noqa: BLE001  whatever went wrong, only the notes that cause it may fail
                changed = [_guarded(lambda note: change([note])[0], note, stage) for note in notes]
                if together:
                    changed = _together(change, notes, changed, stage)
            for at, note in zip(places, changed, strict=True):
                done[at] = note

    @contextmanager
    def _timed(self, stage: str) -> Iterator[None]:
        began = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[stage] += time.perf_counter() - began


def _guarded(change: Callable[[Note], Note], note: Note, stage: str) -> Note | Failure:
    """Apply a change; a failure is described without the note's text."""
    try:
        return change(note)
    except Exception as error:  # noqa: BLE001  one bad note never stops the others
        return Failure.of(error, stage=stage, note_id=note.note_id)


def _together(
    change: _Stage, notes: Sequence[Note], alone: Sequence[Note | Failure], stage: str
) -> list[Note | Failure]:
    """Change all notes that can be changed as one, for what is said of a note alone lacks the patient's history."""
    good = [at for at, result in enumerate(alone) if isinstance(result, Note)]
    made: list[Note | Failure] = list(alone)
    try:
        changed: Sequence[Note | Failure] = change([notes[at] for at in good])
    except Exception as error:  # noqa: BLE001  one bad note never stops a job
        changed = [Failure.of(error, stage=stage, note_id=notes[at].note_id) for at in good]
    for at, result in zip(good, changed, strict=True):
        made[at] = result
    return made


def _lang(note: Note) -> Lang:
    return note.lang or detect_language(note.text)
