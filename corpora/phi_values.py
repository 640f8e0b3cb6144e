"""Identifiers of every kind in many formats: a writer that fills the PHI slots of short and dense notes."""

from __future__ import annotations

import random
import re
from datetime import date, timedelta
from functools import cache
from typing import Final

from corpora.grammar import Slot
from corpora.patient import Patient, Person, date_of
from corpora.people import FullPerson, draw_chinese, draw_english, load_people, plain
from corpora.pieces import PHI, Piece
from corpora.slots import Writer
from corpora.vocabulary import Pool, Template, Vocabulary

CODED: Final = frozenset({"MRN", "ACCOUNT", "HEALTH_PLAN", "LICENSE", "DEVICE", "ID", "BIOMETRIC"})
CODE_RATE: Final = 0.3  # of these numbers have a format that no list holds
OLD_RATE: Final = 0.14
CAPPED_AGE: Final = 89  # the age that is still no identifier
_HAN_DIGITS: Final = "〇一二三四五六七八九"
_NO_TEMPLATE: Final = Template("", "", (), ())


def draw_subject(vocabulary: Vocabulary, rng: random.Random) -> Patient:
    """A patient with a disease, an age and dates of any year."""
    age = rng.randint(90, 107) if rng.random() < OLD_RATE else rng.choice((rng.randint(1, 89), rng.randint(18, 89)))
    admit = date(1988, 1, 1) + timedelta(days=int((1 - rng.random() ** 2) * 14200))
    stay = timedelta(days=rng.choice((0, 1, 2, 3, 4, 5, 7, 9, 12, 20)))
    dates = {"admit": admit, "discharge": admit + stay, "surgery": admit + stay / 2, "note": admit}
    dates["birth"] = admit - timedelta(days=age * 365 + age // 4 + rng.randrange(1, 364))
    dates["followup"] = admit + stay + timedelta(days=rng.choice((7, 10, 14, 21, 28, 42, 90, 180)))
    dates["onset"] = admit - timedelta(days=rng.choice((1, 2, 3, 5, 7, 14, 30, 60, 180)))
    return Patient("subject", rng.choice(vocabulary.diseases), [], age, rng.random() < 0.5, dates)


@cache
def _whole(pool: Pool) -> Pool:
    """The same alternatives, none held out."""
    whole = Pool(())
    whole.items = whole.open = pool.items
    return whole


def _han(number: int) -> str:
    """A day or a month in Chinese words: 7 七, 10 十, 21 二十一."""
    tens, ones = divmod(number, 10)
    return ("" if tens == 0 else "十" if tens == 1 else _HAN_DIGITS[tens] + "十") + (_HAN_DIGITS[ones] if ones else "")


def write_date(day: date, form: str) -> str:
    """A date as `strftime` says, and `~o` (3rd), `~Y`, `~m`, `~d` (Chinese words)."""
    if "~" in form:
        ordinal = "th" if 11 <= day.day <= 13 else {1: "st", 2: "nd", 3: "rd"}.get(day.day % 10, "th")
        form = form.replace("~o", f"{day.day}{ordinal}").replace("~m", _han(day.month)).replace("~d", _han(day.day))
        form = form.replace("~Y", "".join(_HAN_DIGITS[int(c)] for c in str(day.year)))
    return day.strftime(form)


def random_code(rng: random.Random) -> str:
    """A number of a format of its own: groups of digits and letters with any sign between."""
    signs = "0123456789" * 3 + rng.choice(("", "", "ABCDEFGHJKLMNPQRSTUVWXYZ", "abcdefghkmnprstuvwxyz"))
    groups = ["".join(rng.choice(signs) for _ in range(rng.randint(2, 6))) for _ in range(rng.choice((1, 1, 2, 2, 3)))]
    if rng.random() < 0.4:
        groups[0] = "".join(rng.choice("ABCDEFGHJKLMNPQRSTUVWXYZ") for _ in range(rng.randint(1, 3))) + groups[0]
    groups[-1] += "".join(rng.choice("0123456789") for _ in range(2 if len(groups) > 1 else 4))
    return rng.choice(("-", "-", "", "/", ".", "_", " ")).join(groups)


class PhiWriter(Writer):
    """Fills the slots of one dense note: every identifier is drawn in one of many formats."""

    def __init__(self, vocabulary: Vocabulary, patient: Patient, part: str, rng: random.Random) -> None:
        self.people = load_people(vocabulary.lang)
        super().__init__(vocabulary, patient, _NO_TEMPLATE, part, rng)
        self.draw_person = draw_chinese if vocabulary.lang == "zh" else draw_english
        self.date_form = self.draw(vocabulary.banks["q_date"])

    def _labelled(self, slot: Slot) -> list[Piece]:
        """The pieces of a slot; an age up to 89 is no identifier, signs at the end are outside the span."""
        pieces = super()._labelled(slot)
        if slot.name not in PHI:
            return pieces
        words = pieces[0].text
        if slot.name == "AGE" and int((re.findall(r"\d+", words) or ["90"])[0]) <= CAPPED_AGE:
            return [Piece(words)]
        core = words.strip(" ").rstrip(".,;:，。、 ")
        after = words.strip(" ")[len(core) :]
        return [Piece(core, slot.name), Piece(after)] if after else [Piece(core, slot.name)]

    def _bank(self, *names: str) -> Pool:
        """The first bank there is; forms of identifiers are never held out, sentences and names are."""
        places = self.people.places
        pool = next((places[name] for name in names if name in places), None) or super()._bank(*names)
        return _whole(pool) if any(name.startswith("q_") and name not in places for name in names) else pool

    def _phi(self, slot: Slot) -> str:
        arg, _, form = slot.arg.partition(".")
        if slot.name == "NAME":
            return self._name(arg, form)
        if slot.name == "DATE":
            line = self.date_form
            if form or self.rng.random() < 0.25:
                line = self.draw(self._bank(f"q_date_{form}" if form else "q_date"))
            return write_date(date_of(self.patient, arg or "admit", self.rng), line)
        if slot.name == "AGE" and not arg:
            return self.words(self.draw(self._bank("q_age")))
        key = f"{slot.name}:{slot.arg}"
        if key not in self.patient.values or slot.name == "AGE":
            self.patient.values[key] = self._identifier(slot, arg)
        return self.patient.values[key]

    def _name(self, role: str, form: str) -> str:
        self.person = person = self._person(role or "patient")
        native = person.native if isinstance(person, FullPerson) else ""
        if native and form in ("", "full", "list", "spaced", "sign"):
            self.person = None
            return native
        words = self.words(self.draw(self._bank(f"q_name_{form}" if form else "q_name", f"name_{form}")))
        self.person = None
        return words

    def _identifier(self, slot: Slot, arg: str) -> str:
        name, arg = slot.name.lower(), arg.rstrip("0123456789")
        if slot.name in CODED and not arg and self.rng.random() < CODE_RATE:
            return random_code(self.rng)
        names = (f"q_{name}_{arg}", f"q_{name}", f"{name}_{arg}", name) if arg else (f"q_{name}", name)
        self.person = self._person(arg or "patient") if slot.name in ("EMAIL", "SOCIAL") else None
        words = self._fill_signs(self.words(self.draw(self._bank(*names))))
        self.person = None
        if slot.name in ("EMAIL", "SOCIAL", "URL"):
            words = re.sub(r"['’ ]", "", plain(words) if self.vocabulary.lang == "en" else words)
        if slot.name == "EMAIL" and self.rng.random() < 0.8:
            return words.lower()
        return words

    def _person(self, role: str) -> Person:
        if role not in self.patient.persons:
            male = self.patient.male if role == "patient" else self.rng.random() < 0.5
            person = self.draw_person(self.vocabulary, self.people, self.part, self.rng, male=male)
            if role == "relative" and self.rng.random() < 0.5 and not person.native:
                person.surname = self._person("patient").surname
            self.patient.persons[role] = person
        return self.patient.persons[role]

    def _plain_words(self, name: str, arg: str) -> str:
        if name in ("middle", "nick", "initial2", "given2", "given_caps"):
            person = self.person or self._stranger()
            given = person.given
            middle = person.middle if isinstance(person, FullPerson) else given
            nick = person.nick if isinstance(person, FullPerson) else given
            return {"middle": middle, "nick": nick, "initial2": middle[:1], "given_caps": given.upper()}.get(
                name, given
            )
        return super()._plain_words(name, arg)

    def _part_of_name(self, name: str) -> str:
        person = self.person or self._stranger()
        parts = {"given": person.given, "surname": person.surname, "initial": person.given[:1]}
        return parts.get(name, person.surname.upper())

    def _stranger(self) -> FullPerson:
        male = self.rng.random() < 0.5
        return self.draw_person(self.vocabulary, self.people, self.part, self.rng, male=male)

    def _identity_number(self) -> str:
        """Most with a valid check digit; some wrong, some of the old length, some in groups."""
        number = super()._identity_number()
        if (kind := self.rng.random()) < 0.25:
            number = number[:-1] + self.rng.choice("0123456789X")
        elif kind < 0.3:
            number = number[:6] + number[8:-1]
        elif kind < 0.34:
            number = f"{number[:6]} {number[6:14]} {number[14:]}"
        elif kind < 0.37:
            number = f"{number[:6]}********{number[14:]}"
        return number.lower() if kind > 0.96 else number
