"""Each kind of finding, on notes made so that it is there: English and Chinese alike."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clinlp import Span
from clinlp.data.checks.config import CheckConfig
from clinlp.data.checks.findings import KINDS, Findings, Lengths, Place
from clinlp.data.checks.run import check
from clinlp.data.checks.spans import arrangement, edges
from clinlp.errors import DataError, UsageError
from clinlp.spans import in_order

Row = Mapping[str, Any]
EN = "Fever and chest pain for 3 days, treated with aspirin."
ZH = "患者发热伴右下肢疼痛3天，予阿司匹林治疗。"
SAME = "en", "zh"


def row(note_id: str, text: str, *spans: Sequence[Any], **more: Any) -> Row:
    """A record; a span is its words and its label, or its offsets and its label."""
    found = [
        [text.index(span[0]), text.index(span[0]) + len(span[0]), span[1]] if len(span) == 2 else span for span in spans
    ]
    return {"note_id": note_id, "text": text, "entities": found} | more


class Checks:
    """Writes rows as files and checks them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(
        self, train: Sequence[Row], *, dev: Sequence[Row] = (), test: Sequence[Row] = (), **more: Any
    ) -> Findings:
        parts = {}
        for name, rows in (("train", train), ("dev", dev), ("test", test)):
            if rows:
                parts[name] = self.folder / f"{name}.jsonl"
                parts[name].write_text("".join(json.dumps(each, ensure_ascii=False) + "\n" for each in rows), "utf-8")
        return check(parts, CheckConfig(**more))


@pytest.fixture
def checks(tmp_path: Path) -> Checks:
    return Checks(tmp_path)


def only(found: Findings) -> dict[tuple[str, str], int]:
    return {(each.kind, each.part): each.n for each in found.findings}


# one kind at a time

CLEAN = [
    row("en", EN, ("Fever", "SYMPTOM"), ("chest pain", "SYMPTOM"), ("aspirin", "DRUG")),
    row("zh", ZH, ("发热", "SYMPTOM"), ("右下肢疼痛", "SYMPTOM"), ("阿司匹林", "DRUG")),
]
CASES: dict[str, tuple[Row, Row, dict[str, int]]] = {
    "nested": (
        row("en", EN, ("chest pain", "SYMPTOM"), ("chest", "ANATOMY")),
        row("zh", ZH, ("右下肢疼痛", "SYMPTOM"), ("右下肢", "ANATOMY")),
        {"nested_span": 1, "lost_to_overlap": 1},
    ),
    "crossing": (
        row("en", EN, ("Fever and chest", "SYMPTOM"), ("chest pain", "SYMPTOM")),
        row("zh", ZH, ("发热伴右下肢", "SYMPTOM"), ("右下肢疼痛", "SYMPTOM")),
        {"crossing_span": 1, "lost_to_overlap": 1},
    ),
    "twice": (
        row("en", EN, ("Fever", "SYMPTOM"), ("Fever", "SYMPTOM")),
        row("zh", ZH, ("发热", "SYMPTOM"), ("发热", "SYMPTOM")),
        {"duplicate_span": 1},
    ),
    "two labels": (
        row("en", EN, ("Fever", "SYMPTOM"), ("Fever", "DISEASE")),
        row("zh", ZH, ("发热", "SYMPTOM"), ("发热", "DISEASE")),
        {"relabelled_span": 1, "lost_to_overlap": 1, "differing_labels": 1},
    ),
    "space": (
        row("en", EN, ("Fever ", "SYMPTOM")),
        row("zh", ZH.replace("伴", "　"), ("发热　", "SYMPTOM")),
        {"edge_space": 1},
    ),
    "punctuation": (
        row("en", EN, ("aspirin.", "DRUG")),
        row("zh", ZH, ("，予阿司匹林", "DRUG")),
        {"edge_punctuation": 1},
    ),
    "blank": (row("en", EN, (5, 6, "DRUG")), row("zh", f"{ZH} \n ", (21, 23, "DRUG")), {"blank_span": 1}),
    "cut": (row("en", EN, ("hest pain", "SYMPTOM")), row("zh", "予Aspirin片。", ("spirin", "DRUG")), {"cut_piece": 1}),
    "one piece": (
        row("en", "On CaCO3.", ("Ca", "DRUG"), ("CO3", "DRUG")),
        row("zh", "予CaCO3片。", ("Ca", "DRUG"), ("CO3", "DRUG")),
        {"cut_piece": 2, "shared_piece": 1},
    ),
    "empty": (row("en", EN, (3, 3, "DRUG")), row("zh", ZH, (3, 3, "DRUG")), {"unreadable": 1, "empty_span": 1}),
    "past the end": (row("en", EN, (3, 999, "DRUG")), row("zh", ZH, (3, 999, "DRUG")), {"unreadable": 1}),
    "no words": (row("en", " \n"), row("zh", "　\n"), {"no_words": 1}),
    "missing": (
        row("en", f"{EN} No FEVER now.", ("Fever", "SYMPTOM")),
        row("zh", f"{ZH}现无发热。", ("发热", "SYMPTOM")),
        {"missing_span": 1},
    ),
    "unusual": (
        row("en", "Days and days and days.", ("Days", "TIME")),
        row("zh", "一天，两天，三天。", ("天", "TIME")),
        {"unusual_span": 1},
    ),
    "codes": (
        row("en", EN, codes=["R50", "R50", "R07 "]),
        row("zh", ZH, codes=["R50", "R50", "R07 "]),
        {"repeated_code": 1, "code_space": 1},
    ),
}
BESIDE = row("good", "Beside: 另记。")


