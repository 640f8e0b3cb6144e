"""A piece: some characters of a note with what they are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from corpora.grammar import FLAGS, WHOSE

_ENTITIES = "DISEASE SYMPTOM TEST RESULT FINDING PROCEDURE DRUG DOSE FREQUENCY DURATION ANATOMY"
_PHI = (
    "NAME DATE AGE PHONE FAX EMAIL URL IP SSN ID_CARD MRN HEALTH_PLAN ACCOUNT LICENSE VEHICLE DEVICE BIOMETRIC PHOTO "
    "LOCATION HOSPITAL DEPARTMENT BED SOCIAL ORG ID"
)
ENTITIES: Final = frozenset(_ENTITIES.split())
PHI: Final = frozenset(_PHI.split())
IN_CONTEXT: Final = frozenset({"DISEASE", "SYMPTOM", "TEST", "PROCEDURE", "DRUG"})  # the labels that carry a context


class NothingFitsError(LookupError):
    """The patient has nothing for this slot: another line must be drawn."""


@dataclass(slots=True)
class Piece:
    """Some characters of a note, and what they are."""

    text: str
    label: str = ""
    flags: tuple[str, ...] = ()
    group: int = 0  # pieces of one name share a number
    code: str = ""  # the code that this mention gives if it is affirmed
    supports: str = ""  # the code that this mention speaks for without naming the disease

    @property
    def is_phi(self) -> bool:
        """Say whether the piece identifies somebody."""
        return self.label in PHI

    @property
    def affirmed(self) -> bool:
        """Say whether the mention is a fact about the patient now or, for a disease, at any time."""
        return not set(self.flags) & {"neg", "unc", "hyp", *WHOSE}

    def context(self) -> dict[str, bool | str] | None:
        """The mention's context in canonical JSON, without what is the rule: a fact about the patient now."""
        if self.label not in IN_CONTEXT:
            return None
        told: dict[str, bool | str] = {name: True for flag, name in FLAGS.items() if flag in self.flags}
        for flag in set(self.flags) & set(WHOSE):
            told["experiencer"] = WHOSE[flag]
        return told
