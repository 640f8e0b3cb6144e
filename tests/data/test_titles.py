"""Names of codes for people: one a language, from tables that spell codes otherwise, kept in a model's folder."""

from __future__ import annotations

import pytest

from clinlp.data.titles import choose_titles, read_titles, title_of, write_titles
from clinlp.errors import UsageError


def test_the_first_name_in_each_language_is_chosen():
    table = {"J189": ("Pneumonia, unspecified", "Lung infection", "肺炎", "肺部感染"), "E11": (), "i10": ("高血压",)}
    titles = choose_titles(("J18.9", "E11", "I10", "Z99"), [table, {"I10": ("Hypertension",)}])
    assert titles == {"J18.9": ("Pneumonia, unspecified", "肺炎"), "I10": ("高血压", "Hypertension")}
    assert [title_of(titles["J18.9"], lang) for lang in ("en", "zh")] == ["Pneumonia, unspecified", "肺炎"]
    assert title_of(("高血压",), "en") == "高血压"
    assert title_of((), "zh") == ""


def test_a_folder_gives_back_what_was_written_and_none_where_there_was_none(tmp_path):
    assert read_titles(tmp_path) == {}
    write_titles(tmp_path, {})
    assert not list(tmp_path.iterdir())
    write_titles(tmp_path, {"J18": ("Pneumonia", "肺炎")})
    assert read_titles(tmp_path) == {"J18": ("Pneumonia", "肺炎")}
    (tmp_path / "titles.json").write_text("[1]")
    with pytest.raises(UsageError, match=r"titles\.json: codes with names needed, got AttributeError"):
        read_titles(tmp_path)
