"""The form of a rule file, and what is refused in one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from clinlp.config import Config
from clinlp.text.rules import EFFECTS, Effect

SectionName = Literal[
    "chief_complaint",
    "history_of_present_illness",
    "past_history",
    "personal_history",
    "family_history",
    "medications",
    "allergies",
    "review_of_systems",
    "physical_exam",
    "vital_signs",
    "labs",
    "imaging",
    "assessment",
    "plan",
    "hospital_course",
    "procedure",
    "pathology",
    "discharge",
    "diagnosis",
    "social_history",
    "obstetric_history",
    "demographics",
    "other",
]


class _Phrases(Config):
    """Lists of phrases: none empty, none twice in a list."""

    @field_validator("*")
    @classmethod
    def _check(cls, value: object) -> object:
        if isinstance(value, tuple):
            if not all(isinstance(phrase, str) and phrase.strip() for phrase in value):
                raise ValueError("phrases needed, got an empty one")
            phrase, count = Counter(value).most_common(1)[0] if value else ("", 1)
            if count > 1:
                raise ValueError(f"each phrase needed once, got {phrase!r} {count} times")
        return value


class Cues(_Phrases):
    """The phrases that bring about one effect, by the side of the entity on which they stand."""

    before: tuple[str, ...] = ()
    before_in_clause: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    after_in_clause: tuple[str, ...] = ()
    ends: tuple[str, ...] = ()


class ContextRules(_Phrases):
    """What ConText knows: cues by effect, and what ends their reach or only looks like a cue."""

    clause: tuple[str, ...] = ()
    ends: tuple[str, ...] = ()
    pseudo: tuple[str, ...] = ()
    negated: Cues = Cues()
    uncertain: Cues = Cues()
    historical: Cues = Cues()
    hypothetical: Cues = Cues()
    family: Cues = Cues()
    other: Cues = Cues()

    def cues(self, effect: Effect) -> Cues:
        """The cues of one effect."""
        cues: Cues = getattr(self, effect)
        return cues

    @model_validator(mode="after")
    def _pseudo_is_nothing_else(self) -> Self:
        pseudo = set(self.pseudo)
        for effect in EFFECTS:
            for where, phrases in self.cues(effect):
                for phrase in phrases:
                    if phrase in pseudo:
                        raise ValueError(f"pseudo phrases cannot be cues, got {phrase!r} in {effect}.{where} too")
        return self


class Rules(Config):
    """All that is known of one language."""

    context: ContextRules = ContextRules()
    sections: Mapping[SectionName, tuple[str, ...]] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _headings_are_clear(self) -> Self:
        seen: dict[str, str] = {}
        for name, headings in self.sections.items():
            for heading in headings:
                if not heading.strip():
                    raise ValueError(f"sections.{name}: headings needed, got an empty one")
                if seen.setdefault(heading, name) != name:
                    raise ValueError(f"each heading needs one section, got {heading!r} in {seen[heading]} and {name}")
        return self
