"""One invented patient: main disease, comorbidities, dates, persons and the identifiers that stay the same."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Final

from corpora.vocabulary import Disease, Template, Vocabulary

NEEDS: Final = {"imaging": "i", "procedure": "p", "path": "h", "tcm": "t"}  # what a template asks for -> disease key


@dataclass(slots=True)
class Person:
    """A name to be written in several forms."""

    given: str
    surname: str
    male: bool


@dataclass(slots=True)
class Patient:
    """Facts that hold over all notes of one patient."""

    patient_id: str
    disease: Disease
    comorbidities: list[Disease]
    age: int
    male: bool
    dates: dict[str, date]
    persons: dict[str, Person] = field(default_factory=dict)
    values: dict[str, str] = field(default_factory=dict)

    def has(self, disease: Disease) -> bool:
        """Say whether the patient has the disease or one of the same three-character category."""
        return any(disease.code[:3] == own.code[:3] for own in (self.disease, *self.comorbidities))


def fits(disease: Disease, template: Template) -> bool:
    """Say whether a note of this kind can be written about the disease."""
    for need in template.needs:
        key, _, value = need.partition("=")
        if key in NEEDS and not disease.keys.get(NEEDS[key]):
            return False
        if not value and key not in NEEDS and key not in disease.options:
            return False
        if value and disease.options.get(key) not in (value, None if key == "sex" else value):
            return False
    return True


def draw_person(vocabulary: Vocabulary, part: str, rng: random.Random, male: bool | None = None) -> Person:
    """Somebody with a given name that fits the sex."""
    male = rng.random() < 0.5 if male is None else male
    banks = vocabulary.banks
    given = rng.choice(banks["given_male" if male else "given_female"].of(part, rng))
    return Person(given, rng.choice(banks["surname"].of(part, rng)), male)


def draw_patient(vocabulary: Vocabulary, template: Template, patient_id: str, part: str, rng: random.Random) -> Patient:
    """A patient about whom the template can be written."""
    fitting = [d for d in vocabulary.diseases if fits(d, template)]
    disease = rng.choice(fitting)
    if "rare" in disease.options:
        disease = rng.choice(fitting)
    low, high = (int(n) for n in disease.options.get("age", "18-90").split("-"))
    age = rng.randint(low, high)
    sexes = {disease.options.get("sex"), *(n[4:] for n in template.needs if n.startswith("sex="))} - {None}
    male = "m" in sexes if sexes else rng.random() < 0.5
    patient = Patient(patient_id, disease, [], age, male, _dates(age, rng))
    _add_comorbidities(patient, vocabulary, rng)
    patient.persons["patient"] = draw_person(vocabulary, part, rng, male)
    return patient


def possible(disease: Disease, age: int, male: bool) -> bool:
    """Say whether age and sex allow the disease."""
    low, high = (int(n) for n in disease.options.get("age", "0-120").split("-"))
    return low <= age <= high + 15 and disease.options.get("sex", "m" if male else "f") == ("m" if male else "f")


def _add_comorbidities(patient: Patient, vocabulary: Vocabulary, rng: random.Random) -> None:
    wanted = rng.choices((0, 1, 2, 3, 4), (3, 3, 2, 1, 1) if patient.age > 40 else (6, 3, 1, 0, 0))[0]
    likely = set(patient.disease.keys.get("c", ()))
    for _ in range(wanted):
        pool = [
            d
            for d in vocabulary.diseases
            if (d.code in likely or d.code[:3] in likely if likely and rng.random() < 0.6 else "chronic" in d.options)
            and possible(d, patient.age, patient.male)
            and not patient.has(d)
        ]
        if pool:
            patient.comorbidities.append(rng.choice(pool))


def _dates(age: int, rng: random.Random) -> dict[str, date]:
    admit = date(2012, 1, 1) + timedelta(days=rng.randrange(365 * 14))
    stay = rng.choice((1, 2, 3, 3, 4, 5, 6, 7, 9, 12, 16, 21))
    return {
        "admit": admit,
        "birth": admit - timedelta(days=age * 365 + age // 4 + rng.randrange(1, 364)),
        "onset": admit - timedelta(days=rng.choice((1, 1, 2, 3, 5, 7, 14, 30, 60, 180))),
        "surgery": admit + timedelta(days=rng.randint(0, stay)),
        "discharge": admit + timedelta(days=stay),
        "followup": admit + timedelta(days=stay + rng.choice((7, 10, 14, 21, 28, 42, 90))),
        "relative_day": admit + timedelta(days=rng.randint(0, stay)),
    }


def date_of(patient: Patient, event: str, rng: random.Random) -> date:
    """The day of an event, kept from then on.

    `past...` is long before the admission; `recent1` to `recent9` are in the year before it, in this order; any
    other is in the stay.
    """
    if event not in patient.dates:
        admit, stay = patient.dates["admit"], patient.dates["discharge"] - patient.dates["admit"]
        if event.startswith("recent"):
            days = -(10 - int(event[6:])) * 30 - rng.randint(0, 20)
        elif event.startswith("past"):
            days = -rng.randint(200, 8000)
        else:
            days = rng.randint(0, stay.days)
        patient.dates[event] = admit + timedelta(days=days)
    return patient.dates[event]
