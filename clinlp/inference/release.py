"""De-identification as the pipeline does it: detectors, thresholds, replacement, the last look, the vault."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Self

from clinlp.deid import Detector, PhiLabel, default_detectors, deidentify, find_phi
from clinlp.deid.sweep import check_release
from clinlp.errors import UsageError
from clinlp.inference.config import PipelineConfig
from clinlp.note import Lang, Note
from clinlp.spans import Span

if TYPE_CHECKING:  # torch and cryptography: loaded only where the config asks for them
    from clinlp.deid.keys import Key
    from clinlp.deid.surrogates import Surrogates
    from clinlp.inference.phi import PhiTagger


class Deidentifier:
    """Finds the PHI of notes and releases them without it, as a config says.

    Attributes:
        left_out: How often each column was left out of released notes.
        known: Columns with identifiers of the patient, and their labels.
        n_given: PHI spans that came with the notes and were taken as found.
        sealed: Entries of the vault for the notes released since somebody took them out.
    """

    def __init__(self, config: PipelineConfig) -> None:
        """Load what the config asks for; taggers of a language only once a note needs them.

        Raises:
            UsageError: A model, a column, a threshold file or the key is not as it needs to be.
        """
        self.config = config
        self.left_out: Counter[str] = Counter()
        self.sealed: list[bytes] = []
        self.n_given = 0
        self._taggers: dict[str, PhiTagger] = {}
        self._thresholds: dict[str, float] = {}
        self.known: Mapping[str, PhiLabel] = {}
        if config.known:
            from clinlp.deid.known import parse_known

            self.known = parse_known(config.known)
        self._detectors = self._make_detectors()
        if config.thresholds is not None:
            from clinlp.deid.conformal import read_thresholds

            self._thresholds = read_thresholds(config.thresholds)
        self._key: Key | None = None
        self._surrogates: Surrogates | None = None
        if config.vault is not None and config.deid == "off":
            raise UsageError("vault: a way to replace PHI needed (--deid), got off: nothing would be taken away")
        if config.vault is not None or config.deid == "surrogate":
            self._use_key(config)

    def variant(self, config: PipelineConfig) -> Self:
        """Give one that replaces what it finds in another way, or finds it by another model."""
        other = copy(self)
        other.config, other._surrogates = config, None  # noqa: SLF001  its own class
        if config.phi != self.config.phi:
            other._detectors = other._make_detectors()  # noqa: SLF001
        if config.deid == "surrogate":
            other._use_key(config)  # noqa: SLF001
        return other

    def find(self, notes: Sequence[Note]) -> list[Note]:
        """Give the notes with `phi` set to all that rules, known identifiers and taggers found."""
        if not self.config.given_phi:
            notes = [replace(note, phi=()) for note in notes]
        self.n_given += sum(len(note.phi) for note in notes)
        return find_phi(notes, () if self.config.only_given else self._detectors, self._thresholds)

    def candidates(self, notes: Sequence[Note]) -> list[list[Span]]:
        """Give all that any detector found in each note, however improbable."""
        answers = [detector(notes) for detector in self._detectors]
        return [[span for spans in found for span in spans] for found in zip(*answers, strict=True)]

    def release(self, note: Note) -> Note:
        """Replace PHI, leave out columns that nobody said may be released, and look once more.

        Raises:
            DataError: PHI may be left in the text.
        """
        released = self._without_columns(deidentify(note, self.config.deid, surrogates=self._surrogates))
        check_release(note, released)
        if self.config.vault is not None and self._key is not None:
            from clinlp.deid.seal import seal

            self.sealed.append(seal(note, released, self._key))
        return released

    @property
    def models(self) -> tuple[str, ...]:
        """Names or folders of the taggers loaded so far."""
        return tuple(self._taggers)

    def _make_detectors(self) -> list[Detector]:
        """Put rules, a model and known identifiers together, as the config says."""
        detectors: list[Detector] = list(default_detectors())
        if self.config.phi != "off":
            from clinlp.inference.phi import beside

            detectors = [beside(detectors, self._tagger_of)]
            if self.config.phi != "bundled":  # a wrong name is said before any work
                self._tagger(self.config.phi)
        if self.known:
            from clinlp.deid.known import known_detector

            detectors.append(known_detector(self.known))
        return detectors

    def _use_key(self, config: PipelineConfig) -> None:
        from clinlp.deid.keys import read_key

        self._key = read_key(config.key_file)
        if config.deid == "surrogate":
            from clinlp.deid.surrogates import Surrogates

            self._surrogates = Surrogates(
                self._key.derive("surrogates"),
                keep_weekday=config.keep_weekday,
                max_days=config.max_shift_days,
                names=tuple(column for column, label in self.known.items() if label == PhiLabel.NAME),
            )

    def _without_columns(self, note: Note) -> Note:
        """Leave out columns; with surrogates, the patient's id and the note's time are replaced alike."""
        kept = self.config.keep_fields
        if "*" in kept:  # but for what was said to name the patient
            kept = (*(name for name in (*note.fields, "patient_id", "time") if name not in self.known), *kept)
        patient_id, time = note.patient_id, note.time
        if self._surrogates is not None:
            patient_id = patient_id and self._surrogates.patient_id(note)
            time = time and time + timedelta(self._surrogates.days(note))
        out = [name for name in note.fields if name not in kept]
        out += [name for name in ("patient_id", "time") if getattr(note, name) is not None and name not in kept]
        if not out and not note.fields and (patient_id, time) == (note.patient_id, note.time):
            return note
        self.left_out.update(out)
        return replace(
            note,
            fields={name: value for name, value in note.fields.items() if name in kept},
            patient_id=patient_id if "patient_id" in kept else None,
            time=time if "time" in kept else None,
        )

    def _tagger_of(self, lang: Lang) -> PhiTagger:
        return self._tagger(f"phi-{lang}" if self.config.phi == "bundled" else self.config.phi)

    def _tagger(self, name: str) -> PhiTagger:
        from clinlp.inference.phi import PhiTagger

        if name not in self._taggers:
            self._taggers[name] = PhiTagger.load(name, device=self.config.device, precision=self.config.precision)
        return self._taggers[name]
