"""Structured fields of a note as one vector: numbers with what is missing, and categories.

Numbers are standardised by the mean and deviation of train, and each has a second input that says that it
is missing (Lipton, Kale & Wetzel 2016, arXiv 1606.04130); categories are embedded. One layer makes a
vector of them, which is joined to what each code sees of the text (Zhang et al. 2020, BMC Medical
Informatics and Decision Making 20:280, doi 10.1186/s12911-020-01297-6). A code's logit reads the joined
vector by weights of its own, so text and fields each add to its log-odds: a note without fields is still
a note, and evidence in the text means the same with and without them.
"""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor, nn

from clinlp.config import Config

MISSING: Final = 0
UNKNOWN: Final = 1
"""Rows of a category's table: no value, and a value that is not in its vocabulary."""
_FARTHEST: Final = 5.0  # standard deviations: a slip of the decimal point counts no more than that
_HIDDEN_SHARE: Final = 0.1  # of the values while training, so that notes without them are learned too
_CATEGORY_WIDTH: Final = 16


class NumberColumn(Config):
    """A column of numbers, and how they lie in train."""

    name: str
    mean: float
    std: float


class CategoryColumn(Config):
    """A column of categories; the values have the rows from 2 on."""

    name: str
    values: tuple[str, ...]


class FieldsConfig(Config):
    """Which fields of a note a model reads, and all that is needed to read them."""

    numbers: tuple[NumberColumn, ...] = ()
    categories: tuple[CategoryColumn, ...] = ()
    width: int = 64  # of the vector that is made of them

    @property
    def names(self) -> tuple[str, ...]:
        """The columns in the order in which they are read."""
        return (*(column.name for column in self.numbers), *(column.name for column in self.categories))


class FieldsEncoder(nn.Module):
    """Makes one vector of the fields of each note."""

    def __init__(self, config: FieldsConfig) -> None:
        super().__init__()
        self.n_numbers = len(config.numbers)
        self.tables = nn.ModuleList(
            nn.Embedding(len(column.values) + 2, _CATEGORY_WIDTH) for column in config.categories
        )
        for table in self.tables:  # what nobody trained says nothing
            nn.init.zeros_(table.weight[:2])  # type: ignore[index]
        self.join = nn.Linear(2 * self.n_numbers + _CATEGORY_WIDTH * len(config.categories), config.width)

    def forward(self, values: Tensor) -> Tensor:
        """Give the vectors, `(note, width)`.

        Args:
            values: `(note, column)`: numbers, standardised, NaN where one is missing; then the rows of categories.
        """
        numbers, rows = values[:, : self.n_numbers], values[:, self.n_numbers :].long()
        missing = torch.isnan(numbers)
        if self.training:
            hidden = torch.rand(values.shape, device=values.device) < _HIDDEN_SHARE
            missing = missing | hidden[:, : self.n_numbers]
            rows = rows.masked_fill(hidden[:, self.n_numbers :], MISSING)
        known = torch.where(missing, 0.0, numbers).clamp(-_FARTHEST, _FARTHEST)
        embedded = [table(rows[:, at]) for at, table in enumerate(self.tables)]
        return torch.relu(self.join(torch.cat([known, missing.to(known.dtype), *embedded], 1)))
