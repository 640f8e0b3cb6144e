"""What all pipes share: Docs in batches, errors without text, and models that travel with the pipeline."""

from __future__ import annotations

import multiprocessing
import os
import tempfile
from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self, cast

from spacy import util
from spacy.pipeline import Pipe
from spacy.tokens import Doc

from clinlp.errors import DataError, UsageError
from clinlp.note import Lang, Note
from clinlp.pipes.convert import register_extensions

if TYPE_CHECKING:
    from spacy.language import Language

    from clinlp.inference.diagnosis import DiagnosisPredictor
    from clinlp.inference.entities import EntityPredictor
    from clinlp.inference.phi import PhiTagger

    Predictor = EntityPredictor | DiagnosisPredictor | PhiTagger

_FILES = (
    "config.json",
    "labels.json",
    "model.safetensors",
    "encoder.onnx",
    "vocabulary.json",
    "tokenizer.json",
    "cuts.json",
    "ngrams.json",
    "names.json",
    "likeness.json",
    "README.md",
)
"""What a model folder may hold."""
_MEMBERS = ("network", "tfidf", "likeness", "dictionary")
"""Folders inside that of an ensemble."""


class NotePipe(Pipe):
    """Annotates Docs by a function of notes."""

    def __init__(self, name: str, lang: str | None) -> None:
        """Prepare nothing heavy: spaCy makes a pipe before it reads what was saved.

        Args:
            lang: Of the pipeline. If not `en` or `zh`, the language is told note by note.
        """
        self.name = name
        self.lang = as_lang(lang)
        register_extensions()

    def prepare(self) -> None:
        """Load what `predict` needs; called before every batch.

        Raises:
            UsageError: It is not there.
        """

    @abstractmethod
    def predict(self, notes: Sequence[Note]) -> Sequence[Note]:
        """Annotate notes, in order."""

    @abstractmethod
    def set_annotations(self, doc: Doc, note: Note) -> None:
        """Write to a Doc what was found in its text."""

    def __call__(self, doc: Doc) -> Doc:
        """Annotate one Doc."""
        self.prepare()
        error = self._annotate(doc, None)
        if error is not None:
            raise error
        return doc

    def pipe(self, stream: Iterable[Doc], *, batch_size: int = 64) -> Iterator[Doc]:
        """Annotate Docs in batches; one that fails goes to the error handler, alone."""
        for docs in self._batches(iter(stream), batch_size):
            self.prepare()
            found: Sequence[Note | Exception | None]
            try:
                found = self.predict([self._note(doc) for doc in docs])
            except Exception:  # noqa: BLE001  whatever went wrong, only the Docs that cause it may fail
                found = self._apart(docs)
            for doc, note in zip(docs, found, strict=True):
                error = self._annotate(doc, note)
                if error is None:
                    yield doc
                else:
                    self.get_error_handler()(self.name, self, [doc], error)

    def initialize(self, get_examples: Callable[[], Iterable[Any]], *, nlp: Language | None = None) -> None:  # noqa: ARG002  spaCy's signature
        """Load now, so that `nlp.initialize()` finds what is missing before the first text does."""
        self.prepare()

    def _batches(self, stream: Iterator[Doc], batch_size: int) -> Iterator[list[Doc]]:
        """Part Docs into batches."""
        while docs := list(islice(stream, batch_size)):
            yield docs

    def _apart(self, docs: Sequence[Doc]) -> Sequence[Note | Exception | None]:
        """Say what became of the Docs of a batch that failed; None: look at it alone."""
        return [None] * len(docs)

    def _note(self, doc: Doc) -> Note:
        return Note(self.name, doc.text, lang=self.lang)

    def _annotate(self, doc: Doc, note: Note | Exception | None) -> Exception | None:
        """Annotate a Doc with what was found, or look now; give what went wrong.

        The error is given, not raised, so that no other error hangs on it: the message of any but our
        own may quote the text.
        """
        try:
            if isinstance(note, Exception):
                return self._plain(note)
            if note is None:
                [note] = self.predict([self._note(doc)])
            self.set_annotations(doc, note)
        except Exception as error:  # noqa: BLE001  the caller decides what becomes of it
            return self._plain(error)
        return None

    def _plain(self, error: Exception) -> Exception:
        """Give an error that quotes no text."""
        if isinstance(error, (DataError, UsageError)):
            error.__cause__ = error.__context__ = None
            return error.with_traceback(None)
        return DataError(f"{self.name}: a Doc that can be annotated needed, got {type(error).__name__}")


