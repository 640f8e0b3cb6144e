"""What a note says about its entities: denied, doubted, past, only possible, and whose they are.

Source: Harkema et al. (2009), ConText, J Biomed Inform 42(5); Chapman et al. (2001), NegEx. Cues reach
from where they stand to the end of the sentence or clause, forward or backward, unless a terminating
phrase cuts them off; pseudo-cues do nothing. A heading such as "Denies:" speaks for the items of the list
below it. All phrases of a sentence are found in one pass, and only sentences that hold entities are read.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from clinlp.spans import Context, Cue, Span
from clinlp.text.blocks import Blocks
from clinlp.text.phrases import IN_CLAUSE, PhraseFinder
from clinlp.text.rules import EFFECTS, MASK, expand, load_rules

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from clinlp.note import Lang
    from clinlp.spans import CueEffect
    from clinlp.text.phrases import Phrase
    from clinlp.text.rules import Effect
    from clinlp.text.rules.schema import Rules

_SAYS: dict[Effect, CueEffect] = {
    "negated": "negated",
    "uncertain": "uncertain",
    "historical": "historical",
    "hypothetical": "hypothetical",
    "family": "experiencer",
    "other": "experiencer",
}

_JOINING = 8  # characters before an entity or a cue in which a joining word is looked for

Reach = dict["Effect", tuple[int, int, int]]
"""What is in force at one place of a sentence: how far it reaches, and the cue that began it."""


class _Found:
    """What is found of one entity."""

    __slots__ = ("affirmed", "cues", "far", "joined", "span")

    def __init__(self, span: Span) -> None:
        self.span = span
        self.cues: dict[Effect, list[tuple[int, int]]] = {}
        self.far: tuple[int, int] | None = None  # the cue of a negation from another clause
        self.affirmed = False
        self.joined = False  # to another item of a list

    def add(self, reach: Reach) -> None:
        """Take what is in force."""
        for effect, (_, start, end) in reach.items():
            self.cues.setdefault(effect, []).append((start, end))


_Event = tuple[int, int, "Phrase | _Found"]


class ContextFinder:
    """ConText over the phrases of one set of rules."""

    def __init__(self, rules: Rules, lang: Lang) -> None:
        """Prepare the phrases; the matcher is built at the first use.

        Args:
            lang: How sentences are told apart.
        """
        self.lang: Lang = lang
        self._find = PhraseFinder(rules.context, rules.choices)
        self._inside = _Inside(rules)
        self._joining = rules.context.joins
        self._priors = {effect: frozenset(rules.context.cues(effect).sections) for effect in EFFECTS}

    def __call__(self, text: str, entities: Iterable[Span], sections: Sequence[Span] = ()) -> tuple[Span, ...]:
        """Give each entity its context; the spans keep their order and everything else."""
        found = [_Found(span) for span in entities]
        ordered = sorted(found, key=_start)
        heading: Reach = {}
        last: tuple[int, int] | None = None
        for block, members in Blocks(text, self.lang).of(ordered):
            if block.heading is not None and block.heading != last:
                heading, last = self._heading(text, block.heading), block.heading
            reach = {} if block.heading is None else dict(heading)
            self._read(text, (block.start, block.end), members, reach)
        labels = _sections(ordered, sections)
        for one in ordered:
            self._inside(text, one.span, one.cues)
        return tuple([_with(one.span, self._context(one, labels.get(id(one), ""))) for one in found])

    def _read(self, text: str, sentence: tuple[int, int], members: list[_Found], reach: Reach) -> None:
        """Sweep a sentence in both directions, adding to each entity the effects that reach it."""
        base = sentence[0]
        cues = self._find(_masked(text, sentence, members))
        if not cues:
            if reach:
                for one in members:
                    one.add(reach)
            return
        phrases: list[_Event] = [(base + start, base + end, phrase) for start, end, phrase in cues]
        events = phrases + [(one.span.start, 0, one) for one in members]
        events.sort(key=_place)  # no cue overlaps an entity, so the start alone orders them
        self._forward(events, reach, text)
        if len(members) > 1:
            events = phrases + [(one.span.end - 1, 0, one) for one in members]
            events.sort(key=_place)
        _backward(events, text)

    def _heading(self, text: str, heading: tuple[int, int]) -> Reach:
        """What a heading says of the items below it: its last clause counts."""
        start, end = heading
        reach: Reach = {}
        cues = self._find(text[start:end])
        of_text = [(start + begin, start + stop, phrase) for begin, stop, phrase in cues]
        self._forward(of_text, reach, text, clause_ends_all=True)
        return reach

    def _forward(self, events: Iterable[_Event], reach: Reach, text: str, *, clause_ends_all: bool = False) -> None:
        """Walk over cues and entities from left to right; `reach` is in force at first, and in the end what then is."""
        near = not reach  # whether the negation in force began in this clause
        for start, end, what in events:
            if isinstance(what, _Found):
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

    def _meet(self, found: _Found, reach: Reach, text: str, *, near: bool) -> None:
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

    def _context(self, found: _Found, section: str) -> Context:
        """Put what was found and what the section says together."""
        cues = found.cues
        doubted = "uncertain" in cues and not found.joined  # "denies asthma, reflux suspected"
        if found.far is not None and not found.affirmed and not doubted:
            cues.setdefault("negated", []).append(found.far)
        if "negated" in cues:
            cues.pop("uncertain", None)  # what is denied is not doubted as well
        holds = {effect for effect in EFFECTS if effect in cues or section in self._priors[effect]}
        if "other" in cues and "family" not in cues:
            holds.discard("family")  # a heading of the family gives way to a cue
        return Context(
            negated="negated" in holds,
            uncertain="uncertain" in holds,
            historical="historical" in holds,
            hypothetical="hypothetical" in holds,
            experiencer="family" if "family" in holds else "other" if "other" in holds else "patient",
            cues=_offsets(cues) if cues else (),
        )


def _with(span: Span, context: Context) -> Span:
    return Span(span.start, span.end, span.label, span.score, context)


class _Inside:
    """Words of an entity that say something of it themselves: "old infarct", 陈旧性脑梗死."""

    def __init__(self, rules: Rules) -> None:
        def written(phrases: tuple[str, ...]) -> tuple[str, ...]:
            return tuple([made for phrase in phrases for made in expand(phrase, rules.choices)])

        cues = {effect: rules.context.cues(effect) for effect in EFFECTS}
        self._opening = [(effect, written(of.opening)) for effect, of in cues.items() if of.opening]
        self._closing = [(effect, written(of.closing)) for effect, of in cues.items() if of.closing]

    def __call__(self, text: str, span: Span, cues: dict[Effect, list[tuple[int, int]]]) -> None:
        """Add what the words of one entity say."""
        words = text[span.start : span.end].lower()
        for effect, phrases in self._opening:
            if words.startswith(phrases):
                length = max(len(phrase) * words.startswith(phrase) for phrase in phrases)
                if not _joined(words, length):
                    cues.setdefault(effect, []).append((span.start, span.start + length))
        for effect, phrases in self._closing:
            if words.endswith(phrases):
                length = max(len(phrase) * words.endswith(phrase) for phrase in phrases)
                if not _joined(words, len(words) - length):
                    cues.setdefault(effect, []).append((span.end - length, span.end))


def add_context(text: str, entities: Iterable[Span], lang: Lang, sections: Sequence[Span] = ()) -> tuple[Span, ...]:
    """Give each entity its context by the rules of the language; the spans keep their order and everything else.

    Args:
        text: The whole text, of which only the sentences with entities are read.
        entities: Spans in the text.
        lang: Whose rules to use.
        sections: As `find_sections` gives them; under a heading of past or family history, the
            heading counts for what no cue says otherwise.

    >>> from clinlp.spans import Span
    >>> add_context("No fever.", [Span(3, 8, "SYMPTOM")], "en")[0].context.negated
    True
    """
    return _finder(lang)(text, entities, sections)


@cache
def _finder(lang: Lang) -> ContextFinder:
    return ContextFinder(load_rules(lang), lang)


def _backward(events: list[_Event], text: str) -> None:
    """Walk over cues and entities from right to left."""
    reach: Reach = {}
    affirmed = False
    ahead = False  # whether an entity stands to the right in the clause
    passed = False  # whether one stands between here and the last cue
    for at in range(len(events) - 1, -1, -1):
        start, end, what = events[at]
        if isinstance(what, _Found):
            what.add(reach)
            what.affirmed = affirmed
            affirmed = False  # it speaks of the nearest entity alone
            ahead = passed = True
            continue
        if what.ends_clause:
            affirmed = ahead = False
            for effect in [each for each, (far, _, _) in reach.items() if far == IN_CLAUSE]:
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


def _follows_entity(events: list[_Event], at: int, text: str) -> bool:
    """Say whether a cue stands right behind an entity."""
    before = events[at - 1][2] if at else None
    return isinstance(before, _Found) and not text[before.span.end : events[at][0]].strip()


def _masked(text: str, sentence: tuple[int, int], members: Sequence[_Found]) -> str:
    """The sentence with the characters of its entities blotted out."""
    at, end = sentence
    parts = []
    for one in members:  # by start
        span = one.span
        if span.end > at:
            parts += [text[at : span.start], MASK * (span.end - max(at, span.start))]
            at = span.end
    return "".join([*parts, text[at:end]])


def _sections(ordered: Sequence[_Found], sections: Sequence[Span]) -> dict[int, str]:
    """The label of the section in which each entity begins, the innermost if they nest."""
    labels: dict[int, str] = {}
    if not sections:
        return labels
    stack: list[Span] = []
    after = 0
    for one in ordered:
        at = one.span.start
        while after < len(sections) and sections[after].start <= at:
            while stack and stack[-1].end <= sections[after].start:
                stack.pop()
            stack.append(sections[after])
            after += 1
        while stack and stack[-1].end <= at:
            stack.pop()
        if stack:
            labels[id(one)] = stack[-1].label
    return labels


def _offsets(cues: dict[Effect, list[tuple[int, int]]]) -> tuple[Cue, ...]:
    """The cues by place, each once."""
    return tuple(sorted({Cue(*place, _SAYS[effect]) for effect, places in cues.items() for place in places}))


def _joined(words: str, at: int) -> bool:
    """Say whether a word goes on over a border."""
    return 0 < at < len(words) and words[at - 1].isascii() and (words[at - 1] + words[at]).isalnum()


def _start(found: _Found) -> int:
    return found.span.start


def _place(event: _Event) -> int:
    return event[0]
