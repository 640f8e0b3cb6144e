"""Rule files of the user's own: what they add, what they take the place of, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from clinlp.errors import UsageError
from clinlp.spans import Context, Span
from clinlp.text.context import ContextFinder
from clinlp.text.rules import expand, load_rules
from clinlp.text.sections import SectionFinder


def context_of(path: Path, text: str, words: str, lang: str = "en") -> Context:
    at = text.index(words)
    [found] = ContextFinder(load_rules(lang, path), lang)(text, [Span(at, at + len(words), "X")])
    assert found.context is not None
    return found.context


def rule_file(tmp_path: Path, toml: str) -> Path:
    path = tmp_path / "mine.toml"
    path.write_text(toml, "utf-8")
    return path


def test_a_file_adds_phrases_and_keeps_the_others(tmp_path: Path) -> None:
    path = rule_file(tmp_path, '[context.negated]\nbefore = ["nary a"]')
    assert context_of(path, "Nary a wheeze.", "wheeze").negated
    assert context_of(path, "No wheeze.", "wheeze").negated


def test_what_a_file_says_of_a_phrase_takes_the_place_of_the_rest(tmp_path: Path) -> None:
    path = rule_file(tmp_path, '[context]\npseudo = ["without"]\n[context.uncertain]\nbefore = ["denies"]')
    assert not context_of(path, "Without fever.", "fever").negated
    denied = context_of(path, "He denies fever.", "fever")
    assert (denied.negated, denied.uncertain) == (False, True)


def test_phrases_are_dropped(tmp_path: Path) -> None:
    path = rule_file(tmp_path, 'drop = ["no", "not seen", "plan"]')
    assert not context_of(path, "No fever.", "fever").negated
    assert not context_of(path, "Fever not seen.", "Fever").negated
    assert context_of(path, "Fever not heard.", "Fever").negated
    assert [span.label for span in SectionFinder(load_rules("en", path))("LABS:\nWBC 5.\nPLAN:\nHome.")] == ["labs"]


def test_a_file_may_stand_alone(tmp_path: Path) -> None:
    path = rule_file(tmp_path, 'extends = false\n[context.negated]\nbefore = ["sans"]')
    assert context_of(path, "Sans fever.", "fever").negated
    assert not context_of(path, "No fever.", "fever").negated


def test_choices_stand_for_many_phrases(tmp_path: Path) -> None:
    toml = '[choices]\nwho = ["ward", "team"]\n[context.negated]\nbefore = ["per {who} free of any"]'
    assert context_of(rule_file(tmp_path, toml), "Per team free of any rash.", "rash").negated
    assert list(expand("{a}{b}", {"a": ("无", "未"), "b": ("见", "及")})) == ["无见", "无及", "未见", "未及"]


def test_headings_and_section_names_of_ones_own(tmp_path: Path) -> None:
    toml = (
        'section_names = ["wound_care"]\n[sections]\nwound_care = ["dressings"]\nlabs = ["plan"]\n'
        '[context.hypothetical]\nsections = ["wound_care"]'
    )
    path = rule_file(tmp_path, toml)
    text = "DRESSINGS:\nDry.\nPLAN:\nWBC 5."
    sections = SectionFinder(load_rules("en", path))(text)
    assert [span.label for span in sections] == ["wound_care", "labs"]
    [found] = ContextFinder(load_rules("en", path), "en")(text, [Span(11, 14, "X")], sections)
    assert found.context == Context(hypothetical=True)


def test_chinese_rules_are_extended_alike(tmp_path: Path) -> None:
    path = rule_file(tmp_path, 'drop = ["无"]\n[context.negated]\nbefore = ["查无"]')
    assert context_of(path, "查无皮疹。", "皮疹", "zh").negated
    assert not context_of(path, "无皮疹。", "皮疹", "zh").negated
    assert context_of(path, "未见皮疹。", "皮疹", "zh").negated


@pytest.mark.parametrize(
    ("toml", "where"),
    [
        (
            '[context.negated]\nbefore = ["x"]\nbefor = ["y"]',
            ":3: unknown key 'context.negated.befor'; did you mean 'before'?",
        ),
        ('\n\n[context.negatd]\nbefore = ["x"]', ":3: unknown key 'context.negatd'; did you mean 'negated'?"),
        ('[context.negated]\nbefore = "no"', ":2: context.negated.before"),
        (
            '[context]\npseudo = ["a b"]\n[context.negated]\nbefore = ["a b"]',
            ":4: context: pseudo phrases cannot be cues",
        ),
        ('[sections]\n"plans" = ["a"]', ":2: unknown key 'sections.plans'; did you mean 'plan'?"),
        ('[context.family]\nsections = ["family"]', ":2: unknown key 'context.family.sections: family'"),
        ('[context.other]\nafter = ["{who} x"]\n[choices]\nwho2 = ["a"]', ":2: a name of [choices] needed (who2"),
        ("[choices]\nwho = []", ":2: choices.who: words needed, got none"),
        ("[context", "TOML needed"),
        ('drop = ["a"]\nx = ]', "line 2"),
    ],
)
def test_errors_name_the_file_and_the_line(tmp_path: Path, toml: str, where: str) -> None:
    path = rule_file(tmp_path, toml)
    with pytest.raises(UsageError) as caught:
        load_rules("en", path)
    assert str(caught.value).startswith(str(path))
    assert where in str(caught.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"none\.toml: rule file needed, got none"):
        load_rules("en", tmp_path / "none.toml")
