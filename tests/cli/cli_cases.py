"""How the command line tests call the command."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import pytest

from clinlp.cli import main

SENTINEL = "Zyxqwv"
NAME = f"{SENTINEL} Quoxly"
RULES = ("--entities", "off", "--diagnosis", "off")


class Done(NamedTuple):
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def line(self) -> str:
        """The one line of the error."""
        [line] = self.err.splitlines()
        return line


class Command:
    """Runs `clinlp` in this process."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def __call__(self, *arguments: str | Path) -> Done:
        with pytest.raises(SystemExit) as ended:
            main([str(argument) for argument in arguments])
        said = self._capsys.readouterr()
        code = ended.value.code
        assert isinstance(code, int)
        assert "Traceback" not in said.err
        return Done(code, said.out, said.err)
