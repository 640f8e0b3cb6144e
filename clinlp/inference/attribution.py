"""Evidence for a code by what its words add: integrated gradients, Shapley values and LIME, through captum.

Each asks the same function, the log-odds of a code given how much of each word is left
(`clinlp.inference.gates`), so their scores can be compared word by word. Label attention answers
beside them: it costs nothing, has no sign, and shows where the model looked, not what that did.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Literal, TypeAlias, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from clinlp.data.rows import Ints
from clinlp.errors import MissingExtraError, UsageError
from clinlp.inference.attributors import Effort, groups_of, integrated_gradients, lime, shapley_values
from clinlp.inference.diagnosis import DiagnosisPredictor
from clinlp.inference.evidence import LABEL, attended_spans
from clinlp.inference.gates import GatedNote
from clinlp.inference.network import NoteRanker
from clinlp.models.diagnoser import Diagnoser
from clinlp.note import Note
from clinlp.spans import in_order

Method: TypeAlias = Literal["attention", "gradients", "shapley", "lime"]
AGAINST: Final = "AGAINST"
"""Label of words that speak against a code; those that support it are `EVIDENCE`."""

_NOTABLE: Final = 0.25  # of the greatest score, whatever its sign: less against a code is not shown


@dataclass(frozen=True, slots=True)
class Explanation:
    """What each word of a note adds to the log-odds of one code.

    Attributes:
        offsets: `(word, 2)`, characters of the note, half-open.
        scores: `(word,)`, above 0 for and below 0 against the code; their magnitudes sum to 1, or all are 0.
        scale: By which the scores were divided: `scores * scale` is in log-odds. 1 for attention.
        change: Log-odds of the whole note less those of one in which all words are blank, to which
            `scores * scale` sums by integrated gradients (within its steps) and Shapley values. None for attention.
    """

    code: str
    offsets: Ints
    scores: NDArray[np.float32]
    scale: float = 1.0
    change: float | None = None


class Explainer:
    """Says which words a diagnoser's codes rest on."""

    def __init__(
        self,
        predictor: DiagnosisPredictor,
        method: Method = "gradients",
        *,
        effort: Effort | None = None,
        against: bool = False,
    ) -> None:
        """Take a predictor's model where it is.

        Args:
            against: Give spans for words against a code too, labelled `AGAINST`; not by attention, which has none.

        Raises:
            UsageError: The method is not known, or the model cannot be asked by it.
            MissingExtraError: captum is not installed.
        """
        if method not in get_args(Method):
            raise UsageError(f"evidence: one of {', '.join(get_args(Method))} needed, got {method!r}")
        ranker = predictor.ranker
        if not isinstance(ranker, NoteRanker):
            model = ranker.model
            kind = "another kind of model" if isinstance(model, Diagnoser) else model.config.model
            raise UsageError(
                f"evidence: a network with label attention needed for {method}, got {kind}; `clinlp predict` shows "
                "what it found"
            )
        if method != "attention":
            _need_captum()
        self.predictor, self.method, self.against = predictor, method, against
        self.ranker, self.diagnoser = ranker, ranker.model
        self.effort = effort or Effort()
        self._places = {code: at for at, code in enumerate(ranker.codes)}

    def __call__(self, notes: Sequence[Note]) -> list[Note]:
        """Give the notes with the evidence of their diagnoses replaced; a note without any is predicted first."""
        bare = [at for at, note in enumerate(notes) if note.diagnoses is None]
        filled = list(notes)
        for at, note in zip(bare, self.predictor([notes[at] for at in bare]), strict=True):
            filled[at] = note
        return [self._explained(note) for note in filled]

    def explain(self, text: str, codes: Sequence[str], fields: Mapping[str, Any] | None = None) -> list[Explanation]:
        """Weigh every word of a text for each code.

        Args:
            fields: Of the note, for a model that reads some; they stay as they are.

        Raises:
            UsageError: A code is not one of the model's.
            DataError: The text has no words.
        """
        for code in codes:
            if code not in self._places:
                raise UsageError(f"evidence: codes of the model needed, got {code!r}")
        if not codes:
            return []
        beside = self.ranker.fields([Note("text", text, fields=fields or {})])
        note = GatedNote(self.diagnoser, self.ranker.reader, text, [self._places[code] for code in codes], beside)
        if self.method == "attention":
            shares = note.attention().cpu().numpy()
            return [Explanation(code, note.offsets, row) for code, row in zip(codes, shares, strict=True)]
        n_rows = note.rows(self.ranker.batch_pieces)
        with torch.random.fork_rng(devices=[]):  # captum draws from torch's own generator
            torch.manual_seed(self.effort.seed)
            scores = self._weigh(note, n_rows).cpu()
        with torch.no_grad():
            ends = note(torch.stack([torch.ones(note.n_words), torch.zeros(note.n_words)])).cpu()
        changes = (ends[0] - ends[1]).tolist()
        scales = scores.abs().sum(1)
        scores = scores / scales.clamp_min(1e-12)[:, None]
        return [
            Explanation(code, note.offsets, row, scale, change)
            for code, row, scale, change in zip(codes, scores.numpy(), scales.tolist(), changes, strict=True)
        ]

    def _weigh(self, note: GatedNote, n_rows: int) -> Tensor:
        """Give what each word adds to each code, `(code, word)`."""
        if self.method == "gradients":
            return integrated_gradients(note, self.effort.n_steps, n_rows)
        ask = shapley_values if self.method == "shapley" else lime
        slopes = integrated_gradients(note, 16, n_rows) if note.n_words > self.effort.n_alone else None
        groups = groups_of(slopes, note.n_words, self.effort.n_alone)
        return ask(note, groups, self.effort, n_rows)

    def _explained(self, note: Note) -> Note:
        diagnoses = note.diagnoses
        if diagnoses is None:  # the predictor abstained
            return note
        known = [each for each in diagnoses if each.code in self._places]
        made = self.explain(note.text, [each.code for each in known], note.fields) if known else []
        spans = {each.code: self._spans(each, note.text) for each in made}
        return replace(note, diagnoses=tuple(replace(each, evidence=spans.get(each.code, ())) for each in diagnoses))

    def _spans(self, made: Explanation, text: str) -> Any:
        spans = attended_spans(np.maximum(made.scores, 0), made.offsets, text, label=LABEL)
        if self.against:
            least = _NOTABLE * np.abs(made.scores).max()
            spans += attended_spans(np.where(made.scores <= -least, -made.scores, 0), made.offsets, text, label=AGAINST)
        return in_order(spans)


def _need_captum() -> None:
    from importlib.util import find_spec

    if find_spec("captum") is None:
        raise MissingExtraError("captum", "explain")
