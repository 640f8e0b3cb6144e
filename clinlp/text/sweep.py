"""How far the cues of a sentence reach: a sweep over cues and entities in either direction.

Source: Harkema et al. (2009), ConText, J Biomed Inform 42(5).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from clinlp.text.phrases import IN_CLAUSE, Phrase

if TYPE_CHECKING:
    from collections.abc import Iterable

    from clinlp.spans import Span
    from clinlp.text.rules import Effect

_NEAR = 80  # characters between a cue and the border of a clause that are looked at
_JOINING = 8  # characters before an entity or a cue in which a joining word is looked for

Reach = dict["Effect", tuple[int, int, int]]
"""What is in force at one place of a sentence: how far it reaches, and the cue that began it."""


class Found:
    """What is found of one entity."""

    __slots__ = ("affirmed", "cues", "doubted", "far", "joined", "span")

    def __init__(self, span: Span) -> None:
        self.span = span
        self.cues: dict[Effect, list[tuple[int, int]]] = {}
        self.far: tuple[int, int] | None = None  # the cue of a negation from another clause
        self.affirmed = False
        self.doubted = False  # by a cue right behind
        self.joined = False  # to another item of a list

    def add(self, reach: Reach) -> None:
        """Take what is in force."""
        for effect, (_, start, end) in reach.items():
            self.cues.setdefault(effect, []).append((start, end))


Event = tuple[int, int, "Phrase | Found"]


class Sweep:
    """Tells each entity which cues reach it."""

    def __init__(self, joining: tuple[str, ...]) -> None:
        """Use the words that join items of a list."""
        self._joining = joining

    def forward(self, events: Iterable[Event], reach: Reach, text: str, *, clause_ends_all: bool = False) -> None:
        """Walk over cues and entities from left to right; `reach` is in force at first, and in the end what then is."""
        near = not reach  # whether the negation in force began in this clause
        for start, end, what in events:
            if isinstance(what, Found):
                self._meet(what, reach, text, near=near)
                continue
            if reach:
                if what.ends_clause:
                    near = False
                    for effect in [each for each, (far, _, _) in reach.items() if clause_ends_all or far == IN_CLAUSE]:
                        del reach[effect]
                goes_on = "uncertain" in what.forward and "negated" in reach and self._joins(text, start)
                for effect in what.ends:
                    if effect != "negated" or not goes_on:  # "no fever, chills or possible exposure"
                        reach.pop(effect, None)
            for effect, extent in what.forward.items():
                if effect == "negated":
                    reach.pop("uncertain", None)
                    near = True
                elif "negated" in reach and effect in ("uncertain", "hypothetical"):
                    # "no suspicion of", "no complications such as": what is denied is neither doubted nor expected
                    if near or (effect == "uncertain" and self._joins(text, start)):
                        continue
                    if effect == "uncertain":  # "denies angina, possible reflux": the doubt begins anew
                        del reach["negated"]
                reach[effect] = extent, start, end

    def backward(self, events: list[Event], text: str) -> None:
        """Walk over cues and entities from right to left."""
        reach: Reach = {}
        affirmed = False
        ahead = False  # whether an entity stands to the right in the clause
        passed = False  # whether one stands between here and the last cue
        for at in range(len(events) - 1, -1, -1):
            start, end, what = events[at]
            if isinstance(what, Found):
                what.add(reach)
                what.affirmed = affirmed
                what.doubted = "uncertain" in reach and not passed
                affirmed = False  # it speaks of the nearest entity alone
                ahead = passed = True
                continue
            if what.ends_clause:
                affirmed = ahead = False
                for effect in [each for each, cue in reach.items() if self._stops(each, cue, text, end)]:
                    del reach[effect]
            for effect in what.ends:
                reach.pop(effect, None)
            for effect, extent in what.backward.items():
                if ahead and effect in what.forward and not _follows_entity(events, at, text):
                    continue  # "cough, possible pneumonia"
                if effect == "negated" or (effect == "uncertain" and passed):  # the nearer of the two counts
                    reach.pop("uncertain" if effect == "negated" else "negated", None)
                reach[effect] = extent, start, end
                passed = False
            affirmed = affirmed or what.affirms

    def _stops(self, effect: Effect, cue: tuple[int, int, int], text: str, end: int) -> bool:
        """Say whether a cue further right does not reach over the border of a clause that ends here."""
        far, start, _ = cue
        if far == IN_CLAUSE:
            return True
        between = text[end:start].lower() if effect == "uncertain" and start - end < _NEAR else ""
        return bool(between.strip()) and not any(word in between for word in self._joining)  # "cough, croup likely"

    def _meet(self, found: Found, reach: Reach, text: str, *, near: bool) -> None:
        """Give an entity what is in force where it stands."""
        if near or "negated" not in reach:
            found.add(reach)
            return
        _, start, end = reach["negated"]
        found.far = start, end
        found.joined = self._joins(text, found.span.start)
        found.add({effect: cue for effect, cue in reach.items() if effect != "negated"})

    def _joins(self, text: str, at: int) -> bool:
        """Say whether a word that joins the items of a list, as `or`, stands right before."""
        return text[max(0, at - _JOINING) : at].rstrip().lower().endswith(self._joining)


def _follows_entity(events: list[Event], at: int, text: str) -> bool:
    """Say whether a cue stands right behind an entity."""
    before = events[at - 1][2] if at else None
    return isinstance(before, Found) and not text[before.span.end : events[at][0]].strip()
