"""The phrases of ConText as a matcher gives them: which of those that overlap count, and for what."""

from __future__ import annotations

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
_REPEATED = 32  # characters between a phrase and its second repetition


@dataclass(slots=True)
class Phrase:
    """What one phrase does: begins effects on one side or the other, ends them, or affirms."""

    forward: dict[Effect, int] = field(default_factory=dict)
    backward: dict[Effect, int] = field(default_factory=dict)
    ends: set[Effect] = field(default_factory=set)
    ends_clause: bool = False
    affirms: bool = False
    hides: int = 0  # the effects for which no phrase that it overlaps counts

    def settle(self) -> None:
        """Say what the phrase hides: one that begins something everything, one that only ends what it ends."""
        if self.forward or self.backward or self.affirms:
            self.hides = _ALL
        for effect in self.ends:
            self.hides |= _BIT[effect]
        if self.ends_clause:
            self.hides |= _CLAUSE

    @property
    def speaks(self) -> bool:
        """Whether it does anything, other than a pseudo-cue."""
        return bool(self.forward or self.backward or self.ends or self.ends_clause or self.affirms)

    def only(self, free: int) -> Phrase:
        """The part of the cue that speaks of some effects."""
        of = {effect for effect in EFFECTS if free & _BIT[effect]}
        return Phrase(
            {effect: reach for effect, reach in self.forward.items() if effect in of},
            {effect: reach for effect, reach in self.backward.items() if effect in of},
            self.ends & of,
            self.ends_clause and bool(free & _CLAUSE),
            self.affirms and "negated" in of,
            free,
        )


class PhraseFinder:
    """Finds the cues of one set of rules in one pass over a sentence."""

    def __init__(self, rules: ContextRules, choices: Mapping[str, tuple[str, ...]]) -> None:
        """Gather what each phrase does; the matcher is built at the first use."""
        self._matcher = Matcher(_compile(rules, choices).items())

    def __call__(self, text: str) -> list[tuple[int, int, Phrase]]:
        """Find the cues as start, end and what they do, by their start.

        Where phrases overlap, the longest counts, and the other for those effects that it leaves alone.
        """
        found = self._matcher.find_all(text)
        if MASK in text:
            found = [
                _bare(match, text) if text[match[1] - 1] == MASK or text[match[0]] == MASK else match for match in found
            ]
        apart: list[tuple[int, int, Phrase]] = []
        reach = hidden = 0
        for match in found:
            start, end, phrase = match
            if end <= hidden:
                continue  # inside a phrase that hides everything
            if start < reach:
                return _longest(found, len(text))
            apart.append(match)
            reach = end
            hidden = end if phrase.hides == _ALL else hidden
        kept: list[tuple[int, int, Phrase]] = []
        for match in apart:
            start, _, phrase = match
            if not phrase.speaks:
                continue
            if len(kept) > 1 and kept[-2][2] is phrase is kept[-1][2]:
                before = kept[-2][1]
                if start - before <= _REPEATED and text.find(MASK, before, start) < 0:
                    kept[-1] = match  # of "no no no" the first and the last say all that there is to say
                    continue
            kept.append(match)
        return kept


def _longest(found: list[tuple[int, int, Phrase]], length: int) -> list[tuple[int, int, Phrase]]:
    """Choose among matches that overlap."""
    taken = bytearray(length)  # by character, the effects that longer phrases speak of
    kept = []
    for start, end, cue in sorted(found, key=_shortness):
        free = cue.hides & ~(taken[start] | taken[end - 1])  # a longer one that overlaps covers one end of this one
        if not free:
            continue
        for at in range(start, end):
            taken[at] |= free
        part = cue if free == cue.hides else cue.only(free)
        if part.speaks:
            kept.append((start, end, part))
    kept.sort(key=_start)
    return kept


def _bare(match: tuple[int, int, Phrase], text: str) -> tuple[int, int, Phrase]:
    """A match without the character of an entity that it touches."""
    start, end, phrase = match
    return start + (text[start] == MASK), end - (text[end - 1] == MASK), phrase


def _shortness(match: tuple[int, int, Phrase]) -> int:
    return match[0] - match[1]


def _start(match: tuple[int, int, Phrase]) -> int:
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
