"""`clinlp_entities`: clinical entities and their context in spaCy."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

from spacy.language import Language
from spacy.tokens import Doc

from clinlp.note import Note
from clinlp.pipes.base import ModelPipe, default_model
from clinlp.pipes.convert import add_ents, set_spans

if TYPE_CHECKING:
    from clinlp.inference.device import Precision
    from clinlp.inference.entities import EntityPredictor

_log = logging.getLogger(__name__)


class EntitiesPipe(ModelPipe):
    """Writes entities to `doc.spans[spans_key]` and `doc.ents`, with `span._.score` and `span._.context`.

    An entity that cuts a token is narrowed to the whole tokens inside; one with none inside goes to
    `doc._.left_out`. Both are counted. With the tokenizer `clinlp.Tokenizer.v1` neither happens.

    Attributes:
        n_narrowed: Entities narrowed so far, in this process.
        n_left_out: Entities left out so far.
    """

    def __init__(
        self,
        name: str,
        lang: str | None,
        *,
        model: str,
        spans_key: str = "entities",
        annotate_ents: bool = True,
        overwrite_ents: bool = False,
        context: bool = True,
        device: str | None = None,
        precision: str = "auto",
    ) -> None:
        super().__init__(name, lang, model=model, device=device, precision=precision)
        self.spans_key, self.annotate_ents, self.overwrite_ents = spans_key, annotate_ents, overwrite_ents
        self.context = context
        self.n_narrowed = self.n_left_out = 0

    def load_predictor(self, folder: Path) -> EntityPredictor:
        """Load a tagger."""
        from clinlp.inference.entities import EntityPredictor

        return EntityPredictor.load(folder, device=self.device, precision=cast("Precision", self.precision))

    def predict(self, notes: Sequence[Note]) -> Sequence[Note]:
        """Find entities, and their context."""
        found = cast("EntityPredictor", self.predictor)(notes)
        return [_with_context(note) for note in found] if self.context else found

    def set_annotations(self, doc: Doc, note: Note) -> None:
        """Write entities to a Doc."""
        n_narrowed, n_left_out = set_spans(doc, self.spans_key, note.entities, "contract")
        if (n_narrowed or n_left_out) and not (self.n_narrowed or self.n_left_out):
            _log.warning(
                "%s: entities cut tokens of this tokenizer and are narrowed to whole tokens, or left out if none is "
                "inside; n_narrowed and n_left_out of the pipe count them, doc._.left_out holds them, and the "
                "tokenizer clinlp.Tokenizer.v1 avoids it",
                self.name,
            )
        self.n_narrowed += n_narrowed
        self.n_left_out += n_left_out
        if self.annotate_ents:
            add_ents(doc, doc.spans[self.spans_key], overwrite=self.overwrite_ents)


def _with_context(note: Note) -> Note:
    from clinlp.text.context import add_context
    from clinlp.text.language import detect_language
    from clinlp.text.sections import find_sections

    if not note.entities:
        return note
    lang = note.lang or detect_language(note.text)
    return replace(note, entities=add_context(note.text, note.entities, lang, find_sections(note.text, lang)))


_DEFAULTS: dict[str, Any] = {
    "model": None,
    "spans_key": "entities",
    "annotate_ents": True,
    "overwrite_ents": False,
    "context": True,
    "device": None,
    "precision": "auto",
}


@Language.factory(
    "clinlp_entities",
    assigns=["doc.spans", "doc.ents", "doc._.left_out", "span._.score", "span._.context", "span._.negated"],
    default_config=_DEFAULTS,
)
def make_entities_pipe(
    nlp: Language,
    name: str,
    model: str | None,
    spans_key: str,
    annotate_ents: bool,
    overwrite_ents: bool,
    context: bool,
    device: str | None,
    precision: Literal["auto", "fp32", "bf16"],
) -> EntitiesPipe:
    """Build the pipe from its config.

    Args:
        model: A model folder or a bundled model; by default the bundled one of the pipeline's language.
        spans_key: The group of `doc.spans` to write.
        annotate_ents: Write `doc.ents` too, the longest first where entities overlap.
        overwrite_ents: Forget the `doc.ents` that are there.
        context: Say whether each entity is negated, uncertain, historical, hypothetical, and whose it is.
        device: `cpu`, `cuda`, `cuda:1` ...; by default a GPU if there is one.
        precision: `auto` computes a transformer in bf16 where the hardware does.
    """
    return EntitiesPipe(
        name,
        nlp.lang,
        model=model or default_model("entities", name, nlp.lang),
        spans_key=spans_key,
        annotate_ents=annotate_ents,
        overwrite_ents=overwrite_ents,
        context=context,
        device=device,
        precision=precision,
    )
