"""Configs: defaults, then the file, then the command line; every mistake is named in one line."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Self

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field, ValidationError, model_validator

from clinlp.config import Config
from clinlp.errors import UsageError


class Windows(Config):
    max_pieces: int = Field(default=512, ge=8)
    overlap: int = 64


class Training(Config):
    epochs: int = 10
    encoder: str = "lstm"
    windows: Windows = Windows()
    scoring: Windows | None = None

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.encoder == "none":
            raise ValueError("an encoder is needed")
        return self


@pytest.fixture
def toml(tmp_path: Path) -> Path:
    path = tmp_path / "train.toml"
    path.write_text('epochs = 3\nencoder = "cnn"\n[windows]\noverlap = 32\n', "utf-8")
    return path


def test_defaults() -> None:
    assert Training.load() == Training()


def test_the_file_beats_the_default_and_the_command_line_beats_both(toml: Path) -> None:
    config = Training.load(toml, epochs=5)
    assert (config.epochs, config.encoder, config.windows) == (5, "cnn", Windows(overlap=32))


def test_none_means_not_given(toml: Path) -> None:
    assert Training.load(toml, epochs=None).epochs == 3


def test_an_unknown_key_names_the_nearest(toml: Path) -> None:
    toml.write_text("epoch = 3", "utf-8")
    with pytest.raises(UsageError, match=r"train\.toml: unknown key 'epoch'; did you mean 'epochs'\?$"):
        Training.load(toml)


def test_an_unknown_key_without_a_neighbour_lists_the_known() -> None:
    with pytest.raises(UsageError, match=r"^options: unknown key 'zzz'; known are epochs, encoder, windows, scoring$"):
        Training.load(zzz=1)


@pytest.mark.parametrize("part", ["windows", "scoring"])
def test_an_unknown_key_of_a_part_names_the_nearest_of_that_part(part: str) -> None:
    with pytest.raises(UsageError, match=rf"^options: unknown key '{part}\.overlpa'; did you mean 'overlap'\?$"):
        Training.load(**{part: {"overlpa": 3}})


def test_a_wrong_value_names_its_key() -> None:
    with pytest.raises(UsageError, match=r"^options: windows\.max_pieces: Input should be greater than or equal to 8"):
        Training.load(windows={"max_pieces": 1})


def test_a_key_without_a_default_is_asked_for() -> None:
    class Run(Config):
        train: str

    with pytest.raises(UsageError, match=r"^options: train needed, got none$"):
        Run.load()


def test_a_check_over_the_whole_config_is_a_usage_error_too() -> None:
    with pytest.raises(UsageError, match=r"^options: an encoder is needed$"):
        Training.load(encoder="none")


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"none\.toml: config file needed, got none$"):
        Training.load(tmp_path / "none.toml")


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"readable config file needed, got Is a directory$"):
        Training.load(tmp_path)


@pytest.mark.parametrize("content", [b"epochs = = 3", "encoder = '高'".encode("gb18030")])
def test_a_broken_file(toml: Path, content: bytes) -> None:
    toml.write_bytes(content)
    with pytest.raises(UsageError, match=r"train\.toml: TOML needed, got "):
        Training.load(toml)


def test_a_config_is_frozen() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Training().epochs = 3  # type: ignore[misc]


def test_a_config_survives_its_own_json() -> None:
    config = Training(epochs=2, windows=Windows(overlap=1))
    assert Training.model_validate_json(config.model_dump_json()) == config


class Written(Config):
    name: str = ""
    rate: float = 0.1
    n: int | None = None
    paths: tuple[Path, ...] = ()
    on: bool = False


@given(st.text(), st.floats(allow_nan=False, allow_infinity=False), st.none() | st.integers(-9, 9), st.booleans())
def test_options_are_written_as_they_are_read(name: str, rate: float, n: int | None, on: bool) -> None:
    config = Written(name=name, rate=rate, n=n, paths=(Path("病历/a.jsonl"),), on=on)
    assert Written.model_validate(tomllib.loads(config.to_toml())) == config
    assert "rate" not in config.to_toml(leave_out=("rate",))