def test_clean_notes_have_no_findings(checks: Checks) -> None:
    found = checks(CLEAN)
    assert found.findings == ()
    assert found.differing == found.partly == found.pairs == ()


@pytest.mark.parametrize("lang", SAME)
@pytest.mark.parametrize("name", CASES)
def test_each_kind_is_found_and_no_other(checks: Checks, name: str, lang: str) -> None:
    english, chinese, kinds = CASES[name]
    found = checks([english if lang == "en" else chinese, *([BESIDE | {"codes": []}] if name == "codes" else [BESIDE])])
    assert {each.kind: each.n for each in found.findings} == kinds
    assert all(place.note_id == lang for each in found.findings for place in each.places)


@pytest.mark.parametrize("lang", SAME)
def test_a_span_longer_than_a_window_is_lost_and_a_long_note_is_counted(checks: Checks, lang: str) -> None:
    text = "word " * 20 if lang == "en" else "长" * 20
    end = len(text.strip())
    found = checks([row("a", text, (0, end, "X"))], max_pieces=8)
    assert only(found) == {("long_span", "train"): 1}
    assert found.parts["train"].n_windowed == 1
    assert found.parts["train"].pieces.most == 20


@pytest.mark.parametrize(
    ("words", "is_found"),
    [
        *[
            (each, False)
            for each in ("b.i.d.", "HBsAg(+)", "50%", "-1.5", "(R) arm", "K+", "IgG（阳性）", "维生素B12", "3°")
        ],
        *[
            (each, True)
            for each in ("pain,", "(pain", "pain)", "疼痛。", "、疼痛", "（疼痛", "疼痛）", "“疼痛", "Dr.", "pain;")
        ],
    ],
)
def test_punctuation_that_belongs_to_a_mention_is_left_alone(words: str, is_found: bool) -> None:
    assert [kind for kind, _ in edges(words, [Span(0, len(words), "X")])] == ["edge_punctuation"] * is_found


@given(st.lists(st.tuples(st.integers(0, 12), st.integers(1, 6), st.sampled_from("AB")), max_size=8))
def test_arrangements_are_those_of_every_two_spans(drawn: list[tuple[int, int, str]]) -> None:
    spans = in_order(Span(start, start + length, label) for start, length, label in drawn)
    expected = []
    for at, span in enumerate(spans):
        before = spans[:at]
        borders = [other for other in before if (other.start, other.end) == (span.start, span.end)]
        if borders:
            expected.append("duplicate_span" if span.label in {other.label for other in borders} else "relabelled_span")
        elif any(other.end >= span.end for other in before):
            expected.append("nested_span")
        if any(other.start < span.start < other.end < span.end for other in before):
            expected.append("crossing_span")
    assert [kind for kind, _ in arrangement(spans)] == expected


# words


def test_words_with_several_labels_come_with_their_counts_and_a_place_of_each(checks: Checks) -> None:
    rows = [row(f"n{at}", f"{EN} {at}{'甲乙丙丁戊'[at]}", ("Fever", "SYMPTOM" if at else "DISEASE")) for at in range(5)]
    rows += [row(f"z{at}", f"{at}{ZH}{'甲乙丙'[at]}", ("发热", "SYMPTOM" if at else "DISEASE")) for at in range(3)]
    found = checks(rows, examples=1)
    [use] = found.differing
    assert dict(use.labels) == {"SYMPTOM": 4, "DISEASE": 1}
    assert use.places == (Place("n1", 0, 5, "SYMPTOM"), Place("n0", 0, 5, "DISEASE"))
    assert use.text is None
    assert found.n("differing_labels") == 2
    assert checks(rows, show_text=True).differing[1].text == "发热"


