"""Which codes a diagnoser learns, how much each counts, and what their names tell it at the start."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import torch
from torch import Tensor

from clinlp.data.batches import by_length, pad
from clinlp.data.pieces import PieceReader
from clinlp.data.titles import choose_titles, write_titles
from clinlp.errors import DataError
from clinlp.models.diagnoser import Diagnoser, DiagnoserConfig
from clinlp.models.encoder import Encoder
from clinlp.models.losses import AsymmetricLoss, CodeLoss, class_balanced
from clinlp.models.patients import PatientConfig, PatientDiagnoser
from clinlp.note import Note
from clinlp.records.codes import CodeNames, read_codes
from clinlp.training.config import DiagnosisConfig

_BATCH_PIECES: Final = 8192
_EVERYDAY: Final = 64
"""Notes whose pieces stand for what all pieces share."""


@dataclass(frozen=True, slots=True)
class CodeSet:
    """The codes that are learned, and the notes to learn them from."""

    codes: tuple[str, ...]
    counts: tuple[int, ...]  # notes that have each
    notes: tuple[Note, ...]
    remarks: tuple[str, ...]


def choose_codes(config: DiagnosisConfig, notes: Sequence[Note]) -> CodeSet:
    """Choose the codes that a config asks for: those of a table, else those of the notes.

    Raises:
        DataError: There are none, or notes have codes that the table lacks and none shall be ignored.
    """
    given = [{item.code[: config.code_length] for item in note.diagnoses or ()} for note in notes]
    counts = Counter(code for codes in given for code in codes)
    remarks = []
    if config.codes is None:
        chosen = sorted(code for code, n in counts.items() if n >= config.min_notes)
        if not chosen:
            raise DataError(
                f"{config.train[0]}: training needs notes with codes in {config.min_notes} notes or more, got none"
            )
    else:
        chosen = sorted({code[: config.code_length] for code in read_codes(config.codes)})
        if config.unknown_codes == "error":
            _need_known(config.codes, chosen, notes, given)
        if n_unseen := sum(not counts[code] for code in chosen):
            remarks.append(f"train: {n_unseen:,} of {len(chosen):,} codes of {config.codes} are in no note")
        if n_unseen == len(chosen):
            raise DataError(f"{config.train[0]}: notes with codes of {config.codes} needed, got none")
    kept = list(notes)
    if config.single:
        known = set(chosen)
        n_codes = [len(codes & known) for codes in given]
        kept = [note for note, n in zip(notes, n_codes, strict=True) if n == 1]
        for n, what in ((n_codes.count(0), "no code that is learned"), (sum(n > 1 for n in n_codes), "several codes")):
            if n:
                remarks.append(f"train: {n:,} notes have {what} and were left out")
        if not kept:
            raise DataError(f"{config.train[0]}: notes with a single code needed, got none")
    return CodeSet(tuple(chosen), tuple(counts[code] for code in chosen), tuple(kept), tuple(remarks))


def code_loss(config: DiagnosisConfig, counts: Sequence[int]) -> CodeLoss | AsymmetricLoss:
    """Make the loss that a config asks for.

    Args:
        counts: Notes that have each code.
    """
    if config.loss == "asymmetric":
        return AsymmetricLoss()
    return CodeLoss(class_balanced(counts) if config.loss == "balanced" else None, single=config.single)


def embed_names(
    config: DiagnosisConfig, chosen: CodeSet, reader: PieceReader, encoder: Encoder
) -> tuple[Tensor | None, list[str]]:
    """Embed the names of codes: the mean of their pieces' embeddings, less what all pieces share, of length 1.

    Returns:
        `(code, name)`, zero where a code has no name, or None if the config names no table; and what is to be said.
    """
    codes = chosen.codes
    if config.code_names is None:
        return None, []
    names = find_names(codes, read_codes(config.code_names))
    texts = list(dict.fromkeys(name for code in codes for name in names[code]))
    everyday = [note.text for note in chosen.notes[:_EVERYDAY]]
    embedded, n_pieces = _mean_embeddings([*texts, *everyday], reader, encoder)
    weights = n_pieces[len(texts) :, None]
    shared = (embedded[len(texts) :] * weights).sum(0) / weights.sum().clamp_min(1.0)
    centred = torch.where(embedded[: len(texts)].any(1, keepdim=True), embedded[: len(texts)] - shared, 0.0)
    means = dict(zip(texts, centred, strict=True))
    rows = [torch.stack([means[name] for name in names[code]]).mean(0) if names[code] else None for code in codes]
    n_named = sum(row is not None and bool(row.any()) for row in rows)
    if not n_named:
        raise DataError(f"{config.code_names}: names of the codes to be learned needed, got none")
    table = torch.stack([torch.zeros_like(shared) if row is None else row for row in rows])
    remark = f"{len(codes) - n_named:,} of {len(codes):,} codes have no name in {config.code_names}"
    return torch.nn.functional.normalize(table, dim=1), [remark] if n_named < len(codes) else []


def keep_titles(config: DiagnosisConfig, codes: Sequence[str], folder: Path) -> None:
    """Write into a model folder what the tables of a config call the codes."""
    tables = (table for table in (config.code_names, config.codes) if table is not None)
    write_titles(folder, choose_titles(codes, map(read_codes, tables)))


def start_diagnoser(
    shape: DiagnoserConfig, encoder: Encoder, chosen: CodeSet, names: Tensor | None
) -> Diagnoser | PatientDiagnoser:
    """Make a diagnoser, of patients if the config is of one, that first says of every note how usual each code is.

    Codes start from their names, if they have any.
    """
    shape = shape.model_copy(update={"name_width": 0 if names is None else names.shape[1]})
    model = PatientDiagnoser(shape, encoder) if isinstance(shape, PatientConfig) else Diagnoser(shape, encoder)
    if names is not None:
        model.attention.start_from(names)
    with_code = torch.tensor(chosen.counts, dtype=torch.float64) + 0.5
    odds = with_code if shape.single else with_code / (len(chosen.notes) + 1 - with_code)
    model.attention.bias.data.copy_(odds.log())
    return model


def find_names(codes: Sequence[str], table: CodeNames, *, below: bool = False) -> Mapping[str, tuple[str, ...]]:
    """Give the names of each code: its own, or in another spelling (a00.0, A000), else of what begins with it.

    Args:
        below: Give those of what begins with it too where it has names of its own.
    """
    spelled: dict[str, tuple[str, ...]] = {}
    for code, names in table.items():
        if names:
            spelled[_plain(code)] = spelled.get(_plain(code), ()) + names
    # A code that was cut, or stands for a group, may have no name of its own.
    begun: dict[str, list[str]] = {_plain(code): [] for code in codes}
    lengths = sorted({len(plain) for plain in begun})
    for plain, names in spelled.items():
        for length in lengths:
            if length < len(plain) and plain[:length] in begun:
                begun[plain[:length]].extend(names)
    made = {}
    for code in codes:
        own = table.get(code) or spelled.get(_plain(code)) or ()
        made[code] = tuple(dict.fromkeys((*own, *begun[_plain(code)]))) if below or not own else own
    return made


def _plain(code: str) -> str:
    """A code without what tables spell differently: case, and the point of ICD."""
    return code.upper().replace(".", "")


@torch.no_grad()
def _mean_embeddings(texts: Sequence[str], reader: PieceReader, encoder: Encoder) -> tuple[Tensor, Tensor]:
    """Give the mean embedding of each text's pieces, `(text, embedding)`, and how many they are, `(text,)`."""
    read = [reader(text).features for text in texts]
    lengths = np.array([len(features) for features in read], np.int64)
    filled = np.flatnonzero(lengths)
    means = torch.zeros(len(texts), 1)
    for group in by_length(lengths[filled], _BATCH_PIECES):
        places = filled[group]
        pieces, mask = pad([read[at] for at in places.tolist()])
        embedded = encoder.look_up(pieces) * mask[..., None]
        if means.shape[1] == 1:
            means = torch.zeros(len(texts), embedded.shape[2])
        means[torch.from_numpy(places)] = embedded.sum(1) / mask.sum(1, keepdim=True)
    return means, torch.from_numpy(lengths)


def _need_known(table: Path, codes: Sequence[str], notes: Sequence[Note], given: Sequence[set[str]]) -> None:
    """Refuse notes with codes outside the code set; where they are is said, not what they are."""
    known = set(codes)
    wrong = [note.note_id for note, each in zip(notes, given, strict=True) if each - known]
    if wrong:
        n_others = len(set[str]().union(*given) - known)
        raise DataError(
            f"train: codes of {table} needed (or unknown_codes ignore), got {n_others:,} others in "
            f"{len(wrong):,} notes; the first: note {wrong[0]}"
        )
