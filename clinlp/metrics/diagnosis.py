"""Scores of diagnosis codes: as sets above a threshold, and as a ranking.

Left out on purpose: the hierarchy of a code system; two codes are the same or they are not.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Sequence
from dataclasses import dataclass, field

from clinlp.errors import DataError, UsageError
from clinlp.metrics.choice import Choice
from clinlp.metrics.pairing import pair_notes
from clinlp.metrics.prf import NoteCounts, Prf, add_labels, mean, percents
from clinlp.note import Diagnosis, Note

View = Callable[[str], str | None]


@dataclass(frozen=True, slots=True)
class DiagnosisScores:
    """Scores over a set of notes; what `score_diagnoses` says about each number holds here."""

    micro: Prf
    codes: dict[str, Prf]
    exact: float
    top1: float
    precision_at: dict[int, float]
    recall_at: dict[int, float]
    map: float
    n_notes: int
    n_without_codes: int
    n_not_annotated: int
    notes: tuple[NoteCounts, ...] = field(default=(), repr=False, compare=False)

    @property
    def macro_precision(self) -> float:
        """Mean precision of the codes, each counted alike."""
        return mean([prf.precision for prf in self.codes.values()])

    @property
    def macro_recall(self) -> float:
        """Mean recall of the codes."""
        return mean([prf.recall for prf in self.codes.values()])

    @property
    def macro_f1(self) -> float:
        """Mean F1 of the codes that gold or predicted notes have."""
        return mean([prf.f1 for prf in self.codes.values()])

    def macro_over(self, codes: Container[str]) -> float:
        """Mean F1 of those of the codes that gold or predicted notes have, such as those of many training notes."""
        return mean([prf.f1 for code, prf in self.codes.items() if code in codes])

    def to_dict(self) -> dict[str, object]:
        """All numbers, for JSON."""
        return {
            "n_notes": self.n_notes,
            "n_without_codes": self.n_without_codes,
            "n_not_annotated": self.n_not_annotated,
            "micro": self.micro.to_dict(),
            "macro": {"precision": self.macro_precision, "recall": self.macro_recall, "f1": self.macro_f1},
            "exact": self.exact,
            "top1": self.top1,
            "precision_at": {str(k): share for k, share in self.precision_at.items()},
            "recall_at": {str(k): share for k, share in self.recall_at.items()},
            "map": self.map,
            "codes": {code: prf.to_dict() for code, prf in self.codes.items()},
        }

    def rows(self) -> list[tuple[str, str]]:
        """The summary as rows of a name and a percentage."""
        named = {
            "micro precision": self.micro.precision,
            "micro recall": self.micro.recall,
            "micro F1": self.micro.f1,
            "macro precision": self.macro_precision,
            "macro recall": self.macro_recall,
            "macro F1": self.macro_f1,
            "exact": self.exact,
            "top 1": self.top1,
        }
        named |= {f"precision@{k}": share for k, share in self.precision_at.items()}
        named |= {f"recall@{k}": share for k, share in self.recall_at.items()} | {"MAP": self.map}
        return list(zip(named, percents(*named.values()), strict=True))


def score_diagnoses(
    gold: Iterable[Note],
    predicted: Iterable[Note],
    threshold: float | Choice = 0.5,
    ks: Sequence[int] = (1, 5, 8),
    *,
    single: bool = False,
    view: View | None = None,
) -> DiagnosisScores:
    """Score predicted codes against gold ones, notes paired by id.

    Sets: the codes of a note whose score is at least the threshold; a code without a score always
    counts. Micro counts (note, code) pairs; `exact` is the share of notes whose two sets are the same.

    Macro is the mean over the codes that a gold or a predicted set holds, which is what scikit-learn does
    with the sets of these notes. A code that the model was never shown has an F1 of 0 and counts, as does one
    that is only predicted; a code that neither side has says nothing and does not count, as 0 or as 1. F1 is
    averaged, not made of averages. `macro_over` gives the same over some codes.

    Ranking: all predicted codes by falling score, those without a score first, ties in the order of
    the note. `precision_at[k]` is the share of right codes among the first k, over k even where
    fewer were predicted; `recall_at[k]` the share of the gold codes among the first k; `map` the mean
    over notes of average precision, which is the sum of the precision at each right code's rank over
    the number of gold codes; `top1` the share of notes whose first code is right. These four are
    means over the notes that have gold codes; `n_without_codes` says how many have none.

    Gold notes that nobody annotated (`diagnoses` is None) count nowhere but in `n_not_annotated`.

    Source: Mullenbach et al. (2018), CAML, NAACL, section 4.3 (micro, precision at k); Edin et al. (2023),
    Automated Medical Coding on MIMIC-III and MIMIC-IV, SIGIR, section 3 (macro without codes of no note);
    Manning, Raghavan & Schuetze (2008), Introduction to Information Retrieval, section 8.4 (MAP).

    Args:
        gold: Notes as they should be.
        predicted: The same notes as they came out, in any order; their text may differ.
        threshold: From which score on a code counts as predicted, or another way to choose.
        ks: Where to cut the ranking.
        single: The first code of a note's ranking is its set, whatever its score.
        view: What is compared in place of codes, such as their chapters; None leaves a code out. Of codes
            that become one the first in the ranking counts.

    Raises:
        DataError: A note is missing, extra or there twice, or has no predicted diagnoses at all.
        UsageError: The threshold is no probability or a k is below 1.
    """
    choice = threshold if isinstance(threshold, Choice) else Choice(threshold)
    if single:
        choice = Choice(top=1)
    if any(k < 1 for k in ks):
        raise UsageError(f"ks: whole numbers from 1 needed, got {min(ks)}")
    pairs = pair_notes(gold, predicted, same_text=False)
    seen = view or _same
    notes = tuple(_count(note, other, choice, ks, seen) for note, other in pairs if note.diagnoses is not None)
    codes = add_labels(notes)
    shares = {name: _ratio([note.shares[name] for note in notes]) for name in ("exact", "top1", "map")}
    return DiagnosisScores(
        micro=sum(codes.values(), Prf()),
        codes=codes,
        exact=shares["exact"],
        top1=shares["top1"],
        precision_at={k: _ratio([note.shares[f"precision@{k}"] for note in notes]) for k in ks},
        recall_at={k: _ratio([note.shares[f"recall@{k}"] for note in notes]) for k in ks},
        map=shares["map"],
        n_notes=len(notes),
        n_without_codes=sum(not note.shares["map"][1] for note in notes),
        n_not_annotated=len(pairs) - len(notes),
        notes=notes,
    )


def _same(code: str) -> str:
    return code


def _count(note: Note, other: Note, choice: Choice, ks: Sequence[int], view: View) -> NoteCounts:
    """Count the codes of one note, and say how well they are ranked."""
    if other.diagnoses is None:
        raise DataError(f"note {note.note_id}: predicted diagnoses needed, got none")
    ordered = _ordered(other.diagnoses)
    wanted = {seen for diagnosis in note.diagnoses or () if (seen := view(diagnosis.code)) is not None}
    ranked = list(dict.fromkeys(seen for each in ordered if (seen := view(each.code)) is not None))
    found = {seen for code in choice(ordered) if (seen := view(code)) is not None}
    codes = {
        code: Prf(int(code in wanted), int(code in found), int(code in wanted & found))
        for code in sorted(wanted | found)
    }
    right = [code in wanted for code in ranked]
    n_gold, one = len(wanted), float(bool(wanted))  # a note without gold codes has no ranking to judge
    shares = {
        "exact": (float(wanted == found), 1.0),
        "top1": (float(sum(right[:1])), one),
        "map": (_average_precision(right, n_gold), one),
    }
    shares |= {f"precision@{k}": (sum(right[:k]) / k, one) for k in ks}
    shares |= {f"recall@{k}": (sum(right[:k]) / max(1, n_gold), one) for k in ks}
    return NoteCounts(note.note_id, note.patient_id, codes, shares)


def _ratio(parts: Sequence[tuple[float, float]]) -> float:
    """The sum above the line over the sum below it; 0 where there is nothing."""
    below = sum(part[1] for part in parts)
    return sum(part[0] for part in parts) / below if below else 0.0


def _ordered(diagnoses: Iterable[Diagnosis]) -> list[Diagnosis]:
    """Order codes by falling score."""
    return sorted(diagnoses, key=lambda diagnosis: -1.0 if diagnosis.score is None else -diagnosis.score)


def _average_precision(right: Sequence[bool], n_gold: int) -> float:
    """Mean over the gold codes of the precision at their rank; 0 for a code that is not ranked."""
    total, n_right = 0.0, 0
    for rank, hit in enumerate(right, start=1):
        if hit:
            n_right += 1
            total += n_right / rank
    return total / n_gold if n_gold else 0.0
