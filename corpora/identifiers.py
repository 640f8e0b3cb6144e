"""Identifiers and unlabelled words: names, dates, numbers, addresses, and what the patient's sex and age say."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from corpora.lines import LineWriter
from corpora.patient import Patient, Person, date_of, draw_person
from corpora.pieces import NothingFitsError
from corpora.vocabulary import Entry, Pool, Vocabulary

if TYPE_CHECKING:
    import random

    from corpora.grammar import Slot

OWN_WORDS: Final = frozenset({"site", "histology"})  # plain words that the disease's line gives


class IdentifierWriter(LineWriter):
    """Fills the PHI slots and the unlabelled ones."""

    def __init__(self, vocabulary: Vocabulary, patient: Patient, part: str, rng: random.Random) -> None:
        super().__init__(vocabulary, patient, part, rng)
        self.drug: Entry | None = None  # the drug named last
        self.person: Person | None = None  # whose name is being written
        self.date_form = self.draw(self._bank("date"))

    def _phi(self, slot: Slot) -> str:
        """The words of a PHI slot; apart from dates and names, the same slot gives the same words."""
        arg, _, form = slot.arg.partition(".")
        if slot.name == "NAME":
            return self._name(arg, form)
        if slot.name == "DATE":
            line = self.draw(self._bank(f"date_{form}")) if form else self.date_form
            if not form and self.rng.random() < 0.15:
                line = self.draw(self._bank("date"))
            return date_of(self.patient, arg or "admit", self.rng).strftime(line)
        infant = not self.patient.age and "age_infant" in self.vocabulary.banks
        if slot.name == "AGE" and not arg and not infant:
            return self.words(self.draw(self.vocabulary.banks.get("age", Pool(["{age}"]))))
        key = f"{slot.name}:{slot.arg}"
        if key not in self.patient.values:
            self.patient.values[key] = self._identifier(slot, arg)
        return self.patient.values[key]

    def _name(self, role: str, form: str) -> str:
        self.person = self._person(role or "patient")
        words = self.words(self.draw(self._bank(f"name_{form}" if form else "name")))
        self.person = None
        return words

    def _identifier(self, slot: Slot, arg: str) -> str:
        """A new number, address or the like."""
        name = slot.name.lower()
        names: tuple[str, ...] = (f"{name}_{slot.arg}", slot.arg, name) if slot.arg else (name,)
        if slot.name == "AGE" and not arg:
            names = ("age_infant",)
        if slot.name == "DEPARTMENT" and not slot.arg and (dept := self.patient.disease.options.get("dept")):
            names = (f"dept_{dept}", name)
        if slot.name in ("EMAIL", "SOCIAL"):
            self.person = self._person(arg or "patient")
        words = self._fill_signs(self.words(self.draw(self._bank(*names))))
        self.person = None
        return re.sub(r"[^\w@.+-]", "", words.lower()) if slot.name == "EMAIL" else words

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
            return self._part_of_name(name)
        return self._word(name, arg)

    def _part_of_name(self, name: str) -> str:
        person = self.person or draw_person(self.vocabulary, self.part, self.rng)
        parts = {"given": person.given, "surname": person.surname, "initial": person.given[0]}
        return parts.get(name, person.surname.upper())

    def _word(self, name: str, arg: str) -> str:
        """A word that the disease's line gives, that goes by sex, or that a bank holds."""
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