@pytest.mark.parametrize("words", ["chest pain", "胸痛"])
def test_an_unlabelled_place_is_one_that_no_span_touches(checks: Checks, words: str) -> None:
    text = f"{words}; {words.upper()}; severe {words}."
    found = checks([row("a", text, (0, len(words), "S"), (text.index("severe"), len(text) - 1, "S"))])
    [use] = found.partly
    start = text.index(words.upper(), 1)
    assert (use.n_labelled, use.n_unlabelled) == (1, 1)
    assert use.places[-1] == Place("a", start, start + len(words))


def test_words_most_often_in_doubt_come_first(checks: Checks) -> None:
    labels = {"Fever": "AAAAAAAB", "发热": "AABB", "pain": "CCC"}
    rows = [
        row(f"{words}{at}", f"{words} {label}{at}", (words, label))
        for words in labels
        for at, label in enumerate(labels[words])
    ]
    assert [dict(use.labels) for use in checks(rows).differing] == [{"A": 2, "B": 2}, {"A": 7, "B": 1}]


# parts


def test_ids_and_patients_in_two_parts_are_found_and_patients_are_not_named(checks: Checks) -> None:
    train = [row("a", EN, patient_id="SECRET"), row("a", ZH), row("b", "第三份。", patient_id="p2")]
    dev = [row("b", "Yet another note. 又一份。", patient_id="SECRET"), row("c", "另一份。", patient_id="SECRET")]
    found = checks(train, dev=dev)
    assert only(found) == {
        ("duplicate_id", "train"): 1,
        ("duplicate_id", "dev/train"): 1,
        ("shared_patient", "dev/train"): 1,
    }
    [shared] = [each for each in found.findings if each.kind == "shared_patient"]
    assert (shared.of, shared.places) == (1, (Place("b", other="a"),))
    assert "SECRET" not in json.dumps(found.to_dict()) + repr(found)


@pytest.mark.parametrize(
    "text",
    [
        f"{EN} Discharged home the next morning in good condition.",
        f"{ZH}次日体温正常，疼痛明显好转，予办理出院，嘱继续口服药物，一周后门诊随诊。",
    ],
)
def test_the_same_and_nearly_the_same_notes_are_found_within_and_across_parts(checks: Checks, text: str) -> None:
    train = [row("a", text), row("b", f" {text.upper()}\n"), row("c", "Quite another note. 另一份记录。")]
    dev = [row("d", text.replace("3", "4")), row("e", "Nothing of the kind. 毫不相干。")]
    test = [row("f", text.replace("3", "4")), row("g", text)]
    found = checks(train, dev=dev, test=test)
    assert only(found) == {
        ("same_text", "train"): 1,
        ("same_text", "test/train"): 1,
        ("same_text", "test/dev"): 1,
        ("near_duplicate", "dev/train"): 1,
        ("near_duplicate", "test/train"): 1,
        ("near_duplicate", "test/dev"): 1,
        ("near_duplicate", "test"): 1,
    }
    assert found.pairs[0].similarity == 1.0
    assert {(pair.note_id, pair.other_id) for pair in found.pairs if pair.part == "dev"} == {("d", "a")}


@pytest.mark.parametrize(("text", "words"), [(EN, "Fever"), (ZH, "发热")])
def test_the_same_text_with_another_annotation_is_told_apart(checks: Checks, text: str, words: str) -> None:
    train = [row("a", text, (words, "S"), codes=["A", "B"]), row("b", f" {text}", (words, "S"), codes=["B", "A"])]
    dev = [row("c", text, (words, "T"), codes=["A", "B"]), row("d", text, (words, "S"), codes=["A"])]
    found = checks(train, dev=dev)
    assert (found.n("same_text", "train"), found.n("same_text_differs", "train")) == (1, 0)
    assert (found.n("same_text", "dev/train"), found.n("same_text_differs", "dev/train")) == (2, 2)
    assert found.n("same_text_differs", "dev") == 1


def test_labels_and_codes_of_other_parts_are_held_against_train(checks: Checks) -> None:
    train = [
        row("a", EN, ("Fever", "SYMPTOM"), ("aspirin", "DRUG"), codes=["R50.9"]),
        row("b", "另记。", codes=["I10.0"]),
    ]
    dev = [row("c", ZH, ("阿司匹林", "DRUG"), ("3天", "TIME"), codes=["R50.1", "E11.9"]), row("d", "Nothing.")]
    found = checks(train, dev=dev)
    assert only(found) == {
        ("no_codes", "dev"): 1,
        ("unseen_label", "dev/train"): 1,
        ("untested_label", "dev/train"): 1,
        ("unseen_code", "dev/train"): 2,
    }
    assert checks(train, dev=dev, code_length=3).n("unseen_code") == 1
    assert dict(found.parts["train"].codes) == {"R50.9": 1, "I10.0": 1}


