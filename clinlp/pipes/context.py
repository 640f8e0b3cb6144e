"""The spaCy component `clinlp_context`: the context of any component's entities."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self, cast

from spacy.language import Language
from spacy.tokens import Doc
from spacy.tokens import Span as DocSpan

from clinlp.note import Lang, Note
from clinlp.pipes.base import ModelPipe
from clinlp.pipes.sections import RulesPipe, with_lang
from clinlp.spans import Span

if TYPE_CHECKING:
    from clinlp.inference.device import Precision
    from clinlp.inference.diagnosis import DiagnosisPredictor
    from clinlp.text.context import ContextFinder

_FOLDER = "model"


class Classifier(ModelPipe):
    """The model of a pipe of contexts: how it is loaded, saved and carried to other processes."""

    def load_predictor(self, folder: Path) -> DiagnosisPredictor:
        """Load a model of contexts."""
        from clinlp.inference.context import ContextPredictor

        held = ContextPredictor.load(folder, device=self.device, precision=cast("Precision", self.precision))
        return held.predictor

    def predict(self, notes: Sequence[Note]) -> Sequence[Note]:
        """Leave notes as they are: the pipe asks the predictor."""
        return notes

    def set_annotations(self, doc: Doc, note: Note) -> None:
        """Leave a Doc as it is."""


class ContextPipe(RulesPipe):
    """Says of the entities that are there, whichever component found them, what the text says of them.

    They are those of `doc.ents` and of the groups `spans_keys` of `doc.spans`; they keep everything else.
    Rules say it, or a model of `clinlp train context`, with the rules for what the model has not learned.
    """

    def __init__(
        self,
        name: str,
        lang: str | None,
        *,
        spans_keys: Sequence[str] = ("entities",),
        sections_key: str | None = "sections",
        rules: str | None = None,
        classifier: Classifier | None = None,
    ) -> None:
        super().__init__(name, lang, rules=rules)
        self.spans_keys, self.sections_key = tuple(spans_keys), sections_key
        self.classifier = classifier

    def prepare(self) -> None:
        """Read the file of rules and load the model, where they are asked for."""
        super().prepare()
        if self.classifier is not None:
            self.classifier.prepare()

    def predict(self, notes: Sequence[Note]) -> Sequence[Note]:
        """Find the context of each entity."""
        if self.classifier is not None:
            from clinlp.inference.context import ContextPredictor

            return ContextPredictor(cast("DiagnosisPredictor", self.classifier.predictor), self._finders)(notes)
        found = []
        for note, lang in with_lang(notes):
            sections, context = self._finders(lang)
            within = note.sections or (sections(note.text) if note.entities else ())
            found.append(replace(note, entities=context(note.text, note.entities, within)))
        return found

    def to_disk(self, path: str | Path, *, exclude: Iterable[str] = ()) -> None:
        """Write the rules of the user's own and the model, where there are any."""
        super().to_disk(path, exclude=exclude)
        if self.classifier is not None:
            Path(path).mkdir(parents=True, exist_ok=True)
            self.classifier.to_disk(Path(path) / _FOLDER)

    def from_disk(self, path: str | Path, *, exclude: Iterable[str] = ()) -> Self:
        """Take the rules and the model from a folder."""
        if self.classifier is not None:
            self.classifier.from_disk(Path(path) / _FOLDER)
        return super().from_disk(path, exclude=exclude)

    def _parts(self) -> dict[str, Callable[[], bytes]]:
        model = {} if self.classifier is None else {_FOLDER: self.classifier.to_bytes}
        return super()._parts() | model

    def _takers(self) -> dict[str, Callable[[bytes], Any]]:
        model = {} if self.classifier is None else {_FOLDER: self.classifier.from_bytes}
        return super()._takers() | model

    def set_annotations(self, doc: Doc, note: Note) -> None:
        """Keep each entity's context."""
        from clinlp.records import marks

        contexts = {(span.start, span.end, span.label): span.context for span in note.entities}
        for held in self._held(doc):
            span = _exact(held, len(note.text))
            context = contexts[span.start, span.end, span.label]
            marks.set_mark(doc.user_data, replace(span, context=context), held.start_char, held.end_char)

    def _note(self, doc: Doc) -> Note:
        """The Doc's text with its entities and sections."""
        note = super()._note(doc)
        length = len(note.text)
        entities = {
            (span.start, span.end, span.label): span for span in (_exact(each, length) for each in self._held(doc))
        }
        groups = doc.spans.get(self.sections_key, ()) if self.sections_key else ()
        return replace(note, entities=tuple(entities.values()), sections=tuple(_exact(each, length) for each in groups))

    def _held(self, doc: Doc) -> Iterator[DocSpan]:
        yield from doc.ents
        for key in self.spans_keys:
            yield from doc.spans.get(key, ())

    def _finders(self, lang: Lang) -> tuple[Callable[[str], tuple[Span, ...]], ContextFinder]:
        from clinlp.text.context import ContextFinder
        from clinlp.text.sections import SectionFinder

        if lang not in self._made:
            rules = self.rules_of(lang)
            self._made[lang] = SectionFinder(rules) if self.sections_key else _no_sections, ContextFinder(rules, lang)
        made: tuple[Callable[[str], tuple[Span, ...]], ContextFinder] = self._made[lang]
        return made


def _exact(held: DocSpan, length: int) -> Span:
    """A span of a Doc of so many characters, with the borders and the score that it was found with."""
    from clinlp.records import marks

    key = held.start_char, held.end_char, held.label_ or "ENTITY"
    span = marks.marked_span(held.doc.user_data, *key) or Span(*key)
    return span if span.end <= length else replace(span, end=length)


def _no_sections(_: str) -> tuple[Span, ...]:
    return ()


@Language.factory(
    "clinlp_context",
    assigns=["span._.context", "span._.cues", "span._.negated", "span._.experiencer"],
    default_config={
        "spans_keys": ["entities"],
        "sections_key": "sections",
        "rules": None,
        "model": None,
        "device": None,
        "precision": "auto",
    },
)
def make_context_pipe(
    nlp: Language,
    name: str,
    spans_keys: list[str],
    sections_key: str | None,
    rules: str | None,
    model: str | None,
    device: str | None,
    precision: Literal["auto", "fp32", "bf16"],
) -> ContextPipe:
    """Build the pipe from its config.

    Args:
        spans_keys: Groups of `doc.spans` whose spans are given a context, beside `doc.ents`.
        sections_key: The group of `doc.spans` that holds sections; where it holds none they are found.
            None leaves sections out.
        rules: A file of rules of one's own, beside those of the package; saved with the pipeline.
        model: A folder of `clinlp train context`, saved with the pipeline; by default rules alone.
        device: Of the model: `cpu`, `cuda`, `cuda:1` ...; by default a GPU if there is one.
        precision: `auto` computes a transformer in bf16 where the hardware does.
    """
    classifier = None if model is None else Classifier(name, nlp.lang, model=model, device=device, precision=precision)
    return ContextPipe(
        name, nlp.lang, spans_keys=spans_keys, sections_key=sections_key, rules=rules, classifier=classifier
    )
