"""The spaCy component `clinlp_sections`, and what components that read rules have in common.

Rules of the user's own are saved with the pipeline, as they were read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from spacy import util
from spacy.language import Language
from spacy.tokens import Doc

from clinlp.note import Lang, Note
from clinlp.pipes.base import NotePipe
from clinlp.pipes.convert import set_spans

if TYPE_CHECKING:
    from clinlp.text.rules.schema import Rules
    from clinlp.text.sections import SectionFinder

_FILE = "rules.toml"


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
        return [replace(note, sections=self._finder(lang)(note.text)) for note, lang in with_lang(notes)]

    def set_annotations(self, doc: Doc, note: Note) -> None:
        """Write sections to a Doc."""
        set_spans(doc, self.spans_key, note.sections, "expand")

    def _finder(self, lang: Lang) -> SectionFinder:
        from clinlp.text.sections import SectionFinder

        if lang not in self._made:
            self._made[lang] = SectionFinder(self.rules_of(lang))
        made: SectionFinder = self._made[lang]
        return made


def with_lang(notes: Sequence[Note]) -> Iterator[tuple[Note, Lang]]:
    """Give each note with its language, told or detected."""
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
