"""`clinlp_phi`: protected health information in spaCy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from spacy.language import Language
from spacy.tokens import Doc

from clinlp.note import Note
from clinlp.pipes.base import NotePipe
from clinlp.pipes.convert import add_ents, set_spans

if TYPE_CHECKING:
    from clinlp.deid import Detector


class PhiPipe(NotePipe):
    """Writes each Doc's PHI to `doc.spans[spans_key]`; the text itself is left alone.

    A span that cuts a token takes the whole token in: rather too much than too little.
    """

    def __init__(self, name: str, *, spans_key: str, annotate_ents: bool, overwrite_ents: bool, all_ages: bool) -> None:
        super().__init__(name, "")  # by its script: a name hides in the other language too
        self.spans_key, self.annotate_ents, self.overwrite_ents = spans_key, annotate_ents, overwrite_ents
        self.all_ages = all_ages
        self._detectors: tuple[Detector, ...] = ()

    def prepare(self) -> None:
        """Make the rules."""
        if not self._detectors:
            from clinlp.deid import default_detectors

            self._detectors = default_detectors(all_ages=self.all_ages)

    def predict(self, notes: Sequence[Note]) -> Sequence[Note]:
        """Find PHI."""
        from clinlp.deid import find_phi

        return find_phi(notes, self._detectors)

    def set_annotations(self, doc: Doc, note: Note) -> None:
        """Write PHI to a Doc."""
        set_spans(doc, self.spans_key, note.phi, "expand")
        if self.annotate_ents:
            add_ents(doc, doc.spans[self.spans_key], overwrite=self.overwrite_ents)


@Language.factory(
    "clinlp_phi",
    assigns=["doc.spans", "doc.ents", "span._.score"],
    default_config={"spans_key": "phi", "annotate_ents": False, "overwrite_ents": False, "all_ages": False},
)
def make_phi_pipe(
    nlp: Language,  # noqa: ARG001  spaCy hands it to every factory
    name: str,
    spans_key: str,
    annotate_ents: bool,
    overwrite_ents: bool,
    all_ages: bool,
) -> PhiPipe:
    """Build the pipe from its config.

    Args:
        spans_key: The group of `doc.spans` to write.
        annotate_ents: Write `doc.ents` too.
        overwrite_ents: Forget the `doc.ents` that are there.
        all_ages: Find every age, not only those over 89.
    """
    return PhiPipe(
        name,
        spans_key=spans_key,
        annotate_ents=annotate_ents,
        overwrite_ents=overwrite_ents,
        all_ages=all_ages,
    )
