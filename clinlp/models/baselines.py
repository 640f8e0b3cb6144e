"""Models of diagnoses that are no networks: n-grams weighed by code, names of codes, and several models as one.

Like all models they know numbers alone. What turns a note into those numbers (n-grams, names) is read by
`clinlp.data`, as the pieces of a network are.
"""

from __future__ import annotations

from typing import Final, Literal

import torch
from torch import Tensor, nn

from clinlp.models.codes import CodesConfig

EDGE: Final = 1e-6
"""Nearer to 0 or 1 no probability counts when several are joined."""


class TfidfConfig(CodesConfig):
    """All that is needed to build a `Tfidf` anew."""

    model: Literal["tfidf"] = "tfidf"
    n_features: int


class DictionaryConfig(CodesConfig):
    """All that is needed to build a `Dictionary` anew."""

    model: Literal["dictionary"] = "dictionary"


class LikenessConfig(CodesConfig):
    """All that is needed to build a `Likeness` anew."""

    model: Literal["likeness"] = "likeness"


class EnsembleConfig(CodesConfig):
    """All that is needed to build an `Ensemble` anew; the members are model folders inside its own."""

    model: Literal["ensemble"] = "ensemble"
    members: tuple[str, ...]
    warmed: bool = False  # members speak at their own temperature; in old folders as they were trained


class Tfidf(nn.Module):
    """Logistic regression over TF-IDF values: one model per code, or one of all codes if a note has a single one."""

    def __init__(self, config: TfidfConfig) -> None:
        super().__init__()
        self.config = config
        self.weight: Tensor
        self.bias: Tensor
        self.register_buffer("weight", torch.zeros(config.n_features, len(config.codes)))
        self.register_buffer("bias", torch.zeros(len(config.codes)))

    def logits(self, features: Tensor, values: Tensor, starts: Tensor) -> Tensor:
        """Score every code for every note, `(note, code)`.

        Args:
            features: `(entry,)`, int64: the features of all notes, one note after the other.
            values: `(entry,)`, the TF-IDF value of each.
            starts: `(note,)`, int64: where the features of each note begin.
        """
        summed = nn.functional.embedding_bag(features, self.weight, starts, mode="sum", per_sample_weights=values)
        return summed + self.bias

    def predict(self, features: Tensor, values: Tensor, starts: Tensor) -> Tensor:
        """Give every code's probability, `(note, code)`."""
        logits = self.logits(features, values, starts)
        return torch.softmax(logits, -1) if self.config.single else torch.sigmoid(logits)


class Dictionary(nn.Module):
    """How probable a code is where a note says its name, and where it does not."""

    def __init__(self, config: DictionaryConfig) -> None:
        super().__init__()
        self.config = config
        self.named: Tensor
        self.unnamed: Tensor
        self.register_buffer("named", torch.full((len(config.codes),), 0.5))
        self.register_buffer("unnamed", torch.full((len(config.codes),), 0.5))

    def predict(self, named: Tensor) -> Tensor:
        """Give every code's probability, `(note, code)`.

        Args:
            named: `(note, code)`, bool.
        """
        found = torch.where(named, self.named, self.unnamed)
        if not self.config.single:
            return found
        odds = found.clamp(EDGE, 1 - EDGE)
        odds = odds / (1 - odds)  # of exactly one of several events, each with odds of its own
        return odds / odds.sum(-1, keepdim=True)


class Likeness(nn.Module):
    """How probable a code is by how usual it is and by how much of its name a note holds."""

    def __init__(self, config: LikenessConfig) -> None:
        super().__init__()
        self.config = config
        self.weight: Tensor
        self.usual: Tensor
        self.register_buffer("weight", torch.zeros(4))  # of a share, of its square, of the log-odds below; and a bias
        self.register_buffer("usual", torch.zeros(len(config.codes)))  # log-odds of a code among the training notes

    def logits(self, shares: Tensor) -> Tensor:
        """Score every code for every note, `(note, code)`.

        Args:
            shares: `(note, code)`, how much of a code's name the note holds, 0 to 1.
        """
        linear, square, usual, bias = self.weight
        scored: Tensor = linear * shares + square * shares**2 + usual * self.usual + bias
        return scored

    def predict(self, shares: Tensor) -> Tensor:
        """Give every code's probability, `(note, code)`."""
        logits = self.logits(shares)
        return torch.softmax(logits, -1) if self.config.single else torch.sigmoid(logits)


