"""Tables of codes and names."""

from __future__ import annotations

import gzip

import pytest

from clinlp import DataError, UsageError
from clinlp.records.codes import read_codes

NAMES = {"J18": ("Pneumonia, unspecified", "肺炎"), "E11": ("2型糖尿病",), "R05": ()}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("icd.tsv", "code\tname\tnote\nJ18\tPneumonia, unspecified\tx\nE11\t2型糖尿病\t\nJ18\t肺炎\nR05\n\n"),
        ("icd.csv", '\ufeffCode,name_en,name_zh\nJ18,"Pneumonia, unspecified",肺炎\nE11,,2型糖尿病\nR05,,\n'),
        (
            "icd.jsonl",
            (
                '{"code": "J18", "name": ["Pneumonia, unspecified", "肺炎"]}\n\n{"code": "E11", "name": "2型糖尿病"}\n'
                '{"code": "R05"}\n'
            ),
        ),
    ],
)
def test_a_table_of_codes_is_read_from_every_format(tmp_path, name, text):
    path = tmp_path / name
    path.write_text(text, "utf-8")
    assert read_codes(path) == NAMES
    packed = tmp_path / f"{name}.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    assert read_codes(packed) == NAMES


def test_a_quote_inside_a_name_of_a_tsv_is_a_character(tmp_path):
    path = tmp_path / "icd.tsv"
    path.write_text('code\tname\nS61\t3" cut\nS62\tso-called "boxer" fracture\n', "utf-8")
    assert read_codes(path) == {"S61": ('3" cut',), "S62": ('so-called "boxer" fracture',)}


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("icd.tsv", b"icd\tname\nJ18\tx\n", 'icd.tsv: a column "code" in the first line needed, got 2 others'),
        ("icd.csv", b"code,name\nJ18,x\n ,y\n", "icd.csv:3: a code needed, got none"),
        ("icd.csv", b"code,name\n", "icd.csv: codes needed, got none"),
        ("icd.csv", b"", 'icd.csv: a column "code" in the first line needed'),
        ("icd.tsv", "code\tname\nJ18\t肺炎\n".encode("gb18030"), "icd.tsv: utf-8 needed, got other bytes"),
        ("icd.jsonl", b'{"code": "J18"}\n["E11"]\n', r'icd.jsonl:2: {"code": ..., "name": ...} needed'),
        ("icd.jsonl", b'{"code": 18}\n', "icd.jsonl:1: a code needed, got none"),
    ],
)
def test_what_is_wrong_with_a_table_is_said(tmp_path, name, data, message):
    (tmp_path / name).write_bytes(data)
    with pytest.raises(DataError, match=message):
        read_codes(tmp_path / name)


def test_a_file_of_another_kind_or_none_is_refused(tmp_path):
    with pytest.raises(UsageError, match=r"icd\.xlsx: a table of codes as \.csv, \.tsv or \.jsonl needed, got \.xlsx"):
        read_codes(tmp_path / "icd.xlsx")
    with pytest.raises(UsageError, match=r"icd\.tsv: file needed, got none"):
        read_codes(tmp_path / "icd.tsv")
