"""A trained classifier of contexts behind the rules' interface; rules say what it has not learned."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Self

from clinlp.data.mentions import effects_of, mentions
from clinlp.errors import UsageError
from clinlp.inference.device import Precision
from clinlp.inference.diagnosis import DiagnosisPredictor
from clinlp.note import Lang, Note
from clinlp.spans import Context, Span
from clinlp.text.context import ContextFinder
from clinlp.text.language import detect_language
from clinlp.text.rules import EFFECTS, Effect, load_rules
from clinlp.text.sections import find_sections


class ContextPredictor:
    """Gives each entity its context by a model of `clinlp train context`.

    What the model was not shown in training, the rules say. Cues are those of the rules, for what holds.
    """

    def __init__(self, predictor: DiagnosisPredictor, rules: Path | None = None) -> None:
        """Use a predictor whose codes are what a context says.

        Args:
            rules: A file of rules of one's own.

        Raises:
            UsageError: It predicts something else.
        """
        if unknown := [code for code in predictor.codes if code not in EFFECTS]:
            raise UsageError(f"a model of contexts needed, got one of codes such as {unknown[0]}")
        self.predictor = predictor
        self.predictor.evidence = False
        self.learned = frozenset(predictor.codes)
        self._rules = rules
        self._finders: dict[Lang, ContextFinder] = {}

    @classmethod
    def load(
        cls,
        model: str | Path,
        *,
        rules: Path | None = None,
        device: str | None = None,
        precision: Precision = "auto",
    ) -> Self:
        """Load a model folder.

        Raises:
            UsageError: There is no such model, or it predicts something else.
        """
        predictor = DiagnosisPredictor.load(model, device=device, precision=precision)
        try:
            return cls(predictor, rules)
        except UsageError as error:
            raise UsageError(f"{model}: {error}") from None

    def __call__(self, notes: Sequence[Note]) -> list[Note]:
        """Give the notes with the contexts of their entities replaced; order and everything else stay."""
        read = [mentions(note) for note in notes]
        asked = [Note("mention", one.text) for found in read for one in found]
        answers = iter(self.predictor(asked))
        return [
            replace(note, entities=self._entities(note, [next(answers) for _ in found])) if found else note
            for note, found in zip(notes, read, strict=True)
        ]

    def _entities(self, note: Note, answers: Sequence[Note]) -> tuple[Span, ...]:
        """Join what the model and the rules say of each entity."""
        lang = note.lang or detect_language(note.text)
        if lang not in self._finders:
            self._finders[lang] = ContextFinder(load_rules(lang, self._rules), lang)
        ruled = self._finders[lang](note.text, note.entities, note.sections or find_sections(note.text, lang))
        spans = []
        for span, answer in zip(ruled, answers, strict=True):
            context = span.context or Context()
            said = {item.code for item in answer.diagnoses or ()}
            holds = {name for name in EFFECTS if name in (said if name in self.learned else effects_of(context))}
            spans.append(replace(span, context=_context(holds, context)))
        return tuple(spans)


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
