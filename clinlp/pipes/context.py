"""`clinlp_sections` and `clinlp_context`: sections of a Doc, and the context of any component's entities."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self, cast

from spacy import util
from spacy.language import Language
from spacy.tokens import Doc
from spacy.tokens import Span as DocSpan

from clinlp.note import Lang, Note
from clinlp.pipes.base import ModelPipe, NotePipe
from clinlp.pipes.convert import set_spans
from clinlp.spans import Span

if TYPE_CHECKING:
    from clinlp.inference.device import Precision
    from clinlp.inference.diagnosis import DiagnosisPredictor
    from clinlp.text.context import ContextFinder
    from clinlp.text.rules.schema import Rules
    from clinlp.text.sections import SectionFinder

_FILE = "rules.toml"
_FOLDER = "model"


class RulesPipe(NotePipe):
    """A pipe by rules, which may be a file of the user's own; the file's words travel with the pipeline."""

    def __init__(self, name: str, lang: str | None, *, rules: str | None) -> None:
        """Read the file of rules, if there is one; one that is gone is asked for when the first text comes.

        Raises:
            UsageError: It is broken.
        """
        super().__init__(name, lang)
        self.rules = ""
        self._made: dict[Lang, Any] = {}
        self._wanted = str(Path(rules).resolve()) if rules else ""  # until the rules are here
        if rules and Path(rules).exists():
            self._read_rules()

    def prepare(self) -> None:
        """Read the file of rules, unless what was saved held them."""
        self._read_rules()

    def _read_rules(self) -> None:
        if self._wanted:
            from clinlp.text.rules.merge import read_text

            self._keep(read_text(Path(self._wanted)), self._wanted)

    def rules_of(self, lang: Lang) -> Rules:
        """The rules of a language, with those of the file."""
        from clinlp.text.rules import load_rules
        from clinlp.text.rules.merge import parse_rules

        base = load_rules(lang)
        return parse_rules(self.rules, f"{self.name}: {_FILE}", base) if self.rules else base

    def to_disk(self, path: str | Path, *, exclude: Iterable[str] = ()) -> None:  # noqa: ARG002  spaCy's signature
        """Write the rules, if there are any of the user's own."""
        if self.rules:
            Path(path).mkdir(parents=True, exist_ok=True)
            (Path(path) / _FILE).write_text(self.rules, "utf-8")

    def from_disk(self, path: str | Path, *, exclude: Iterable[str] = ()) -> Self:  # noqa: ARG002  spaCy's signature
        """Take the rules from a folder."""
        from clinlp.text.rules.merge import read_text

        file = Path(path) / _FILE
        if file.is_file():
            self._keep(read_text(file), str(file))
        return self

    def to_bytes(self, *, exclude: Iterable[str] = ()) -> bytes:
        """Give the rules as a message."""
        return util.to_bytes(self._parts(), exclude)

    def from_bytes(self, bytes_data: bytes, *, exclude: Iterable[str] = ()) -> Self:
        """Take the rules from what `to_bytes` gave."""
        util.from_bytes(bytes_data, self._takers(), exclude)
        return self

    def _parts(self) -> dict[str, Callable[[], bytes]]:
        """What a message holds, by name."""
        return {_FILE: self.rules.encode}

    def _takers(self) -> dict[str, Callable[[bytes], Any]]:
        """What takes the parts of a message."""
        return {_FILE: lambda data: self._keep(data.decode(), _FILE) if data else None}

    def __reduce__(self) -> tuple[Any, ...]:
        """Travel to a worker process without what is made of the rules there."""
        return _revive, (type(self), self.name, {**self.__dict__, "_made": {}})

    def _keep(self, text: str, where: str) -> None:
        """Keep rules, and refuse broken ones now and not at the first text."""
        from clinlp.text.rules import load_rules
        from clinlp.text.rules.merge import parse_rules

        langs: tuple[Lang, ...] = (self.lang,) if self.lang else ("en", "zh")
        for lang in langs:
            parse_rules(text, where, load_rules(lang))
        self.rules, self._wanted, self._made = text, "", {}


class SectionsPipe(RulesPipe):
    """Writes sections to `doc.spans[spans_key]`, each over its body; the label is the canonical name."""

    def __init__(self, name: str, lang: str | None, *, spans_key: str = "sections", rules: str | None = None) -> None:
        super().__init__(name, lang, rules=rules)
        self.spans_key = spans_key

    def predict(self, notes: Sequence[Note]) -> Sequence[Note]:
        """Find sections."""
        return [replace(note, sections=self._finder(lang)(note.text)) for note, lang in _with_lang(notes)]

    def set_annotations(self, doc: Doc, note: Note) -> None:
        """Write sections to a Doc."""
        set_spans(doc, self.spans_key, note.sections, "expand")

    def _finder(self, lang: Lang) -> SectionFinder:
        from clinlp.text.sections import SectionFinder

        if lang not in self._made:
            self._made[lang] = SectionFinder(self.rules_of(lang))
        made: SectionFinder = self._made[lang]
        return made


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
        for note, lang in _with_lang(notes):
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


def _with_lang(notes: Sequence[Note]) -> Iterator[tuple[Note, Lang]]:
    from clinlp.text.language import detect_language

    for note in notes:
        yield note, note.lang or detect_language(note.text)


def _revive(kind: type[RulesPipe], name: str, state: dict[str, Any]) -> RulesPipe:
    """Build a pipe anew in the process that received it."""
    from clinlp.pipes.convert import register_extensions

    pipe = kind.__new__(kind)
    pipe.name = name  # spaCy's class holds it
    pipe.__dict__.update(state)
    register_extensions()
    return pipe


@Language.factory("clinlp_sections", assigns=["doc.spans"], default_config={"spans_key": "sections", "rules": None})
def make_sections_pipe(nlp: Language, name: str, spans_key: str, rules: str | None) -> SectionsPipe:
    """Build the pipe from its config.

    Args:
        spans_key: The group of `doc.spans` to write.
        rules: A file of rules of one's own, beside those of the package; saved with the pipeline.
    """
    return SectionsPipe(name, nlp.lang, spans_key=spans_key, rules=rules)


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