class Ensemble(nn.Module):
    """A weighed sum of what several models say, as log-odds; as logarithms if a note has a single code."""

    def __init__(self, config: EnsembleConfig) -> None:
        super().__init__()
        self.config = config
        n = len(config.members)
        self.weight: Tensor
        self.bias: Tensor
        self.usual: Tensor
        self.register_buffer("weight", torch.full((n,), 1 / n))
        self.register_buffer("bias", torch.zeros(()))
        self.register_buffer("usual", torch.zeros(n))  # each member's mean evidence for a code, on dev

    def predict(self, probabilities: Tensor) -> Tensor:
        """Give every code's probability, `(note, code)`.

        Args:
            probabilities: `(member, note, code)`.
        """
        joined = torch.einsum("m,mnc->nc", self.weight, evidence(probabilities, single=self.config.single)) + self.bias
        return torch.softmax(joined, -1) if self.config.single else torch.sigmoid(joined)

    def shares(self, probabilities: Tensor) -> Tensor:
        """Say how much of each code's evidence each member gives, `(member, note, code)`; they sum to 1.

        What counts is how far a member raises a code above what it usually says.
        """
        above = evidence(probabilities, single=self.config.single) - self.usual[:, None, None]
        raised = self.weight[:, None, None] * above.clamp_min(0)
        total = raised.sum(0, keepdim=True)
        even = (self.weight / self.weight.sum().clamp_min(EDGE))[:, None, None].expand_as(raised)
        return torch.where(total > 0, raised / total.clamp_min(1e-12), even)


Baseline = Tfidf | Dictionary | Likeness | Ensemble
"""Any model of diagnoses that is no network."""


def evidence(probabilities: Tensor, *, single: bool) -> Tensor:
    """Give log-odds, or logarithms where codes exclude each other."""
    held = probabilities.clamp(EDGE, 1 - EDGE)
    return held.log() if single else torch.logit(held)


def pack(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Give matrices that are mostly 0 as compressed sparse rows, where that is smaller."""
    packed: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        n_set = int(torch.count_nonzero(tensor))
        if tensor.ndim != 2 or 8 * n_set + 8 * (len(tensor) + 1) >= 4 * tensor.numel():
            packed[name] = tensor
            continue
        rows, columns = tensor.nonzero(as_tuple=True)
        counts = torch.bincount(rows, minlength=len(tensor))
        packed[f"{name}.starts"] = torch.cat([torch.zeros(1, dtype=torch.int64), counts.cumsum(0)])
        packed[f"{name}.columns"] = columns.to(torch.int32)
        packed[f"{name}.values"] = tensor[rows, columns]
    return packed


def unpack(packed: dict[str, Tensor], widths: dict[str, int]) -> dict[str, Tensor]:
    """Give the matrices as they were.

    Args:
        widths: Columns of each matrix that may have been packed.

    Raises:
        RuntimeError: The parts do not belong together.
    """
    tensors = {name: tensor for name, tensor in packed.items() if name.split(".")[0] not in widths or "." not in name}
    for name, width in widths.items():
        if f"{name}.values" in packed:
            try:
                starts, columns, values = (packed[f"{name}.{part}"] for part in ("starts", "columns", "values"))
            except KeyError:
                raise RuntimeError(f"{name}: starts, columns and values needed") from None
            rows = torch.repeat_interleave(torch.arange(len(starts) - 1), starts.diff())
            if len(rows) != len(columns) or bool((columns >= width).any()):
                raise RuntimeError(f"{name}: columns of every row needed")
            tensors[name] = torch.zeros(len(starts) - 1, width)
            tensors[name][rows, columns.long()] = values.float()
    return tensors
