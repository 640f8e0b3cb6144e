"""Known identifiers: every way a record's own names are written is found, and nothing else is."""

from __future__ import annotations

from typing import Any

import pytest

from clinlp.deid import PhiLabel, resolve
from clinlp.deid.known import known_detector
from clinlp.deid.known.names_zh import parse as parse_zh
from clinlp.note import Note


def found(text: str, value: Any, label: PhiLabel = PhiLabel.NAME) -> list[str]:
    """The words of the joined spans."""
    [spans] = known_detector({"c": label})([Note("n", text, fields={"c": value})])
    assert all(span.label == label for span in spans)
    return [text[span.start : span.end] for span in resolve(spans, text)]


# --- names, English ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "text", "expected"),
    [
        ("Smith, John A.", "John Smith came.", ["John Smith"]),
        ("Smith, John A.", "SMITH JOHN, 45", ["SMITH JOHN"]),
        ("Smith, John A.", "Smith,  John A. came", ["Smith,  John A"]),
        ("Smith, John A.", "seen by J. Smith today", ["J. Smith"]),
        ("Smith, John A.", "J.S. and JAS (J.A.S.) slept", ["J.S.", "J.A.S."]),
        ("Smith, John A.", "Patient JS slept; so did JS", ["JS", "JS"]),
        ("Smith, John A.", "John Smith (JS) slept", ["John Smith", "JS"]),
        ("Smith, John A.", "Mr. Smith's wife", ["Smith"]),
        ("Smith, John A.", "S M I T H, J O H N", ["S M I T H, J O H N"]),
        ("Smith, John A.", "Smi-\nth came", ["Smi-\nth"]),
        ("Smith, John A.", "John\n   Smith came", ["John\n   Smith"]),
        ("Smith, John A.", "Jonh Smth came", ["Jonh Smth"]),
        ("Smith, John A.", "Johnny Smith; Jack Smith", ["Johnny Smith", "Jack Smith"]),
        ("Smith, John A.", "John Q. Smith", ["John Q. Smith"]),
        ("Smith, John A.", "J\u00f3hn Smi\u0301th", ["J\u00f3hn Smi\u0301th"]),
        ("Smith, John A.", "Jo\u200bhn\u200b Sm\u200dith", ["Jo\u200bhn\u200b Sm\u200dith"]),
        ("Smith, John A.", "Smithson, blacksmith, Johnson, Smith fracture", []),
        ("Mary Smith", "MS since 2010, ms", []),
        (
            "Mary O'Brien",
            "Mrs OBrien; O\u2019Brien; MARY O BRIEN; O'Brian",
            ["OBrien", "O\u2019Brien", "MARY O BRIEN", "O'Brian"],
        ),
        (
            "Jan van der Berg",
            "Mr van der Berg; VanderBerg; J. van der Berg",
            ["van der Berg", "VanderBerg", "J. van der Berg"],
        ),
        ("Maria Garcia-Lopez", "Maria Garcia; Garcia Lopez; Lopez", ["Maria Garcia", "Garcia Lopez", "Lopez"]),
        ("Katherine Montgomery", "Kathrine Mongtomery; Kate said", ["Kathrine Mongtomery", "Kate"]),
        ("Bill Okafor", "William Okafor; Willie", ["William Okafor", "Willie"]),
        ("William Okafor", "Bill said so; the bill is due; she will", ["Bill"]),
        ("M\u00fcller, J\u00fcrgen", "Jurgen Mueller; MULLER", ["Jurgen Mueller", "MULLER"]),
        ("Dr. Priya Raman, MD", "Raman called; p. raman; md", ["Raman", "raman"]),
        ('Robert "Skip" Alvarez', "Skip Alvarez; Skip said", ["Skip Alvarez", "Skip"]),
        ("Li Wu", "Mr. Li; li in; Wu Li", ["Li", "Wu Li"]),
        ("Zhang Jianguo", "ZHANG Jian-guo; jianguo zhang", ["ZHANG Jian-guo", "jianguo zhang"]),
        ("\uff2a\uff4f\uff48\uff4e Okafor", "John Okafor", ["John Okafor"]),
        ("Ellen Marchetti; Tomasz Okafor", "Ellen; Okafor", ["Ellen", "Okafor"]),
        (
            ["Ellen Marchetti", None, "Tomasz Okafor"],
            "Ellen; the Marchettis; Okafor",
            ["Ellen", "Marchettis", "Okafor"],
        ),
    ],
)
def test_english_names(value: Any, text: str, expected: list[str]) -> None:
    assert found(text, value) == expected


