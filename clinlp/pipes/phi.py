"""`clinlp_phi`: protected health information in spaCy."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Self, cast

from spacy.language import Language
from spacy.tokens import Doc

from clinlp.note import Note
from clinlp.pipes.base import ModelPipe, as_lang
from clinlp.pipes.convert import add_ents, set_spans

if TYPE_CHECKING:
    from clinlp.deid import Detector
    from clinlp.inference.device import Precision
    from clinlp.inference.phi import PhiTagger


class PhiPipe(ModelPipe):
    """Writes each Doc's PHI to `doc.spans[spans_key]`; the text itself is left alone.

    A span that cuts a token takes the whole token in: rather too much than too little.
    """

    def __init__(
        self,
        name: str,
        *,
        model: str | None,
        spans_key: str,
        annotate_ents: bool,
        overwrite_ents: bool,
        all_ages: bool,
        device: str | None = None,
        precision: str = "auto",
    ) -> None:
        # No language: a note tells it by its script, for a name hides in the other language too.
        super().__init__(name, "", model=model or "", device=device, precision=precision)
        self.has_model = model is not None
        self.spans_key, self.annotate_ents, self.overwrite_ents = spans_key, annotate_ents, overwrite_ents
        self.all_ages = all_ages
        self._detectors: tuple[Detector, ...] = ()

    def prepare(self) -> None:
        """Make the rules, and load the model if there is one."""
        if not self._detectors:
            from clinlp.deid import default_detectors

            self._detectors = default_detectors(all_ages=self.all_ages)
        if self.has_model:
            super().prepare()

    def load_predictor(self, folder: Path) -> PhiTagger:
        """Load a tagger."""
        from clinlp.inference.phi import PhiTagger

        return PhiTagger.load(folder, device=self.device, precision=cast("Precision", self.precision))

    def predict(self, notes: Sequence[Note]) -> Sequence[Note]:
        """Find PHI."""
        from clinlp.deid import find_phi

        if not self.has_model:
            return find_phi(notes, self._detectors)
        from clinlp.inference.phi import beside

        tagger = cast("PhiTagger", self.predictor)
        return find_phi(notes, (beside(self._detectors, lambda _: tagger),))

    def to_disk(self, path: str | Path, *, exclude: Iterable[str] = ()) -> None:
        """Write the model, if there is one; the rules come with the package."""
        if self.has_model:
            super().to_disk(path, exclude=exclude)

    def from_disk(self, path: str | Path, *, exclude: Iterable[str] = ()) -> Self:
        """Take the model from a folder."""
        return super().from_disk(path, exclude=exclude) if self.has_model else self

    def from_bytes(self, bytes_data: bytes, *, exclude: Iterable[str] = ()) -> Self:
        """Take the model from what `to_bytes` gave."""
        return super().from_bytes(bytes_data, exclude=exclude) if self.has_model else self

    def set_annotations(self, doc: Doc, note: Note) -> None:
        """Write PHI to a Doc."""
        set_spans(doc, self.spans_key, note.phi, "expand")
        if self.annotate_ents:
            add_ents(doc, doc.spans[self.spans_key], overwrite=self.overwrite_ents)


@Language.factory(
    "clinlp_phi",
    assigns=["doc.spans", "doc.ents", "span._.score"],
    default_config={
        "model": "bundled",
        "spans_key": "phi",
        "annotate_ents": False,
        "overwrite_ents": False,
        "all_ages": False,
        "device": None,
        "precision": "auto",
    },
)
def make_phi_pipe(
    nlp: Language,
    name: str,
    model: str | None,
    spans_key: str,
    annotate_ents: bool,
    overwrite_ents: bool,
    all_ages: bool,
    device: str | None,
    precision: Literal["auto", "fp32", "bf16"],
) -> PhiPipe:
    """Build the pipe from its config.

    Args:
        model: A tagger beside the rules: a model folder or a bundled model; by default the bundled one of the
            pipeline's language. `off`, None or another language leave the rules alone.
        spans_key: The group of `doc.spans` to write.
        annotate_ents: Write `doc.ents` too.
        overwrite_ents: Forget the `doc.ents` that are there.
        all_ages: Find every age, not only those over 89.
        device: `cpu`, `cuda`, `cuda:1` ...; by default a GPU if there is one.
        precision: `auto` computes a transformer in bf16 where the hardware does.
    """
    if model == "bundled":
        model = f"phi-{nlp.lang}" if as_lang(nlp.lang) else None
    return PhiPipe(
        name,
        model=None if model == "off" else model,
        spans_key=spans_key,
        annotate_ents=annotate_ents,
        overwrite_ents=overwrite_ents,
        all_ages=all_ages,
        device=device,
        precision=precision,
    )
