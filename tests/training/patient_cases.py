"""Patients whose codes only their history tells, in both languages."""

from __future__ import annotations

import random
from datetime import date, timedelta

from clinlp import Diagnosis, Note

WORDS = {"E11": ("diabetes", "糖尿病"), "I10": ("hypertension", "高血压")}
SMALL = {
    "encoder": "cnn",
    "channels": 16,
    "filter_widths": (3,),
    "word_width": 16,
    "dropout": 0.0,
    "learning_rate": 0.01,
    "head_learning_rate": 0.01,
    "batch_pieces": 64,
    "history": 32,
    "baselines": False,
    "single": True,
}


def ward(n_patients, seed, lag=1):
    """A visit has the code whose word the note of `lag` visits before said; in any order."""
    draw = random.Random(seed)  # noqa: S311
    made = []
    for patient in range(n_patients):
        day, said = date(2020, 1, 1), []
        for visit in range(draw.randint(4, 6)):
            day += timedelta(draw.randint(10, 400))
            said.append(draw.choice(list(WORDS)))
            word = WORDS[said[-1]][patient % 2]
            text = f"复诊：{word}。" if patient % 2 else f"Seen for {word}."
            codes = None if visit < lag else (Diagnosis(said[visit - lag]),)
            made.append(Note(f"{seed}-{patient}-{visit}", text, f"{seed}p{patient}", time=day, diagnoses=codes))
    draw.shuffle(made)
    return made


def codes(note):
    return None if note.diagnoses is None else sorted(item.code for item in note.diagnoses)


def agreement(gold, found):
    """The share of annotated notes whose codes are exactly right."""
    pairs = [(one, other) for one, other in zip(gold, found, strict=True) if one.diagnoses is not None]
    return sum(codes(one) == codes(other) for one, other in pairs) / len(pairs)
