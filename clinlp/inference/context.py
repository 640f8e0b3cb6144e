"""A trained classifier of contexts behind the rules' interface; rules say what it has not learned."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Self

from clinlp.data.mentions import effects_of, mentions, ruled_fields
from clinlp.errors import UsageError
from clinlp.inference.device import Precision
from clinlp.inference.diagnosis import DiagnosisPredictor
from clinlp.note import Lang, Note
from clinlp.spans import Context, Span
from clinlp.text.context import ContextFinder
from clinlp.text.language import detect_language
from clinlp.text.rules import EFFECTS, Effect, load_rules
from clinlp.text.sections import SectionFinder

Readers = Callable[[Lang], tuple[Callable[[str], tuple[Span, ...]], ContextFinder]]
"""What finds sections and contexts by rules, for each language."""


class ContextPredictor:
    """Gives each entity its context by a model of `clinlp train context`.

    What the model was not shown in training, the rules say. Cues are those of the rules, for what holds.
    """

    def __init__(self, predictor: DiagnosisPredictor, readers: Readers | None = None) -> None:
        """Use a predictor whose codes are what a context says.

        Args:
            readers: What finds sections and contexts by rules; else those of the package.

        Raises:
            UsageError: It predicts something else.
        """
        if unknown := [code for code in predictor.codes if code not in EFFECTS]:
            raise UsageError(f"a model of contexts needed, got one of codes such as {unknown[0]}")
        self.predictor = predictor
        self.predictor.evidence = False
        self.learned = frozenset(predictor.codes)
        self._readers = readers or rule_readers(None)

    @classmethod
    def load(
        cls,
        model: str | Path,
        *,
        readers: Readers | None = None,
        device: str | None = None,
        precision: Precision = "auto",
    ) -> Self:
        """Load a model folder.

        Args:
            readers: As of the constructor; `rule_readers(path)` for a file of rules of one's own.

        Raises:
            UsageError: There is no such model, or it predicts something else.
        """
        predictor = DiagnosisPredictor.load(model, device=device, precision=precision)
        try:
            return cls(predictor, readers)
        except UsageError as error:
            raise UsageError(f"{model}: {error}") from None

    def __call__(self, notes: Sequence[Note]) -> list[Note]:
        """Give the notes with the contexts of their entities replaced; order and everything else stay."""
        ruled: list[tuple[Span, ...]] = []
        asked: list[Note] = []
        for note in notes:
            spans: tuple[Span, ...] = ()
            if note.entities:
                lang = note.lang or detect_language(note.text)
                find_sections, find_context = self._readers(lang)
                sections = note.sections or find_sections(note.text)
                spans = find_context(note.text, note.entities, sections)
                asked += [
                    Note("mention", one.text, fields=ruled_fields(spans[one.at].context))
                    for one in mentions(note, lang, sections)
                ]
            ruled.append(spans)
        answers = iter(self.predictor(asked))
        return [
            replace(note, entities=tuple([self._joined(span, next(answers)) for span in spans])) if spans else note
            for note, spans in zip(notes, ruled, strict=True)
        ]

    def _joined(self, span: Span, answer: Note) -> Span:
        """Join what the model and the rules say of an entity."""
        context = span.context or Context()
        said = {item.code for item in answer.diagnoses or ()}
        holds = {name for name in EFFECTS if name in (said if name in self.learned else effects_of(context))}
        return replace(span, context=_context(holds, context))


def rule_readers(rules: Path | None) -> Readers:
    """What finds sections and contexts by the rules of the package and those of a file, made once a language."""

    @cache
    def readers(lang: Lang) -> tuple[SectionFinder, ContextFinder]:
        held = load_rules(lang, rules)
        return SectionFinder(held), ContextFinder(held, lang)

    return readers


def _context(holds: set[Effect], ruled: Context) -> Context:
    made = Context(
        negated="negated" in holds,
        uncertain="uncertain" in holds,
        historical="historical" in holds,
        hypothetical="hypothetical" in holds,
        experiencer="family" if "family" in holds else "other" if "other" in holds else "patient",
    )
    says = {"experiencer": made.experiencer == ruled.experiencer != "patient"}
    return replace(made, cues=tuple([c for c in ruled.cues if says.get(c.effect, getattr(made, c.effect, False))]))
