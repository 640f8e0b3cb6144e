"""What a model is asked on dev, or given in train, and cannot learn: counted and said."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from clinlp.note import Note


def unlearned_labels(train: Sequence[Note], dev: Sequence[Note], labels: Sequence[str], *, chosen: bool) -> list[str]:
    """Say which spans are of labels that are not learned, and which labels have no spans.

    Args:
        chosen: Whether the user named the labels; else they are all that train has.
    """
    known = set(labels)
    counts = {"train": _count(train), "dev": _count(dev)}
    said = []
    for part, seen in counts.items():
        others = Counter({label: n for label, n in seen.items() if label not in known})
        if others:
            why = "are not to be learned and were left out" if chosen else "train lacks and count as missed"
            names = ", ".join(f"{label} {n:,}" for label, n in sorted(others.items()))
            said.append(f"{part}: {others.total():,} of {seen.total():,} spans have labels that {why}: {names}")
    absent = [label for label in labels if not counts["train"][label]]
    if absent:
        said.append(f"train: no span of {', '.join(absent)}")
    if not any(counts["dev"][label] for label in labels):
        said.append("dev: no span of a label that is learned; every score is 0 and the last epoch is kept")
    return said


def unlearned_codes(dev: Iterable[Note], codes: Iterable[str]) -> Iterator[str]:
    """Say how many codes of dev are not learned."""
    known = set(codes)
    given = [diagnosis.code for note in dev for diagnosis in note.diagnoses or ()]
    n_others = sum(code not in known for code in given)
    if n_others:
        yield f"dev: {n_others:,} of {len(given):,} codes are not learned: they count as missed"


def _count(notes: Iterable[Note]) -> Counter[str]:
    return Counter(span.label for note in notes for span in note.entities)
