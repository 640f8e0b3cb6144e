"""A person whose record says the Chinese name is one person in Latin letters too."""

from __future__ import annotations

from hashlib import sha256

import pytest

from clinlp.deid.known.readings import readings, surname_readings
from clinlp.deid.surrogates import Surrogates
from clinlp.inference.config import PipelineConfig
from clinlp.inference.release import Deidentifier
from clinlp.note import Note
from clinlp.spans import Span

NAMES = ("王建国", "李明", "欧阳修文", "单晓红", "赵雅婷", "陈思远", "杨柳", "徐海燕", "曾国强", "周子轩")


def written(text: str, name: str, *, patient: str = "p1", told: str = "王建国") -> str:
    at = text.index(name)
    note = Note("n", text, patient_id=patient, fields={"who": told}, phi=(Span(at, at + len(name), "NAME"),))
    return Surrogates(b"k" * 32, names=("who",)).replacements(note)[0]


def read(han: str, n_surname: int) -> tuple[str, str]:
    given = "".join(readings(one)[0] for one in han[n_surname:])
    return surname_readings(han[:n_surname])[0].capitalize(), given.capitalize()


@pytest.mark.parametrize("told", NAMES)
@pytest.mark.parametrize("patient", ["p1", "p2", "p3"])
def test_the_spelled_name_is_the_reading_of_the_surrogate(told, patient):
    n_surname = 2 if told.startswith("欧阳") else 1
    surname, given = read(told, n_surname)
    han = written(f"患者{told}入院", told, patient=patient, told=told)
    new_surname, new_given = read(han, n_surname)
    if new_surname == surname or new_given == given:
        pytest.skip("read alike: the spelling has a surrogate of its own")
    for form, expected in (
        (f"{given} {surname}", f"{new_given} {new_surname}"),
        (f"{surname} {given}", f"{new_surname} {new_given}"),
        (f"{surname.upper()}, {given}", f"{new_surname.upper()}, {new_given}"),
        (surname, new_surname),
        (f"{given[0]}. {surname}", f"{new_given[0]}. {new_surname}"),
    ):
        assert written(f"Seen: {form} today", form, patient=patient, told=told) == expected


def test_syllables_apart_and_initials_are_the_same_person():
    surname, given = read(written("患者王建国入院", "王建国"), 1)
    han = written("患者王建国入院", "王建国")
    first, second = (readings(one)[0].capitalize() for one in han[1:])
    assert written("Seen: Jian-Guo Wang today", "Jian-Guo Wang") == f"{first}-{second} {surname}"
    assert written("Signed WJG today", "WJG") == f"{surname[0]}{first[0]}{second[0]}"
    assert given == (first + second).capitalize()


def test_initials_of_every_syllable_of_a_compound_surname_are_the_same_person():
    han = written("患者欧阳修文入院", "欧阳修文", told="欧阳修文")
    initials = "".join(readings(one)[0][0].upper() for one in han)
    assert written("OYXW今日出院", "OYXW", told="欧阳修文") == initials
    assert written("XWOY今日出院", "XWOY", told="欧阳修文") == initials[2:] + initials[:2]


def test_other_people_and_records_without_the_name_keep_their_own():
    plain = Surrogates(b"k" * 32)
    for text, name in (("Seen by John Smith", "John Smith"), ("Seen by Li Wei today", "Li Wei")):
        at = text.index(name)
        note = Note("n", text, patient_id="p1", fields={"who": "王建国"}, phi=(Span(at, at + len(name), "NAME"),))
        assert written(text, name) == plain.replacements(note)[0]


def test_a_release_with_known_columns_says_one_person_in_both_scripts(tmp_path):
    key = tmp_path / "key"
    key.write_text(sha256(b"a key for this test").hexdigest(), "utf-8")
    key.chmod(0o600)
    config = PipelineConfig(deid="surrogate", key_file=key, known=("who=NAME",), phi="off", entities="off")
    release = Deidentifier(config)
    texts = ("患者王建国，男，62岁，因胸痛入院。", "Mr. Jianguo Wang was seen. Wang had chest pain.")
    notes = [Note(f"n{at}", text, patient_id="p1", fields={"who": "王建国"}) for at, text in enumerate(texts)]
    han, latin = (release.release(note).text for note in release.find(notes))
    surname, given = read(han[2:5], 1)
    assert latin == f"Mr. {given} {surname} was seen. {surname} had chest pain."
