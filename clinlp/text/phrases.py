"""The phrases of ConText as a matcher gives them: which of those that overlap count, and for what."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from clinlp.text.matcher import Matcher
from clinlp.text.rules import EFFECTS, MASK, expand

if TYPE_CHECKING:
    from collections.abc import Mapping

    from clinlp.text.rules import Effect
    from clinlp.text.rules.schema import ContextRules

IN_CLAUSE, IN_SENTENCE = 1, 2
"""How far a cue reaches."""

_BIT = {effect: 1 << at for at, effect in enumerate(EFFECTS)}
_CLAUSE = 1 << len(EFFECTS)
_ALL = 2 * _CLAUSE - 1
_MANY = 64  # phrases between two entities, of which repetitions then say nothing new


@dataclass(slots=True)
class Phrase:
    """What one phrase does: begins effects on one side or the other, ends them, or affirms."""

    forward: dict[Effect, int] = field(default_factory=dict)
    backward: dict[Effect, int] = field(default_factory=dict)
    ends: set[Effect] = field(default_factory=set)
    ends_clause: bool = False
    affirms: bool = False
    hides: int = 0  # the effects for which no phrase that it overlaps counts
    speaks: bool = False  # whether it does anything, other than a pseudo-cue
    _parts: dict[int, Phrase] = field(default_factory=dict)

    def settle(self) -> None:
        """Say what the phrase hides: one that begins something everything, one that only ends what it ends."""
        if self.forward or self.backward or self.affirms:
            self.hides = _ALL
        for effect in self.ends:
            self.hides |= _BIT[effect]
        if self.ends_clause:
            self.hides |= _CLAUSE
        self.speaks = bool(self.forward or self.backward or self.ends or self.ends_clause or self.affirms)

    def only(self, free: int) -> Phrase:
        """The part of the cue that speaks of some effects."""
        if free not in self._parts:
            self._parts[free] = self._only(free)
        return self._parts[free]

    def _only(self, free: int) -> Phrase:
        of = {effect for effect in EFFECTS if free & _BIT[effect]}
        part = Phrase(
            {effect: reach for effect, reach in self.forward.items() if effect in of},
            {effect: reach for effect, reach in self.backward.items() if effect in of},
            self.ends & of,
            self.ends_clause and bool(free & _CLAUSE),
            self.affirms and "negated" in of,
        )
        part.settle()
        part.hides = free
        return part


Match = tuple[int, int, Phrase]


class PhraseFinder:
    """Finds the cues of one set of rules in one pass over a sentence."""

    def __init__(self, rules: ContextRules, choices: Mapping[str, tuple[str, ...]]) -> None:
        """Gather what each phrase does; the matcher is built at the first use."""
        self._matcher = Matcher(_compile(rules, choices).items())

    def __call__(self, text: str) -> list[Match]:
        """Find the cues as start, end and what they do, by their start.

        Where phrases overlap, the longest counts, and the other for those effects that it leaves alone.
        """
        found = self._matcher.find_all(text)
        if MASK in text:
            found = [
                _bare(match, text) if text[match[1] - 1] == MASK or text[match[0]] == MASK else match for match in found
            ]
        kept: list[Match] = []
        first, reach = 0, 0  # of a group of which each overlaps one before it
        alone = True  # whether the first of the group hides the others
        for at, (start, end, _) in enumerate(found):
            if start >= reach:
                if at:
                    _choose(found, first, None if alone else at, kept)
                first, reach, alone = at, end, True
            elif end > reach or found[first][2].hides != _ALL:
                alone = False
                reach = max(reach, end)
        if found:
            _choose(found, first, None if alone else len(found), kept)
        return _thinned(kept, text) if len(kept) > _MANY else kept


def _choose(found: list[Match], first: int, end: int | None, kept: list[Match]) -> None:
    """Keep of a group of matches what counts.

    Args:
        end: Of the group; None if the first hides all others.
    """
    if end is not None:
        kept += _longest(found[first:end])
    elif found[first][2].speaks:
        kept.append(found[first])


def _longest(group: list[Match]) -> list[Match]:
    """Choose among matches that overlap."""
    base = group[0][0]
    taken = bytearray(max(end for _, end, _ in group) - base)  # by character, the effects that longer phrases speak of
    kept = []
    for match in sorted(group, key=_shortness):
        start, end, cue = match
        # a longer one that overlaps covers one end of this one
        free = cue.hides & ~(taken[start - base] | taken[end - 1 - base])
        if not free:
            continue
        for at in range(start - base, end - base):
            taken[at] |= free
        part = cue if free == cue.hides else cue.only(free)
        if part.speaks:
            kept.append((start, end, part))
    kept.sort(key=_start)
    return kept


def _thinned(found: list[Match], text: str) -> list[Match]:
    """Leave out repetitions where many phrases stand between two entities: the first and last of each say it all."""
    kept: list[Match] = []
    at = 0
    while at < len(found):
        entity = text.find(MASK, found[at][0])
        until = len(found) if entity < 0 else bisect_left(found, entity, at, key=_start)
        part = found[at:until]
        if len(part) > _MANY:
            last = {id(match[2]): place for place, match in enumerate(part)}
            first = {id(part[place][2]): place for place in range(len(part) - 1, -1, -1)}
            part = [part[place] for place in sorted({*first.values(), *last.values()})]
        kept += part
        at = until
    return kept


def _bare(match: Match, text: str) -> Match:
    """A match without the character of an entity that it touches."""
    start, end, phrase = match
    return start + (text[start] == MASK), end - (text[end - 1] == MASK), phrase


def _shortness(match: Match) -> int:
    return match[0] - match[1]


def _start(match: Match) -> int:
    return match[0]


def _compile(rules: ContextRules, choices: Mapping[str, tuple[str, ...]]) -> dict[str, Phrase]:
    """Gather what each phrase does."""
    cues: dict[str, Phrase] = {}

    def each(phrases: tuple[str, ...]) -> list[Phrase]:
        written = [made for phrase in phrases for made in expand(phrase, choices)]
        return [cues.setdefault(phrase, Phrase()) for phrase in written]

    for cue in each(rules.pseudo):
        cue.hides = _ALL
    for cue in each(rules.clause):
        cue.ends_clause = True
    for cue in each(rules.ends):
        cue.ends.update(EFFECTS)
    for cue in each(rules.affirmed):
        cue.affirms = True
    for effect in EFFECTS:
        of_effect = rules.cues(effect)
        for cue in each(of_effect.pseudo):
            cue.hides |= _BIT[effect]
        for cue in each(of_effect.ends):
            cue.ends.add(effect)
        for reach, before, after in (
            (IN_CLAUSE, of_effect.before_in_clause, of_effect.after_in_clause),
            (IN_SENTENCE, of_effect.before, of_effect.after),
        ):
            for cue in each(before):
                cue.forward[effect] = reach
            for cue in each(after):
                cue.backward[effect] = reach
    shared: dict[tuple[object, ...], Phrase] = {}
    for phrase, cue in cues.items():
        cue.settle()
        key = (
            *cue.forward.items(),
            None,
            *cue.backward.items(),
            *sorted(cue.ends),
            cue.ends_clause,
            cue.affirms,
            cue.hides,
        )
        cues[phrase] = shared.setdefault(key, cue)
    return cues