@pytest.mark.parametrize(
    ("value", "text", "expected"),
    [
        ("May Rose", "Fever may persist; the temperature may have risen; it rose. A rose.", []),
        ("May Rose", "Seen in May and on May 5. May return to work.", []),
        ("May Rose", "Then may rose again", []),
        (
            "May Rose",
            "May Rose left. Ms. Rose said. I told Rose so. Rose was seen.",
            ["May Rose", "Rose", "Rose", "Rose"],
        ),
        ("Grant Will", "Grant will need rest. A grant. It hurts; Will follow.", []),
        (
            "James Parkinson",
            "Mr. Parkinson has Parkinson disease, Parkinson's tremor, Parkinson's disease.",
            ["Parkinson"],
        ),
        ("Anna Foley", "Foley catheter in place. Foley removed. Ms. Foley agreed.", ["Foley"]),
        ("Ann Lung", "Lung sounds clear. Lungs. The lung.", []),
        ("Oliver Payne", "No pain, liver normal, olives.", []),
        ("Ed Gough", "In the ED. Cough. cough", []),
        ("Anna Long", "A long time. It is long. Anna Long.", ["Anna Long"]),
        ("Marian Warfeld", "Warfarin 5 mg, heparin, Marinol", []),
    ],
)
def test_english_words_that_are_names_elsewhere(value: str, text: str, expected: list[str]) -> None:
    assert found(text, value) == expected


# --- names, Chinese ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "text", "expected"),
    [
        ("张建国", "患者张建国，男，65岁。", ["张建国"]),
        ("张建国", "张 建国；张\n建 国；张\u200b建国", ["张 建国", "张\n建 国", "张\u200b建国"]),
        ("张建国", "张先生来诊，张医生，张女士", ["张", "张", "张"]),
        ("张建国", "老张来诊。小张说：扩张，小张力", ["老张", "小张"]),
        ("张建国", "张某，张某某，张××，张**", ["张某", "张某某", "张××", "张**"]),
        ("张建国", "张*国，张×国，张某国，张X国，王*国", ["张*国", "张×国", "张某国", "张X国"]),
        ("张建国", "张姐来过，张叔说，张老师", ["张", "张", "张"]),
        ("张建国", "張建國入院", ["張建國"]),
        ("张建国", "患者张健国，男。患者张国，男。今日张健国未到", ["张健国", "张国", "张健国"]),  # a slip of the ear
        ("张建国", "患者张建民，男。今日张建民未到；张建过来", ["张建民"]),
        ("张建国", "Zhang Jianguo; Jian-Guo ZHANG; zhangjianguo", ["Zhang Jianguo", "Jian-Guo ZHANG", "zhangjianguo"]),
        ("张建国", "J. G. Zhang (Z.J.G.), Mr Zhang", ["J. G. Zhang", "Z.J.G.", "Zhang"]),
        ("张建国", "张建国（ZJG），受试者缩写：ZJG。", ["张建国", "ZJG", "ZJG"]),
        ("曾晶", "Zeng Jing", ["Zeng Jing"]),
        ("单乐", "Shan Yue, Dan Le", ["Shan Yue"]),
        ("吕布", "Lv Bu took it; Lyu Bu, 45; Lü Bu slept; Lu Bu too", ["Lv Bu", "Lyu Bu", "Lü Bu", "Lu Bu"]),
        ("欧阳娜", "Ouyang Na", ["Ouyang Na"]),
        ("何敏", "He said 5 min; Min He", ["Min He"]),
        ("李安", "Li 0.8 mmol/L, an ECG, ALI", []),
        ("張偉", "张伟入院", ["张伟"]),
        ("张伟医生", "张伟查房", ["张伟"]),
        ("张伟 (Zhang Wei)", "张伟；Zhang Wei；Wei Zhang", ["张伟", "Zhang Wei", "Wei Zhang"]),
        ("李明轩", "明轩说头痛。患者明轩", ["明轩", "明轩"]),
        ("欧阳娜娜", "欧阳女士；娜娜说不痛", ["欧阳", "娜娜"]),
        ("阿卜杜·热合曼", "阿卜杜热合曼；阿卜杜·热合曼；热合曼说", ["阿卜杜热合曼", "阿卜杜·热合曼", "热合曼"]),
        ("王芳、李秀英", "王芳与李秀英", ["王芳", "李秀英"]),
        ("张伟（父亲）", "父亲张伟陪同", ["张伟"]),
        ("父亲：张伟，母亲：李秀英", "张伟、李秀英", ["张伟", "李秀英"]),
        ("张伟 李秀英", "张伟；李秀英", ["张伟", "李秀英"]),
        ("王芳；李秀英", "王芳与李秀英", ["王芳", "李秀英"]),
    ],
)
def test_chinese_names(value: str, text: str, expected: list[str]) -> None:
    assert found(text, value) == expected


