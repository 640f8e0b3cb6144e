"""Entity slots to labelled pieces: diseases, symptoms, tests, drugs and the rest, from what the patient has."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from corpora.grammar import WHOSE, Slot
from corpora.identifiers import IdentifierWriter
from corpora.patient import Patient, possible
from corpora.pieces import ENTITIES, PHI, NothingFitsError, Piece
from corpora.vocabulary import Disease, Entry, Template, Vocabulary

if TYPE_CHECKING:
    import random
    from collections.abc import Iterator

Fill = tuple[str, str, str]  # words, the code they give if affirmed, the code they speak for
TRADITIONAL: Final = {"tcm": "t", "syndrome": "y"}  # arguments of DISEASE -> keys of traditional Chinese medicine
_LINK = (
    r"(?:(?:\b(?:of|in|on|at|over|to|from|with|within|along|the|and|both|by|into|under|around|near|for|a|an)\b"
    r"|[,/\s]|[的及和与、，])*)"
)
_CORE: Final = re.compile(rf"({_LINK})(\S|\S.*?\S)({_LINK})", re.DOTALL)  # a name without its linking words


class Writer(IdentifierWriter):
    """Fills the entity slots of one note of one patient."""

    def __init__(
        self, vocabulary: Vocabulary, patient: Patient, template: Template, part: str, rng: random.Random
    ) -> None:
        super().__init__(vocabulary, patient, part, rng)
        self.names_disease = (
            not patient.disease.keys.get("s") or rng.random() > 0.12 or template.note_type == "pathology"
        )
        self.n_groups = 0
        self.test: tuple[Entry, str, str] | None = None  # test, its result and the code it speaks for
        self.findings: Iterator[tuple[str, str]] = iter(())
        kinds = ("co", "past", "symptom", "test", "imaging", "histology", "drug", "procedure", "anatomy")
        self.walks = {kind: self._walk(kind) for kind in kinds}

    def items(self, kind: str) -> list[object]:
        """What a section can walk through: tests, imaging, drugs, diseases, symptoms or procedures."""
        diseases = [self.patient.disease, *self.patient.comorbidities]
        own = self.patient.disease
        if kind == "disease":
            return list(diseases)
        if kind == "test":
            tests: list[Any] = [(name, result, d.code) for d in diseases for name, result in d.pairs("l")]
            named = {str(name) for name, _, _ in tests}
            labs = [t for t in self.vocabulary.entries["tests"] if t.column(0)[:1] == ("lab",) and t.name not in named]
            normal = [(t.name, "normal", "") for t in self.rng.sample(labs, min(len(labs), self.rng.randint(2, 6)))]
            return [*tests, *normal]
        if kind in ("imaging", "histology"):
            return [(name, own.code) for name in dict.fromkeys(name for name, _ in own.pairs(kind[0]))]
        if kind == "drug":
            return [(name, d.code) for d in diseases for name in d.keys.get("d", ())]
        key = {"symptom": "s", "procedure": "p", "anatomy": "a"}[kind]
        return [(name, own.code) for name in own.keys.get(key, ())]

    def _walk(self, kind: str) -> Iterator[object]:
        """The patient's items, the typical ones first more often; symptoms, tests and drugs start again at the end."""
        if kind == "co":
            yield from self.patient.comorbidities
            return
        if kind == "past":
            pool = [d for d in self.vocabulary.diseases if "past" in d.options and not self.patient.has(d)]
            pool = [d for d in pool if possible(d, self.patient.age, self.patient.male)]
            yield from self.rng.sample(pool, min(len(pool), 4))
            return
        items = self.items(kind)
        while items:
            yield from sorted(items, key=lambda item: items.index(item) * 0.5 + self.rng.random() * 3)
            if kind in ("imaging", "histology", "procedure"):
                return

    def _next(self, kind: str) -> Any:
        if kind in self.forced:
            return self.forced.pop(kind)
        try:
            return next(self.walks[kind])
        except StopIteration:
            raise NothingFitsError(kind) from None

    def _labelled(self, slot: Slot) -> list[Piece]:
        if slot.name in PHI:
            words = "".join(p.text for p in self.expand(slot.literal)) if slot.literal else self._phi(slot)
            return [Piece(words, slot.name)]
        if slot.name not in ENTITIES:
            raise ValueError(f"corpora/data/{self.vocabulary.lang}: a known slot is needed, got {slot.name}")
        label = "SYMPTOM" if slot.name == "FINDING" else slot.name
        words, code, supports = self._entity(slot)
        if slot.name == "FINDING" and words.startswith("*"):
            label, words = "DISEASE", words[1:]
        self.n_groups += 1
        pieces: list[Piece] = []
        for part in re.split(r"(\[[^\[\]]*\])", words):
            if part.startswith("["):
                pieces.append(Piece(part[1:-1], "ANATOMY", slot.flags, self.n_groups))
            elif re.fullmatch(_LINK, part):
                pieces.append(Piece(part))
            elif match := _CORE.fullmatch(part) if "[" in words else re.fullmatch("()(.+)()", part, re.DOTALL):
                before, core, after = match.groups()
                pieces += [Piece(before), Piece(core, label, slot.flags, self.n_groups, code, supports), Piece(after)]
        return [piece for piece in pieces if piece.text]

    def _entity(self, slot: Slot) -> Fill:
        """The words, the code they give if affirmed, and the code they speak for."""
        if slot.literal is not None:
            return "".join(p.text for p in self.expand(slot.literal)), "", ""
        fill = getattr(self, f"_fill_{slot.name.lower()}", None)
        found = fill(slot) if fill else None
        if found is None:
            key = slot.arg or slot.name.lower()
            own = slot.name == "DISEASE" and key.startswith("own_")
            if own and not self.names_disease:
                raise NothingFitsError(key)
            words = self.words(self.draw(self._bank(f"{slot.name.lower()}_{key}", key)))
            if slot.name == "DISEASE" and not own:
                return words, self.vocabulary.codes.get(words, ""), ""
            return words, self.patient.disease.code if own else "", ""
        words, code, supports = found
        return words, code, supports

    def _fill_disease(self, slot: Slot) -> Fill | None:
        if slot.arg in ("other", "family"):
            disease = self._foreign_disease(slot.arg, set(WHOSE) & set(slot.flags))
        elif slot.arg in TRADITIONAL and self.patient.disease.keys.get(TRADITIONAL[slot.arg]):
            names = self.patient.disease.keys[TRADITIONAL[slot.arg]]
            return self.rng.choice(names), self.patient.disease.code if slot.arg == "tcm" else "", ""
        elif slot.arg in TRADITIONAL:
            raise NothingFitsError(slot.arg)
        elif slot.arg in ("co", "past"):
            disease = self._next(slot.arg)
        elif slot.arg:
            return None
        else:
            disease = self.forced.pop("disease", self.patient.disease)
            if disease is self.patient.disease and not self.names_disease:
                raise NothingFitsError("disease")
        if not isinstance(disease, Disease):
            raise NothingFitsError("disease")
        gives = slot.arg in ("", "co")
        return self.draw_name(disease.names), disease.code if gives else "", ""

    def _foreign_disease(self, arg: str, whose: set[str]) -> Disease:
        """A disease of somebody else, or one that the patient could have but has not."""
        pool = self.vocabulary.diseases
        if arg == "family":
            return self.rng.choice([d for d in pool if "family" in d.options])
        while True:
            disease = self.rng.choice(pool)
            fits = whose or possible(disease, self.patient.age, self.patient.male) or self.rng.random() < 0.05
            if fits and not self.patient.has(disease):
                return disease

    def _fill_symptom(self, slot: Slot) -> Fill | None:
        if slot.arg == "other":
            own = {
                name.lower()
                for d in (self.patient.disease, *self.patient.comorbidities)
                for name in d.keys.get("s", ())
            }
            entry = self.rng.choice(self.vocabulary.entries["symptoms"])
            while own & {name.lower() for name in entry.names.items}:
                entry = self.rng.choice(self.vocabulary.entries["symptoms"])
            return self.draw_name(entry.names), "", ""
        if slot.arg:
            return None
        name, code = self._next("symptom")
        entry = self.vocabulary.find("symptoms", name)
        current = "" if "hist" in slot.flags else "".join(entry.column(0)[:1])
        return self.draw_name(entry.names), current, "" if "hist" in slot.flags else code

    def _fill_test(self, slot: Slot) -> Fill | None:
        if slot.arg in ("imaging", "histology"):
            name, code = self._next(slot.arg)
            findings = [finding for test, finding in self.patient.disease.pairs(slot.arg[0]) if test == name]
            self.rng.shuffle(findings)
            self.findings = iter([(finding, code) for finding in findings])
            return self.draw_name(self.vocabulary.find("tests", name).names), "", ""
        if not slot.arg:
            name, result, code = self._next("test")
            entry = self.vocabulary.find("tests", name)
            self.test = (entry, result, "" if result == "normal" else code)
            return self.draw_name(entry.names), "", ""
        kinds = {"".join(t.column(0)) for t in self.vocabulary.entries["tests"]}
        if slot.arg != "normal" and slot.arg not in kinds:
            return None
        wanted = "lab" if slot.arg == "normal" else slot.arg
        entry = self.rng.choice([t for t in self.vocabulary.entries["tests"] if "".join(t.column(0)) == wanted])
        self.test = (entry, "normal", "")
        return self.draw_name(entry.names), "", ""

    def _fill_result(self, slot: Slot) -> Fill | None:
        if slot.arg:
            return None
        if self.test is None:
            raise NothingFitsError("result")
        entry, result, code = self.test
        column = {"normal": 1, "negative": 1, "high": 2, "positive": 2, "abnormal": 2, "low": 3}.get(result)
        if column is not None and (values := entry.column(column)):
            result = self.rng.choice(values)
        return self.words(result), "", code

    def _fill_finding(self, _slot: Slot) -> Fill | None:
        try:
            finding, code = next(self.findings)
        except StopIteration:
            raise NothingFitsError("finding") from None
        return self.words(finding), "", code

    def _fill_drug(self, slot: Slot) -> Fill | None:
        if slot.arg == "other":
            entry = self.rng.choice(self.vocabulary.entries["drugs"])
            while any(entry.name in d.keys.get("d", ()) for d in (self.patient.disease, *self.patient.comorbidities)):
                entry = self.rng.choice(self.vocabulary.entries["drugs"])
            code = ""
        elif slot.arg == "co":
            own = [(name, d.code) for d in self.patient.comorbidities for name in d.keys.get("d", ())]
            name, code = self.rng.choice(own) if own else self._next("drug")
            entry = self.vocabulary.find("drugs", name)
        elif slot.arg:
            return None
        else:
            name, code = self._next("drug")
            entry = self.vocabulary.find("drugs", name)
        self.drug = entry
        return self.draw_name(entry.names), "", code

    def _of_drug(self, slot: Slot, column: int) -> Fill | None:
        values = self.drug.column(column) if self.drug and not slot.arg else ()
        return (self.words(self.rng.choice(values)), "", "") if values else None

    def _fill_dose(self, slot: Slot) -> Fill | None:
        return self._of_drug(slot, 0)

    def _fill_frequency(self, slot: Slot) -> Fill | None:
        return self._of_drug(slot, 2)

    def _fill_procedure(self, slot: Slot) -> Fill | None:
        return self._simple(slot, "procedure", "procedures")

    def _fill_anatomy(self, slot: Slot) -> Fill | None:
        found = self._simple(slot, "anatomy", "anatomy")
        return (found[0], "", "") if found else None

    def _simple(self, slot: Slot, kind: str, entries: str) -> Fill | None:
        if slot.arg == "other":
            return self.draw_name(self.rng.choice(self.vocabulary.entries[entries]).names), "", ""
        if slot.arg:
            return None
        name, code = self._next(kind)
        return self.draw_name(self.vocabulary.find(entries, name).names), "", "" if "hist" in slot.flags else code
