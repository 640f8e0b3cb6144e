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
from clinlp.text.phrases import PhraseFinder
from clinlp.text.rules import EFFECTS, MASK, expand, load_rules
from clinlp.text.sweep import Found, Sweep

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from clinlp.note import Lang
    from clinlp.spans import CueEffect
    from clinlp.text.rules import Effect
    from clinlp.text.rules.schema import Rules
    from clinlp.text.sweep import Event, Reach

_SAYS: dict[Effect, CueEffect] = {
    "negated": "negated",
    "uncertain": "uncertain",
    "historical": "historical",
    "hypothetical": "hypothetical",
    "family": "experiencer",
    "other": "experiencer",
}


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
        self._sweep = Sweep(rules.context.joins)
        self._of_section: dict[str, Context] = {}
        self._priors = {effect: frozenset(rules.context.cues(effect).sections) for effect in EFFECTS}

    def __call__(self, text: str, entities: Iterable[Span], sections: Sequence[Span] = ()) -> tuple[Span, ...]:
        """Give each entity its context; the spans keep their order and everything else."""
        found = [Found(span) for span in entities]
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
        made = []
        for one in found:
            span, section = one.span, labels.get(id(one), "")
            context = self._context(one, section) if one.cues or one.far is not None else self._silent(section)
            made.append(Span(span.start, span.end, span.label, span.score, context))
        return tuple(made)

    def _read(self, text: str, sentence: tuple[int, int], members: list[Found], reach: Reach) -> None:
        """Sweep a sentence in both directions, adding to each entity the effects that reach it."""
        base = sentence[0]
        cues = self._find(_masked(text, sentence, members))
        if not cues:
            if reach:
                for one in members:
                    one.add(reach)
            return
        phrases: list[Event] = [(base + start, base + end, phrase) for start, end, phrase in cues]
        events = phrases + [(one.span.start, 0, one) for one in members]
        events.sort(key=_place)  # no cue overlaps an entity, so the start alone orders them
        self._sweep.forward(events, reach, text)
        if len(members) > 1:
            events = phrases + [(one.span.end - 1, 0, one) for one in members]
            events.sort(key=_place)
        self._sweep.backward(events, text)

    def _heading(self, text: str, heading: tuple[int, int]) -> Reach:
        """What a heading says of the items below it: its last clause counts."""
        start, end = heading
        reach: Reach = {}
        cues = self._find(text[start:end])
        of_text = [(start + begin, start + stop, phrase) for begin, stop, phrase in cues]
        self._sweep.forward(of_text, reach, text, clause_ends_all=True)
        return reach

    def _silent(self, section: str) -> Context:
        """The context of an entity of which no cue says anything: what its section says."""
        if section not in self._of_section:
            nothing = Found(Span(0, 1, "X"))
            self._of_section[section] = self._context(nothing, section)
        return self._of_section[section]

    def _context(self, found: Found, section: str) -> Context:
        """Put what was found and what the section says together."""
        cues = found.cues
        doubted = found.doubted and not found.joined  # "denies asthma, reflux suspected"
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


class _Inside:
    """Words of an entity that say something of it themselves: "old infarct", 陈旧性脑梗死."""

    def __init__(self, rules: Rules) -> None:
        def written(phrases: tuple[str, ...]) -> tuple[str, ...]:
            return tuple([made for phrase in phrases for made in expand(phrase, rules.choices)])

        cues = {effect: rules.context.cues(effect) for effect in EFFECTS}
        self._opening = [(effect, written(of.opening)) for effect, of in cues.items() if of.opening]
        self._closing = [(effect, written(of.closing)) for effect, of in cues.items() if of.closing]
        self._first = tuple([phrase for _, phrases in self._opening for phrase in phrases])
        self._last = tuple([phrase for _, phrases in self._closing for phrase in phrases])

    def __call__(self, text: str, span: Span, cues: dict[Effect, list[tuple[int, int]]]) -> None:
        """Add what the words of one entity say."""
        words = text[span.start : span.end].lower()
        if not words.startswith(self._first) and not words.endswith(self._last):
            return
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


def _masked(text: str, sentence: tuple[int, int], members: Sequence[Found]) -> str:
    """The sentence with the characters of its entities blotted out."""
    at, end = sentence
    parts = []
    for one in members:  # by start
        span = one.span
        if span.end > at:
            parts += [text[at : span.start], MASK * (span.end - max(at, span.start))]
            at = span.end
    return "".join([*parts, text[at:end]])


def _sections(ordered: Sequence[Found], sections: Sequence[Span]) -> dict[int, str]:
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


def _start(found: Found) -> int:
    return found.span.start


def _place(event: Event) -> int:
    return event[0]