class ModelPipe(NotePipe):
    """Annotates Docs by a model, whose weights and vocabulary are saved with the pipeline.

    The model is loaded at the first text, not when the pipe is made: `spacy.load` makes every pipe from
    its config and then fills it from what was saved, when the folder that the config names may long
    be gone.
    """

    def __init__(self, name: str, lang: str | None, *, model: str, device: str | None, precision: str) -> None:
        """Remember where the model is; a path counts from the folder that is current now."""
        super().__init__(name, lang)
        self.model = str(Path(model).resolve()) if Path(model).exists() else model
        self.device, self.precision = device, precision
        self._predictor: Predictor | None = None
        self._card = ""
        self._process = os.getpid()

    @abstractmethod
    def load_predictor(self, folder: Path) -> Predictor:
        """Load a model folder."""

    @property
    def predictor(self) -> Predictor:
        """The model, loaded at the first use.

        Raises:
            UsageError: It cannot be loaded, or not be used in this process.
        """
        if self._process != os.getpid():
            self._enter_worker()
        if self._predictor is None:
            self._fill(self.model)
        return cast("Predictor", self._predictor)

    def prepare(self) -> None:
        """Load the model."""
        _ = self.predictor

    @property
    def labels(self) -> tuple[str, ...]:
        """What the model tells apart; empty until it is loaded."""
        if self._predictor is None:
            return ()
        held = self._predictor
        return held.codes if hasattr(held, "codes") else held.labels

    def to_disk(self, path: str | Path, *, exclude: Iterable[str] = ()) -> None:  # noqa: ARG002  spaCy's signature
        """Write a model folder."""
        from clinlp.inference.diagnosis import DiagnosisPredictor
        from clinlp.models.store import save_model, write_whole

        held, folder = self.predictor, Path(path)
        if isinstance(held, DiagnosisPredictor):
            held.save(folder)
        else:
            save_model(folder, held.tagger)
            held.reader.save(folder)
        if self._card:
            write_whole(folder / "README.md", self._card)

    def from_disk(self, path: str | Path, *, exclude: Iterable[str] = ()) -> Self:  # noqa: ARG002  spaCy's signature
        """Take the model from a folder."""
        self._fill(path)
        return self

    def to_bytes(self, *, exclude: Iterable[str] = ()) -> bytes:
        """Give the files of the model folder in one message."""
        with tempfile.TemporaryDirectory() as folder:
            self.to_disk(folder)
            paths = (path for path in sorted(Path(folder).rglob("*")) if path.is_file())
            files = {path.relative_to(folder).as_posix(): path.read_bytes for path in paths}
            return util.to_bytes(files, exclude)

    def from_bytes(self, bytes_data: bytes, *, exclude: Iterable[str] = ()) -> Self:
        """Take the model from what `to_bytes` gave."""
        with tempfile.TemporaryDirectory() as folder:
            names = [*_FILES, *(f"{member}/{name}" for member in _MEMBERS for name in _FILES)]
            files: dict[str, Callable[[bytes], Any]] = {name: partial(_write, Path(folder, name)) for name in names}
            util.from_bytes(bytes_data, files, exclude)
            self._fill(folder)
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        """Travel to a worker process with the weights, if they are loaded."""
        settings = {key: value for key, value in self.__dict__.items() if key not in ("_predictor", "_process")}
        return _revive, (type(self), self.name, settings, self.to_bytes() if self._predictor is not None else b"")

    def _fill(self, model: str | Path) -> None:
        from clinlp.models.store import find_model

        try:
            folder = find_model(model)
            self._predictor = self.load_predictor(folder)
        except UsageError as error:
            raise UsageError(f"{self.name}: {error}") from None
        card = folder / "README.md"
        self._card = card.read_text("utf-8") if card.is_file() else ""

    def _enter_worker(self) -> None:
        """Make ready for work in a process other than the one that made the pipe."""
        if self._predictor is not None and self._predictor.device.type == "cuda":
            raise UsageError(f"{self.name}: device cpu or n_process=1 needed, got a forked worker and a GPU")
        if multiprocessing.parent_process() is not None:
            from clinlp.inference.threads import compute_alone

            compute_alone()
        self._process = os.getpid()


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(data)


def _revive(kind: type[ModelPipe], name: str, settings: dict[str, Any], model: bytes) -> ModelPipe:
    """Build a pipe anew in the process that received it."""
    pipe = kind.__new__(kind)
    pipe.name = name  # spaCy's class holds it
    pipe.__dict__.update(settings, _predictor=None, _process=0)
    register_extensions()
    if model:
        pipe.from_bytes(model)
    return pipe


def as_lang(lang: str | None) -> Lang | None:
    """Give the language of a pipeline if it is one of ours."""
    return cast("Lang", lang) if lang in ("en", "zh") else None


def default_model(task: Literal["entities", "diagnosis"], name: str, lang: str | None) -> str:
    """Name the bundled model for the language of a pipeline.

    Raises:
        UsageError: There is none for the language.
    """
    if as_lang(lang) is None:
        raise UsageError(f"{name}: a model needed in the config of a pipeline of language {lang}, got none")
    return f"{task}-{lang}"
