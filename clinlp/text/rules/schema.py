"""The form of a rule file, and what is refused in one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, Literal, Self, get_args

from pydantic import Field, field_validator, model_validator

from clinlp.config import Config, unknown_key
from clinlp.text.rules import CHOICE, EFFECTS, Effect

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
SECTION_NAMES: tuple[str, ...] = get_args(SectionName)
_MAX_EXPANDED = 20_000


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
    """The phrases that bring about one effect, by where they stand to the entity, and what ends their reach."""

    before: tuple[str, ...] = ()
    before_in_clause: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    after_in_clause: tuple[str, ...] = ()
    opening: tuple[str, ...] = ()
    closing: tuple[str, ...] = ()
    ends: tuple[str, ...] = ()
    pseudo: tuple[str, ...] = ()
    sections: tuple[str, ...] = ()

    def causes(self) -> Iterator[tuple[str, tuple[str, ...]]]:
        """The lists of phrases that bring the effect about, with their keys."""
        for key in ("before", "before_in_clause", "after", "after_in_clause"):
            yield key, getattr(self, key)


class ContextRules(_Phrases):
    """What ConText knows: cues by effect, and what ends their reach or only looks like a cue.

    Attributes:
        joins: Words that join items of a list, whose cue goes on over them: `or`, 及. They are no cues.
    """

    joins: tuple[str, ...] = ()
    clause: tuple[str, ...] = ()
    ends: tuple[str, ...] = ()
    pseudo: tuple[str, ...] = ()
    affirmed: tuple[str, ...] = ()
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
        for effect in EFFECTS:
            cues = self.cues(effect)
            for where, phrases in cues.causes():
                for phrase in phrases:
                    if phrase in self.pseudo or phrase in cues.pseudo:
                        raise ValueError(f"pseudo phrases cannot be cues, got {phrase!r} in {effect}.{where} too")
        return self


class Rules(Config):
    """All that is known of one language.

    Attributes:
        extends: Add to the rules that come with the package; else these stand alone.
        drop: Phrases and headings of those rules that are not wanted.
        section_names: Names of sections beside the canonical ones.
        choices: Words by name; a phrase with `{name}` stands for one phrase with each of the words. `{}` at the
            beginning or end of a phrase is the entity, which then touches the other words.
    """

    extends: bool = True
    drop: tuple[str, ...] = ()
    section_names: tuple[str, ...] = ()
    choices: Mapping[str, tuple[str, ...]] = Field(default_factory=dict)
    context: ContextRules = ContextRules()
    sections: Mapping[str, tuple[str, ...]] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _headings_are_clear(self) -> Self:
        known = (*SECTION_NAMES, *self.section_names)
        for effect in EFFECTS:
            for name in self.context.cues(effect).sections:
                if name not in known:
                    raise ValueError(unknown_key(f"context.{effect}.sections: {name}", name, known))
        seen: dict[str, str] = {}
        for name, headings in self.sections.items():
            if name not in known:
                raise ValueError(unknown_key(f"sections.{name}", name, known) + ", or name it in section_names")
            for heading in headings:
                if not heading.strip():
                    raise ValueError(f"sections.{name}: headings needed, got an empty one")
                if seen.setdefault(heading, name) != name:
                    raise ValueError(f"each heading needs one section, got {heading!r} in {seen[heading]} and {name}")
        return self

    @model_validator(mode="after")
    def _choices_are_known(self) -> Self:
        for name, words in self.choices.items():
            if not words:
                raise ValueError(f"choices.{name}: words needed, got none")
        for phrase in _strings(self.context.model_dump()):
            n_expanded = 1
            for name in CHOICE.findall(phrase):
                if not name:
                    if "{}" in phrase[1:-1] or phrase == "{}":
                        raise ValueError(f"{{}} needed before or behind all words of a phrase, got {phrase!r}")
                    continue
                if name not in self.choices:
                    known = ", ".join(self.choices) or "none"
                    raise ValueError(f"a name of [choices] needed ({known}), got {{{name}}} in {phrase!r}")
                n_expanded *= len(self.choices[name])
            if n_expanded > _MAX_EXPANDED:
                raise ValueError(f"at most {_MAX_EXPANDED} phrases needed, got {n_expanded} from {phrase!r}")
        return self


def _strings(value: Any) -> Iterator[str]:
    """Every string in a tree of tables and lists."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from _strings(inner)
    else:
        for inner in value:
            yield from _strings(inner)