# counts and options


def test_parts_hold_counts_lengths_and_labels(checks: Checks) -> None:
    part = checks([*CLEAN, row("c", "x" * 40)]).parts["train"]
    assert (part.n_notes, part.n_spans, part.n_without_spans) == (3, 6, 1)
    assert {label: (use.n_spans, use.n_notes) for label, use in part.labels.items()} == {
        "SYMPTOM": (4, 2),
        "DRUG": (2, 2),
    }
    assert part.characters == Lengths.of([len(EN), len(ZH), 40])
    assert part.characters.histogram == ((0, 16, 0), (16, 32, 1), (32, 64, 2))
    assert (part.characters.median, part.characters.most) == (40, 54)


def test_phi_is_checked_by_option(checks: Checks) -> None:
    rows = [{"note_id": "a", "text": "Dr. Doe 王医生", "phi": [[4, 8, "NAME"]], "entities": [[0, 4, "X"]]}]
    found = checks(rows, spans="phi")
    assert dict(found.parts["train"].labels).keys() == {"NAME"}
    assert only(found) == {("edge_space", "train"): 1}
    assert found.parts["train"].n_other_spans == 1


def test_the_pieces_of_an_encoder_count_and_its_unknown_ones_are_found(checks: Checks, tmp_path: Path) -> None:
    pieces = {piece: at for at, piece in enumerate(("[PAD]", "[UNK]", "[CLS]", "[SEP]", "asp", "##irin", "痛"))}
    model = {
        "type": "WordPiece",
        "unk_token": "[UNK]",
        "continuing_subword_prefix": "##",
        "max_input_chars_per_word": 99,
    }
    held = {"version": "1.0", "added_tokens": [], "model": model | {"vocab": pieces}}
    (tmp_path / "tokenizer.json").write_text(json.dumps(held), "utf-8")
    (tmp_path / "config.json").write_text(json.dumps({"max_position_embeddings": 6}), "utf-8")
    rows = [row("a", "aspirin 痛 疖", (0, 3, "X"), (8, 9, "X"), (10, 11, "X"))]
    found = checks(rows, encoder=str(tmp_path))
    assert only(found) == {("unknown_piece", "train"): 1}
    part = found.parts["train"]
    assert (part.pieces.total, part.n_unknown_pieces, part.n_windowed) == (4, 1, 1)
    assert only(checks(rows)) == {("cut_piece", "train"): 1}


def test_places_are_as_many_as_asked_for_and_counts_are_whole(checks: Checks) -> None:
    rows = [row(f"n{at}", f"{at} {EN[at:]} {ZH[at:]}", ("aspirin.", "DRUG")) for at in range(9)]
    [finding, *_] = [each for each in checks(rows, examples=2).findings if each.kind == "edge_punctuation"]
    assert (finding.n, finding.of, len(finding.places), finding.share) == (9, 9, 2, 1.0)


def test_kinds_left_out_are_gone(checks: Checks) -> None:
    found = checks([CASES["nested"][0]])
    assert {each.kind for each in found.without(["lost_to_overlap"]).findings} == {"nested_span"}


def test_every_kind_says_what_it_means() -> None:
    assert all(kind.says and kind.unit for kind in KINDS.values())


def test_a_file_that_changes_between_two_reads_is_an_error(checks: Checks, tmp_path: Path, monkeypatch: Any) -> None:
    from clinlp.data.checks.alike import Alike

    prepare = Alike.prepare

    def change(self: Alike) -> None:
        prepare(self)
        (tmp_path / "train.jsonl").write_text(json.dumps(row("other", EN)), "utf-8")

    monkeypatch.setattr(Alike, "prepare", change)
    with pytest.raises(DataError, match="the same notes needed each time it is read"):
        checks([CLEAN[0]])


@pytest.mark.parametrize("encoder", ["/no/such/folder", "a/b/c"])
def test_an_encoder_that_is_not_there_is_named(checks: Checks, encoder: str) -> None:
    with pytest.raises(UsageError, match=f"{encoder}: `lstm`, `cnn`, a folder with an encoder or a hub id needed"):
        checks([CLEAN[0]], encoder=encoder)
