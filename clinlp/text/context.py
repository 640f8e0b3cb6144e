"""What a note says about its entities: denied, doubted, past, only possible, and whose they are.

Source: Harkema et al. (2009), ConText, J Biomed Inform 42(5); Chapman et al. (2001), NegEx. Cues reach
from where they stand to the end of the sentence or clause, forward or backward, unless a terminating
phrase cuts them off; pseudo-cues do nothing. All phrases of a sentence are found in one pass, and only
sentences that hold entities are read.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field, replace
from functools import cache
from typing import TYPE_CHECKING

from clinlp.spans import Context, Span
from clinlp.text.matcher import Matcher
from clinlp.text.rules import EFFECTS, load_rules
from clinlp.text.sentences import split_sentences

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from clinlp.note import Lang
    from clinlp.text.rules import Effect
    from clinlp.text.rules.schema import ContextRules

_NO, _IN_CLAUSE, _IN_SENTENCE = 0, 1, 2  # how far a cue still reaches
_MASK = "\0"  # stands for each character of an entity, so that no cue is found inside one


@dataclass(slots=True)
class _Cue:
    """What one phrase does: begins effects on one side or the other, and ends them."""

    forward: dict[Effect, int] = field(default_factory=dict)
    backward: dict[Effect, int] = field(default_factory=dict)
    ends: set[Effect] = field(default_factory=set)
    ends_clause: bool = False


class ContextFinder:
    """ConText over the phrases of one set of rules."""

    def __init__(self, rules: ContextRules) -> None:
        """Prepare the phrases; the matcher is built at the first use."""
        self._matcher = Matcher(_compile(rules).items())

    def __call__(
        self, text: str, entities: Iterable[Span], lang: Lang, sections: Sequence[Span] = ()
    ) -> tuple[Span, ...]:
        """Give each entity its context; the spans keep their order and everything else."""
        spans = tuple(entities)
        found: list[set[Effect]] = [set() for _ in spans]
        for start, end, members in _by_sentence(text, spans, lang):
            self._read(text, (start, end), [(spans[i], found[i]) for i in members])
        return tuple(
            replace(span, context=_context(effects, _section(span, sections)))
            for span, effects in zip(spans, found, strict=True)
        )

    def _read(self, text: str, sentence: tuple[int, int], members: list[tuple[Span, set[Effect]]]) -> None:
        """Sweep a sentence in both directions, adding to each entity the effects that reach it."""
        base = sentence[0]
        cues = self._matcher.find(_masked(text, sentence, [span for span, _ in members]))
        if not cues:
            return
        events: list[tuple[int, _Cue | set[Effect]]] = [(base + start, cue) for start, _, cue in cues]
        events += [(span.start, effects) for span, effects in members]
        events.sort(key=_position)  # no cue overlaps an entity, so the start alone orders them
        _sweep([event for _, event in events], backward=False)
        if len(members) > 1:
            events = [(base + start, cue) for start, _, cue in cues]
            events += [(span.end - 1, effects) for span, effects in members]
            events.sort(key=_position)
        _sweep([event for _, event in reversed(events)], backward=True)


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
    return _finder(lang)(text, entities, lang, sections)


@cache
def _finder(lang: Lang) -> ContextFinder:
    return ContextFinder(load_rules(lang).context)


def _compile(rules: ContextRules) -> dict[str, _Cue]:
    """Gather what each phrase does."""
    cues: dict[str, _Cue] = {phrase.lower(): _Cue() for phrase in rules.pseudo}

    def cue(phrase: str) -> _Cue:
        return cues.setdefault(phrase.lower(), _Cue())

    for phrase in rules.clause:
        cue(phrase).ends_clause = True
    for phrase in rules.ends:
        cue(phrase).ends.update(EFFECTS)
    for effect in EFFECTS:
        of_effect = rules.cues(effect)
        for phrase in of_effect.ends:
            cue(phrase).ends.add(effect)
        for reach, before, after in (
            (_IN_CLAUSE, of_effect.before_in_clause, of_effect.after_in_clause),
            (_IN_SENTENCE, of_effect.before, of_effect.after),
        ):
            for phrase in before:
                cue(phrase).forward[effect] = reach
            for phrase in after:
                cue(phrase).backward[effect] = reach
    return cues


def _sweep(events: Iterable[_Cue | set[Effect]], *, backward: bool) -> None:
    """Walk over cues and entities in one direction, with the effects that are in force."""
    reach: dict[Effect, int] = dict.fromkeys(EFFECTS, _NO)
    before: _Cue | set[Effect] | None = None
    for event in events:
        if event is before:
            continue  # a cue said twice in a row says nothing more
        before = event
        if isinstance(event, set):
            event.update(effect for effect in EFFECTS if reach[effect])
            continue
        if event.ends_clause:
            for effect in EFFECTS:
                if reach[effect] == _IN_CLAUSE:
                    reach[effect] = _NO
        for effect in event.ends:
            reach[effect] = _NO
        for effect, extent in (event.backward if backward else event.forward).items():
            # "no suspicion of", "not suggestive of": what is denied is not doubted as well
            if effect != "uncertain" or backward or not reach["negated"]:
                reach[effect] = extent


def _by_sentence(text: str, spans: Sequence[Span], lang: Lang) -> Iterator[tuple[int, int, list[int]]]:
    """Group the spans by the sentence, or the run of sentences, in which they lie."""
    if not spans:
        return
    sentences = split_sentences(text, lang)
    starts = [start for start, _ in sentences]
    start, end, members = 0, -1, list[int]()
    for i in sorted(range(len(spans)), key=lambda i: spans[i].start):
        span = spans[i]
        if members and span.start < end:
            members.append(i)
        else:
            if members:
                yield start, end, members
            at = bisect_right(starts, span.start) - 1
            start, end = sentences[at] if at >= 0 else (span.start, span.end)
            members = [i]
        while end < span.end:  # an entity that runs on into the next sentence joins the two
            after = bisect_right(starts, end)
            joined = after < len(starts) and starts[after] < span.end
            end = sentences[after][1] if joined else span.end
    yield start, end, members


def _masked(text: str, sentence: tuple[int, int], spans: Sequence[Span]) -> str:
    """The sentence with the characters of its entities blotted out."""
    at, end = sentence
    parts = []
    for span in spans:  # by start
        if span.end > at:
            parts += [text[at : span.start], _MASK * (span.end - max(at, span.start))]
            at = span.end
    return "".join([*parts, text[at:end]])


def _section(span: Span, sections: Sequence[Span]) -> str:
    """The label of the section in which a span begins, the innermost if they nest."""
    label = ""
    for section in sections:
        if section.start > span.start:
            break
        if span.start < section.end:
            label = section.label
    return label


def _context(effects: set[Effect], section: str) -> Context:
    family = "family" in effects or (section == "family_history" and "other" not in effects)
    return Context(
        negated="negated" in effects,
        uncertain="uncertain" in effects,
        historical="historical" in effects or section in ("past_history", "social_history"),
        hypothetical="hypothetical" in effects,
        experiencer="family" if family else "other" if "other" in effects else "patient",
    )


def _position(event: tuple[int, object]) -> int:
    return event[0]
