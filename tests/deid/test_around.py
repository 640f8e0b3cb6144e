"""What the words around a tagger's find say it is: a score, a clock time, a code, an eponym; and what they do not."""

from __future__ import annotations

import pytest

from clinlp.deid.en.around import is_other
from clinlp.spans import Span


def asked(marked: str, label: str) -> bool:
    """Ask of the words between `{` and `}`."""
    start, end = marked.index("{"), marked.index("}") - 1
    return is_other(marked.replace("{", "").replace("}", ""), Span(start, end, label, 0.4))


@pytest.mark.parametrize(
    ("marked", "label"),
    [
        ("pain {8/10} at rest", "DATE"),
        ("power {4/5} strength in both legs", "DATE"),
        ("vision {20/20} in both", "DATE"),
        ("take {1/2} tab at night", "DATE"),
        ("since {0630}, vomited twice", "DATE"),
        ("the meeting is at {1430}.", "PHONE"),
        ("billed CPT {99214} today", "ID"),
        ("in trial {NCT04435626} arm B", "ID"),
        ("carries G{551}D, on ivacaftor", "ID"),
        ("rs{5770917} came up", "ID"),
        ("gas {7.12/28/88/9}, AG 26", "DATE"),
        ("{72}M with syncope", "BED"),
        ("the {Jones} criteria are met", "NAME"),
        ("{Stevens-Johnson} after lamotrigine", "NAME"),
        ("{Spetzler-Martin II} AVM", "NAME"),
        ("catheter ({PROBAAT}) at term", "NAME"),
        ("a {Boston} Scientific device", "LOCATION"),
        ("St. {John}'s wort daily", "NAME"),
        ("New {York} Heart class III", "HOSPITAL"),
        ("back from {Sierra Leone} a week ago", "NAME"),
        ("moved from {rural Kenya} in 2010", "HOSPITAL"),
        ("found in {county jail}, cold", "LOCATION"),
        ("plays the organ at {church} and sings", "ORG"),
        ("seen in {MO} last year", "LOCATION"),
        ("caravans on {outskirts} of town", "DATE"),
        ("does CPT cover it, {36573} or 36569", "PHONE"),
        ("how do I bill prolonged services {99417}", "ID"),
        ("{May} I put it in my lecture", "DATE"),
        ("{March} her down the hall", "DATE"),
        ("the pain as burning, {8/10}", "DATE"),
        ("on Suboxone {16/4} since then", "DATE"),
        ("back from Costa {Rica}", "HOSPITAL"),
        ("the {Kaiser} sepsis calculator", "ORG"),
        ("methimazole for {Graves}. since then", "NAME"),
        ("from the {50th} centile", "DATE"),
        ("before the {4th} dose", "DATE"),
        ("100 yo {M}, walks alone", "NAME"),
        ("mother ({b}. 2025)", "NAME"),
        ("No new T{2} lesion", "DATE"),
        ("a helicopter is {40 mi} away", "LOCATION"),
        ("Na rose in {24}h", "BED"),
        ("{Gradenigo} has not shown itself", "NAME"),
    ],
)
def test_known_to_identify_nobody(marked: str, label: str) -> None:
    assert asked(marked, label)


@pytest.mark.parametrize(
    ("marked", "label"),
    [
        ("seen on {8/10} for pain", "DATE"),
        ("biopsy {5/21}, benign", "DATE"),
        ("pager {4471} please", "PHONE"),
        ("bill sent to {99417} Elm St", "LOCATION"),
        ("in {May} he fell", "DATE"),
        ("on the {4th} of May", "DATE"),
        ("seen by {M}. Lee", "NAME"),
        ("rm{12} by the door", "BED"),
        ("at {40 Mill} Rd", "LOCATION"),
        ("Prolia {5/14}", "DATE"),
        ("clinic in San Jose, {Costa Rica 10101}", "LOCATION"),
        ("room {72} by the door", "BED"),
        ("MRN {99214} on file", "MRN"),
        ("{Jones} says that she will call", "NAME"),
        ("pt {Mary Stevens-Johnson} called", "NAME"),
        ("signed ({OKAFOR})", "NAME"),
        ("his daughter {Georgia} lives nearby", "NAME"),
        ("at {University} of St Andrews", "ORG"),
        ("near the Oak Creek {mill} on Monday", "LOCATION"),
        ("lives on {oak creek road} alone", "LOCATION"),
        ("lives in {Boston} alone", "LOCATION"),
        ("on {easter} sunday", "DATE"),
        ("the {ninth} of June", "DATE"),
    ],
)
def test_may_identify_somebody(marked: str, label: str) -> None:
    assert not asked(marked, label)
