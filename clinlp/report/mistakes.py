"""What is wrong with predicted spans and codes, one by one: missed, spurious, wrong border, wrong label."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final, Literal

from clinlp.metrics.choice import Choice
from clinlp.metrics.pairing import pair_notes
from clinlp.note import Diagnosis, Note
from clinlp.spans import Span

Kind = Literal["missed", "spurious", "wrong border", "wrong label"]
KINDS: Final[dict[Kind, str]] = {
    "missed": "漏标",
    "spurious": "多标",
    "wrong border": "边界错误",
    "wrong label": "类别错误",
}
"""Kind of a mistake -> its name in Chinese."""


@dataclass(frozen=True, slots=True)
class Mistake:
    """One thing that gold and predictions do not share; a side that has nothing there is None."""

    note_id: str
    kind: Kind
    gold: Span | Diagnosis | None
    predicted: Span | Diagnosis | None

    @property
    def names(self) -> tuple[str, str]:
        """The gold and the predicted label or code; "" for nothing."""
        return _name(self.gold), _name(self.predicted)

    @property
    def score(self) -> float | None:
        """How probable the prediction was said to be."""
        return None if self.predicted is None else self.predicted.score

    def to_dict(self) -> dict[str, Any]:
        """All but words of the note, for JSON."""
        return {
            "note_id": self.note_id,
            "kind": self.kind,
            "gold": _facts(self.gold),
            "predicted": _facts(self.predicted),
        }


Pair = tuple[Span | None, Span | None]


def pair_spans(gold: Iterable[Span], predicted: Iterable[Span]) -> list[Pair]:
    """Pair gold with predicted spans one to one, what is left with None.

    The same borders and label first; then the same borders; then the same label, the larger shared
    part first; then any shared character, again the larger part first.
    """
    wanted, found = _unique(gold), _unique(predicted)
    ranks: list[tuple[int, int, int, int]] = []
    for at_gold, at_found in _overlaps(wanted, found):
        one, other = wanted[at_gold], found[at_found]
        shared = min(one.end, other.end) - max(one.start, other.start)
        same_border = (one.start, one.end) == (other.start, other.end)
        same_label = one.label == other.label
        rank = 0 if same_border and same_label else 1 if same_border else 2 if same_label else 3
        ranks.append((rank, -shared, at_gold, at_found))
    pairs: list[Pair] = []
    free_gold, free_found = set(range(len(wanted))), set(range(len(found)))
    for _, _, at_gold, at_found in sorted(ranks):
        if at_gold in free_gold and at_found in free_found:
            free_gold.remove(at_gold)
            free_found.remove(at_found)
            pairs.append((wanted[at_gold], found[at_found]))
    pairs += [(wanted[at], None) for at in sorted(free_gold)]
    pairs += [(None, found[at]) for at in sorted(free_found)]
    return pairs


def span_mistakes(
    gold: Iterable[Note], predicted: Iterable[Note], attribute: Literal["entities", "phi"]
) -> tuple[list[Mistake], Counter[tuple[str, str]]]:
    """Give all mistakes in the order of the notes, and how often each gold label met each predicted one.

    In the counts nothing is ""; a pair of one label is there whatever its borders.

    Raises:
        DataError: A note is missing, extra or there twice, or its two texts differ.
    """
    mistakes: list[Mistake] = []
    counts: Counter[tuple[str, str]] = Counter()
    for note, other in pair_notes(gold, predicted):
        made = []
        for wanted, found in pair_spans(getattr(note, attribute), getattr(other, attribute)):
            counts[_name(wanted), _name(found)] += 1
            if kind := _kind(wanted, found):
                made.append(Mistake(note.note_id, kind, wanted, found))
        mistakes += sorted(made, key=_place)
    return mistakes, counts


def code_mistakes(gold: Iterable[Note], predicted: Iterable[Note], choice: Choice) -> list[Mistake]:
    """Give the codes that were missed and those that are spurious, by note; a missed one with its score if it has one.

    Raises:
        DataError: A note is missing, extra or there twice.
    """
    made: list[Mistake] = []
    for note, other in pair_notes(gold, predicted, same_text=False):
        if note.diagnoses is None:
            continue
        ranked = sorted(other.diagnoses or (), key=lambda each: -1.0 if each.score is None else -each.score)
        held: dict[str, Diagnosis] = {}
        for each in ranked:
            held.setdefault(each.code, each)
        chosen, wanted = choice(ranked), {each.code: each for each in note.diagnoses}
        made += [
            Mistake(note.note_id, "missed", each, held.get(code)) for code, each in wanted.items() if code not in chosen
        ]
        made += [
            Mistake(note.note_id, "spurious", None, each)
            for code, each in held.items()
            if code in chosen and code not in wanted
        ]
    return made


def _unique(spans: Iterable[Span]) -> list[Span]:
    """Give spans by place; of those with the same borders and label the first."""
    held: dict[tuple[int, int, str], Span] = {}
    for span in spans:
        held.setdefault((span.start, span.end, span.label), span)
    return [held[key] for key in sorted(held)]


def _overlaps(wanted: list[Span], found: list[Span]) -> Iterator[tuple[int, int]]:
    """Give the places of all pairs that share a character; both sides are in order of their starts."""
    open_found: list[int] = []
    n_begun = 0
    for at, span in enumerate(wanted):
        while n_begun < len(found) and found[n_begun].start < span.end:
            open_found.append(n_begun)
            n_begun += 1
        open_found = [each for each in open_found if found[each].end > span.start]
        yield from ((at, each) for each in open_found if found[each].start < span.end)


def _kind(gold: Span | None, predicted: Span | None) -> Kind | None:
    if gold is None or predicted is None:
        return "missed" if predicted is None else "spurious"
    if gold.label != predicted.label:
        return "wrong label"
    return None if (gold.start, gold.end) == (predicted.start, predicted.end) else "wrong border"


def _place(mistake: Mistake) -> tuple[int, int]:
    span = mistake.gold or mistake.predicted
    return (span.start, span.end) if isinstance(span, Span) else (0, 0)


def _name(held: Span | Diagnosis | None) -> str:
    if held is None:
        return ""
    return held.label if isinstance(held, Span) else held.code


def _facts(held: Span | Diagnosis | None) -> dict[str, Any] | None:
    if held is None:
        return None
    facts: dict[str, Any] = {"start": held.start, "end": held.end} if isinstance(held, Span) else {}
    facts |= {"label" if isinstance(held, Span) else "code": _name(held)}
    return facts if held.score is None else facts | {"score": held.score}
