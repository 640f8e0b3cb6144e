"""A small model of patients that nobody trained: what it says of a note changes with the notes before it."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import torch

from clinlp import Diagnosis, Note
from clinlp.data.pieces import LexicalPieces
from clinlp.models.fields import CategoryColumn, FieldsConfig, NumberColumn
from clinlp.models.lstm import LstmConfig
from clinlp.models.patients import PatientConfig, PatientDiagnoser
from clinlp.models.store import save_model

TEXTS = ("Fever and cough.", "咳嗽三天。", "Type 2 diabetes.", "既往糖尿病。", "")
CODES = ("A00", "B00", "C00")


def patient_folder(folder: Path, target: str = "same") -> Path:
    torch.manual_seed(3)
    reader = LexicalPieces.build(TEXTS * 3)
    shape = LstmConfig(n_words=reader.n_words, n_characters=reader.n_characters, hidden=8, word_width=8)
    fields = FieldsConfig(
        numbers=(NumberColumn(name="age", mean=50.0, std=20.0),),
        categories=(CategoryColumn(name="sex", values=("F", "M")),),
    )
    model = PatientDiagnoser(PatientConfig(encoder=shape, codes=CODES, target=target, history=16, fields=fields))
    with torch.no_grad():
        model.beside.weight.mul_(20)  # history has its say
    save_model(folder, model.eval())
    reader.save(folder)
    return folder


def ward(n_patients: int = 5, n_notes: int = 4) -> list[Note]:
    """Patients one after the other, in both languages; of each, notes in order of time."""
    return [
        Note(
            f"{patient}-{at}",
            TEXTS[(patient + at) % len(TEXTS)],
            f"p{patient}",
            time=date(2024, 1, 1) + timedelta(30 * at + patient),
            diagnoses=(Diagnosis(CODES[(patient + at) % 3]),),
            fields={"age": 30 + patient, "sex": "FM"[patient % 2]},
        )
        for patient in range(n_patients)
        for at in range(n_notes)
    ]
