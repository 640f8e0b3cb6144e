"""Lines to labelled pieces: fills the slots of a line with what the patient has."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from corpora.grammar import FLAGS, WHOSE, Bank, Choice, Node, Slot, parse
from corpora.patient import Patient, Person, date_of, draw_person, possible
from corpora.vocabulary import Disease, Entry, Pool, Template, Vocabulary

ENTITIES: Final = frozenset(
    "DISEASE SYMPTOM TEST RESULT FINDING PROCEDURE DRUG DOSE FREQUENCY DURATION ANATOMY".split()
)
PHI: Final = frozenset(
    "NAME DATE AGE PHONE FAX EMAIL URL IP SSN ID_CARD MRN HEALTH_PLAN ACCOUNT LICENSE VEHICLE DEVICE BIOMETRIC PHOTO "
    "LOCATION HOSPITAL DEPARTMENT BED SOCIAL ORG ID".split()
)
IN_CONTEXT: Final = frozenset({"DISEASE", "SYMPTOM", "TEST", "PROCEDURE", "DRUG"})  # the labels that carry a context
TRADITIONAL: Final = {"tcm": "t", "syndrome": "y"}  # arguments of DISEASE -> keys of traditional Chinese medicine
OWN_WORDS: Final = frozenset({"site", "histology"})  # plain words that the disease's line gives
MAX_DEPTH: Final = 12
_LINK = r"(?:(?:\b(?:of|in|on|at|over|to|from|with|within|along|the|and|both|by|into|under|around|near|for|a|an)\b|[,/\s]|[的及和与、，])*)"
_CORE: Final = re.compile(
    rf"({_LINK})(\S|\S.*?\S)({_LINK})", re.DOTALL
)  # a name beside `[anatomy]`, without its linking words


class NothingFitsError(LookupError):
    """The patient has nothing for this slot: another line must be drawn."""


@dataclass(slots=True)
class Piece:
    """Some characters of a note, and what they are."""

    text: str
    label: str = ""
    flags: tuple[str, ...] = ()
    group: int = 0  # pieces of one name share a number
    code: str = ""  # the code that this mention gives if it is affirmed
    supports: str = ""  # the code that this mention speaks for without naming the disease

    @property
    def is_phi(self) -> bool:
        """Say whether the piece identifies somebody."""
        return self.label in PHI

    @property
    def affirmed(self) -> bool:
        """Say whether the mention is a fact about the patient now or, for a disease, at any time."""
        return not set(self.flags) & {"neg", "unc", "hyp", *WHOSE}

    def context(self) -> dict[str, bool | str] | None:
        """The canonical JSON form of the mention's context."""
        if self.label not in IN_CONTEXT:
            return None
        told: dict[str, bool | str] = {name: flag in self.flags for flag, name in FLAGS.items()}
        told["experiencer"] = next((who for flag, who in WHOSE.items() if flag in self.flags), "patient")
        return told


