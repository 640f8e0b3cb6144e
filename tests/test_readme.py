"""What the README shows is what comes out."""

from __future__ import annotations

import doctest
import re
import runpy
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

README = Path(__file__).parent.parent / "README.md"


def test_the_python_of_the_readme_runs_and_prints_what_it_says():
    results = doctest.testfile(str(README), module_relative=False, optionflags=doctest.NORMALIZE_WHITESPACE)
    assert results.attempted > 10
    assert results.failed == 0


def commands() -> list[str]:
    """Every clinlp command line of the README, without its comment."""
    blocks = re.findall(r"```console\n(.*?)```", README.read_text("utf-8"), re.DOTALL)
    lines = [line.partition("#")[0].strip("$ ") for block in blocks for line in block.splitlines()]
    return [line for line in lines if line.startswith("clinlp ")]


@pytest.mark.parametrize("command", commands())
def test_the_commands_of_the_readme_exist_with_their_options(command):
    from clinlp.cli import app

    words = shlex.split(command)[1:]
    names = words[:2] if words[0] in ("train", "search", "key") else words[:1]
    shown = CliRunner().invoke(app, [*names, "--help"], env={"COLUMNS": "200"})
    assert shown.exit_code == 0
    assert all(word in shown.output for word in words if word.startswith("--"))


def test_the_results_are_the_raw_results():
    names = runpy.run_path(str(README.parent / "scripts" / "bench" / "readme.py"))
    assert names["table"]() in README.read_text("utf-8")