@pytest.mark.parametrize(
    ("value", "text", "expected"),
    [
        ("高兴", "患者高兴地说。心情高兴。高血压。提高医生水平", []),
        ("高兴", "姓名：高兴。高兴，男，45岁。高先生", ["高兴", "高兴", "高"]),
        ("任强", "主任医师查房，副主任，任何", []),
        ("任强", "任先生；任强入院", ["任", "任强"]),
        ("张力", "肌张力正常，张力高", []),
        ("张伟", "扩张伟大的事业", []),
        ("张建国", "主张医生参加，紧张某些时候，扩张，新建国家", []),
        ("白雪", "雪白雪白的床单", []),
        ("李天明", "今天明显好转", []),
        ("向建国", "向医生说明，一向先生", []),
        ("于建国", "于医院就诊，建国以来", []),
    ],
)
def test_chinese_words_that_are_names_elsewhere(value: str, text: str, expected: list[str]) -> None:
    assert found(text, value) == expected


def test_chinese_surnames_of_two_characters() -> None:
    assert parse_zh("欧阳娜娜") == ("欧阳", "娜娜")
    assert parse_zh("张建国") == ("张", "建国")


@pytest.mark.parametrize(
    ("fields", "text", "expected"),
    [
        (
            {"first_name": "Ellen", "surname": "Lind"},
            "E. Lind; EL; Ellen Lind (EL)",
            ["E. Lind", "EL", "Ellen Lind", "EL"],
        ),
        ({"姓": "王", "名": "明轩"}, "王明轩；王 明轩", ["王明轩", "王 明轩"]),
        ({"last": "Lind"}, "Ms. Lind", ["Lind"]),
    ],
)
def test_names_kept_in_two_columns_are_one(fields: dict[str, str], text: str, expected: list[str]) -> None:
    [spans] = known_detector(dict.fromkeys(fields, PhiLabel.NAME))([Note("n", text, fields=fields)])
    assert [text[span.start : span.end] for span in resolve(spans, text)] == expected


def test_exact_values_score_one_and_others_less() -> None:
    detect = known_detector({"name": PhiLabel.NAME, "patient_id": PhiLabel.MRN})
    note = Note("n", "Ellen Marchetti; Marchetii; 482913", patient_id="482913", fields={"name": "Ellen Marchetti"})
    [spans] = detect([note])
    assert [(span.start, span.score) for span in spans] == [(0, 1.0), (17, 0.7), (28, 1.0)]


def test_each_note_is_read_by_its_own_record() -> None:
    detect = known_detector({"name": PhiLabel.NAME})
    notes = [
        Note(name, "Okafor and 张建国", fields={"name": name}) for name in ("Tomasz Okafor", "张建国", "Ellen Lind")
    ]
    assert [[(s.start, s.end) for s in spans] for spans in detect(notes)] == [[(0, 6)], [(11, 14)], []]