class Writer:
    """Expands lines for one note of one patient."""

    def __init__(
        self, vocabulary: Vocabulary, patient: Patient, template: Template, part: str, rng: random.Random
    ) -> None:
        self.vocabulary, self.patient, self.part, self.rng = vocabulary, patient, part, rng
        self.names_disease = (
            not patient.disease.keys.get("s") or rng.random() > 0.12 or template.note_type == "pathology"
        )
        self.date_form = self.draw(self._bank("date"))
        self.person: Person | None = None
        self.n_groups = 0
        self.forced: dict[str, object] = {}
        self.test: tuple[Entry, str, str] | None = None  # test, its result and the code it speaks for
        self.drug: Entry | None = None
        self.findings: Iterator[tuple[str, str]] = iter(())
        self.walks = {
            kind: self._walk(kind)
            for kind in ("co", "past", "symptom", "test", "imaging", "histology", "drug", "procedure", "anatomy")
        }

    # -- what the patient has ------------------------------------------------------------------------------------

    def items(self, kind: str) -> list[object]:
        """What a section can walk through: tests, imaging, drugs, diseases, symptoms or procedures."""
        diseases = [self.patient.disease, *self.patient.comorbidities]
        own = self.patient.disease
        if kind == "disease":
            return list(diseases)
        if kind == "test":
            tests: list[object] = [(name, result, d.code) for d in diseases for name, result in d.pairs("l")]
            labs = [t for t in self.vocabulary.entries["tests"] if t.column(0)[:1] == ("lab",)]
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

    def force(self, kind: str, item: object) -> None:
        """Make the next slot of this kind take this item."""
        self.forced[kind] = item

    def _next(self, kind: str) -> object:
        if kind in self.forced:
            return self.forced.pop(kind)
        try:
            return next(self.walks[kind])
        except StopIteration:
            raise NothingFitsError(kind) from None

    # -- lines ---------------------------------------------------------------------------------------------------

    def draw(self, pool: Pool) -> str:
        """One alternative of a bank."""
        return self.rng.choice(pool.of(self.part, self.rng) or ("",))

    def draw_name(self, pool: Pool) -> str:
        """One of the names of an entry, the usual one half of the time."""
        return pool.items[0] if self.rng.random() < 0.45 else self.draw(pool)

    def _bank(self, *names: str) -> Pool:
        for name in names:
            if name in self.vocabulary.banks:
                return self.vocabulary.banks[name]
        raise KeyError(f"corpora/data/{self.vocabulary.lang}: a bank [{names[0]}] is needed, got none")

    def lines(self, bank: str, wanted: int) -> list[list[Piece]]:
        """That many different lines of a bank, expanded; fewer if no more fit."""
        pool = list(dict.fromkeys(self.rng.sample(all_ := self._bank(bank).of(self.part, self.rng), len(all_))))
        lines: list[list[Piece]] = []
        for line in pool:
            if len(lines) == wanted:
                break
            forced = dict(self.forced)
            try:
                lines.append(self.expand(parse(line)))
            except NothingFitsError:
                self.forced = forced
        return lines

    def expand(self, nodes: tuple[Node, ...], depth: int = 0) -> list[Piece]:
        """The pieces of a parsed line.

        Raises:
            NothingFitsError: A slot asks for what the patient does not have.
        """
        if depth > MAX_DEPTH:
            raise RecursionError("corpora: banks that do not refer to themselves are needed, got a circle")
        pieces: list[Piece] = []
        for node in nodes:
            if isinstance(node, str):
                pieces.append(Piece(node))
            elif isinstance(node, Choice):
                pieces.extend(self.expand(self.rng.choice(node.options), depth + 1))
            elif isinstance(node, Bank):
                pieces.extend(self._any_line(node.name, depth))
            elif node.name.isupper() and node.name != "SURNAME":
                pieces.extend(self._labelled(node))
            else:
                pieces.append(Piece(self._plain(node)))
        return pieces

    def _any_line(self, bank: str, depth: int) -> list[Piece]:
        for _ in range(6):
            try:
                return self.expand(parse(self.draw(self._bank(bank))), depth + 1)
            except NothingFitsError:
                continue
        raise NothingFitsError(bank)

    def words(self, line: str) -> str:
        """A line whose slots are all unlabelled."""
        return "".join(piece.text for piece in self.expand(parse(line)))

    # -- labelled slots ------------------------------------------------------------------------------------------

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
            elif match := _CORE.fullmatch(part) if "[" in words else re.fullmatch("()(.+)()", part, re.DOTALL):
                before, core, after = match.groups()
                pieces += [Piece(before), Piece(core, label, slot.flags, self.n_groups, code, supports), Piece(after)]
            else:
                pieces.append(Piece(part))
        return [piece for piece in pieces if piece.text]

    def _entity(self, slot: Slot) -> tuple[str, str, str]:
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
            return words, self.patient.disease.code if own else "", ""
        words, code, supports = found
        return words, code, supports

    def _fill_disease(self, slot: Slot) -> tuple[str, str, str] | None:
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

    def _fill_symptom(self, slot: Slot) -> tuple[str, str, str] | None:
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
        name, code = self._next("symptom")  # type: ignore[misc]
        entry = self.vocabulary.find("symptoms", name)
        current = "" if "hist" in slot.flags else "".join(entry.column(0)[:1])
        return self.draw_name(entry.names), current, "" if "hist" in slot.flags else code

    def _fill_test(self, slot: Slot) -> tuple[str, str, str] | None:
        if slot.arg in ("imaging", "histology"):
            name, code = self._next(slot.arg)  # type: ignore[misc]
            findings = [finding for test, finding in self.patient.disease.pairs(slot.arg[0]) if test == name]
            self.rng.shuffle(findings)
            self.findings = iter([(finding, code) for finding in findings])
            return self.draw_name(self.vocabulary.find("tests", name).names), "", ""
        if not slot.arg:
            name, result, code = self._next("test")  # type: ignore[misc]
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

    def _fill_result(self, slot: Slot) -> tuple[str, str, str] | None:
        if slot.arg:
            return None
        if self.test is None:
            raise NothingFitsError("result")
        entry, result, code = self.test
        column = {"normal": 1, "negative": 1, "high": 2, "positive": 2, "abnormal": 2, "low": 3}.get(result)
        if column is not None and (values := entry.column(column)):
            result = self.rng.choice(values)
        return self.words(result), "", code

    def _fill_finding(self, _slot: Slot) -> tuple[str, str, str] | None:
        try:
            finding, code = next(self.findings)
        except StopIteration:
            raise NothingFitsError("finding") from None
        return self.words(finding), "", code

    def _fill_drug(self, slot: Slot) -> tuple[str, str, str] | None:
        if slot.arg == "other":
            entry = self.rng.choice(self.vocabulary.entries["drugs"])
            while any(entry.name in d.keys.get("d", ()) for d in (self.patient.disease, *self.patient.comorbidities)):
                entry = self.rng.choice(self.vocabulary.entries["drugs"])
            code = ""
        elif slot.arg == "co":
            own = [(name, d.code) for d in self.patient.comorbidities for name in d.keys.get("d", ())]
            name, code = self.rng.choice(own) if own else self._next("drug")  # type: ignore[misc]
            entry = self.vocabulary.find("drugs", name)
        elif slot.arg:
            return None
        else:
            name, code = self._next("drug")  # type: ignore[misc]
            entry = self.vocabulary.find("drugs", name)
        self.drug = entry
        return self.draw_name(entry.names), "", code

    def _of_drug(self, slot: Slot, column: int) -> tuple[str, str, str] | None:
        values = self.drug.column(column) if self.drug and not slot.arg else ()
        return (self.words(self.rng.choice(values)), "", "") if values else None

    def _fill_dose(self, slot: Slot) -> tuple[str, str, str] | None:
        return self._of_drug(slot, 0)

    def _fill_frequency(self, slot: Slot) -> tuple[str, str, str] | None:
        return self._of_drug(slot, 2)

    def _fill_procedure(self, slot: Slot) -> tuple[str, str, str] | None:
        return self._simple(slot, "procedure", "procedures")

    def _fill_anatomy(self, slot: Slot) -> tuple[str, str, str] | None:
        found = self._simple(slot, "anatomy", "anatomy")
        return (found[0], "", "") if found else None

    def _simple(self, slot: Slot, kind: str, entries: str) -> tuple[str, str, str] | None:
        if slot.arg == "other":
            return self.draw_name(self.rng.choice(self.vocabulary.entries[entries]).names), "", ""
        if slot.arg:
            return None
        name, code = self._next(kind)  # type: ignore[misc]
        return self.draw_name(self.vocabulary.find(entries, name).names), "", "" if "hist" in slot.flags else code

    # -- identifiers and plain words -----------------------------------------------------------------------------

    def _phi(self, slot: Slot) -> str:
        arg, _, form = slot.arg.partition(".")
        if slot.name == "NAME":
            self.person = self._person(arg or "patient")
            words = self.words(self.draw(self._bank(f"name_{form}" if form else "name")))
            self.person = None
            return words
        if slot.name == "DATE":
            line = self.draw(self._bank(f"date_{form}")) if form else self.date_form
            if not form and self.rng.random() < 0.15:
                line = self.draw(self._bank("date"))
            return date_of(self.patient, arg or "admit", self.rng).strftime(line)
        name = slot.name.lower()
        if slot.name == "AGE" and not arg and (self.patient.age or "age_infant" not in self.vocabulary.banks):
            return self.words(self.draw(self.vocabulary.banks.get("age", Pool(["{age}"]))))
        infant = slot.name == "AGE" and not arg
        key = f"{slot.name}:{slot.arg}"
        if key not in self.patient.values:
            names = (f"{name}_{slot.arg}", slot.arg, name) if slot.arg else (name,)
            names = ("age_infant",) if infant else names
            if slot.name == "DEPARTMENT" and not slot.arg and (dept := self.patient.disease.options.get("dept")):
                names = (f"dept_{dept}", name)
            if slot.name in ("EMAIL", "SOCIAL"):
                self.person = self._person(arg or "patient")
            words = self._fill_signs(self.words(self.draw(self._bank(*names))))
            self.person = None
            self.patient.values[key] = re.sub(r"[^\w@.+-]", "", words.lower()) if slot.name == "EMAIL" else words
        return self.patient.values[key]

    def _fill_signs(self, pattern: str) -> str:
        signs = {"#": "0123456789", "%": "123456789", "^": "ABCDEFGHJKLMNPRSTVWXYZ"}
        return re.sub(r"[#%^]", lambda m: self.rng.choice(signs[m[0]]), pattern)

    def _person(self, role: str) -> Person:
        if role not in self.patient.persons:
            person = draw_person(self.vocabulary, self.part, self.rng)
            if role == "relative" and self.rng.random() < 0.6:
                person.surname = self.patient.persons["patient"].surname
            self.patient.persons[role] = person
        return self.patient.persons[role]

    def _plain(self, slot: Slot) -> str:
        name, capital = slot.name, slot.name[0].isupper() and slot.name != "SURNAME"
        words = self._plain_words(name if not capital else name[0].lower() + name[1:], slot.arg)
        return words[:1].upper() + words[1:] if capital else words

    def _plain_words(self, name: str, arg: str) -> str:
        if name == "n":
            return self._number(arg)
        if name == "age":
            return str(self.patient.age)
        if name == "id18":
            return self._identity_number()
        if name == "route":
            return self.rng.choice((self.drug.column(1) if self.drug else ()) or ("",))
        if name in ("given", "surname", "initial", "SURNAME"):
            person = self.person or draw_person(self.vocabulary, self.part, self.rng)
            return {
                "given": person.given,
                "surname": person.surname,
                "initial": person.given[0],
                "SURNAME": person.surname.upper(),
            }[name]
        if name in OWN_WORDS:
            if not (values := self.patient.disease.keys.get(name)):
                raise NothingFitsError(name)
            return self.rng.choice(values)
        male = (self._person(arg) if arg else self.patient).male
        if name in self.vocabulary.words:
            return self.vocabulary.words[name][0 if male else 1]
        sexed = f"{name}_male" if male else f"{name}_female"
        return self.words(self.draw(self._bank(name, sexed)))

    def _number(self, arg: str) -> str:
        low, _, high = arg.partition("-")
        high = high or low
        decimals = len(low.partition(".")[2])
        value = self.rng.uniform(float(low), float(high)) if decimals else self.rng.randint(int(low), int(high))
        return f"{value:.{decimals}f}"

    def _identity_number(self) -> str:
        digits = f"{self.rng.randint(11, 65)}{self.rng.randint(1, 29):02d}{self.rng.randint(1, 29):02d}"
        digits += self.patient.dates["birth"].strftime("%Y%m%d") + f"{self.rng.randint(1, 99):02d}"
        digits += str(self.rng.randrange(5) * 2 + self.patient.male)
        weights = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
        return digits + "10X98765432"[sum(int(d) * w for d, w in zip(digits, weights, strict=True)) % 11]
