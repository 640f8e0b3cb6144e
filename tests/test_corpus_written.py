"""Notes written by hand: marks are spans, and variations keep a text's sentences while its identifiers change."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from clinlp.note import Note  # noqa: E402
from corpora.queries import joined  # noqa: E402
from corpora.written import FOLDER, parse_marks, pieces_of, varied, written_notes  # noqa: E402

MARK = re.compile(r"\[\[[A-Z_]+:(.*?)\]\]", re.DOTALL)


@pytest.fixture(scope="module", params=["en", "zh"])
def lang(request):
    return request.param


@pytest.mark.parametrize("part", ["train", "dev"])
def test_texts_are_those_of_the_files_without_their_marks(lang, part):
    notes = written_notes(lang, part)
    files = "".join(path.read_text("utf-8") for path in sorted((FOLDER / lang).glob(f"{part}*.txt")))
    assert len(notes) > 100
    assert len({note.note_id for note in notes}) == len({note.text for note in notes}) == len(notes)
    assert sum(len(note.phi) for note in notes) == len(MARK.findall(files))
    for note in notes:
        assert "[[" not in note.text
        assert "]]" not in note.text
        assert all(note.text[span.start : span.end].strip() for span in note.phi)


def test_train_and_dev_share_no_text(lang):
    train, dev = ({note.text for note in written_notes(lang, part)} for part in ("train", "dev"))
    assert not train & dev


@pytest.mark.parametrize("marked", ["[[NOBODY:Ann]]", "[[NAME:Ann]", "NAME:Ann]]"])
def test_a_wrong_mark_is_an_error(marked):
    with pytest.raises(ValueError, match="mark"):
        parse_marks(marked)


def test_the_first_are_as_written_and_the_same_seed_gives_the_same(lang):
    notes = written_notes(lang, "dev")[:30]
    once = list(varied(notes, 2, 5))
    assert once[: len(notes)] == notes
    assert len(once) == 3 * len(notes)
    assert once == list(varied(notes, 2, 5))
    assert [note.text for note in once] != [note.text for note in varied(notes, 2, 6)]


def test_a_variation_says_other_names_in_the_same_sentences(lang):
    notes = written_notes(lang, "dev")
    n_names = n_changed = n_same = n_kept = 0
    for note, other in zip(notes, list(varied(notes, 1, 3))[len(notes) :], strict=True):
        before, after = pieces_of(note), pieces_of(other)
        assert other.note_id == f"{note.note_id}-1"
        assert [piece.label for piece in before] == [piece.label for piece in after]
        n_kept += [p.text for p in before if not p.label] == [p.text for p in after if not p.label]
        n_same += 1
        for old, new in zip(before, after, strict=True):
            if old.label == "NAME":
                n_names += 1
                n_changed += old.text.casefold() != new.text.casefold()
    assert n_changed > 0.7 * n_names
    assert n_kept > 0.6 * n_same  # the others were typed or scanned badly on the way


def test_one_name_becomes_one_name_in_the_whole_note():
    text, phi = joined(parse_marks("[[NAME:Ada Lindqvist]] came; Ms. [[NAME:Lindqvist]] slept. [[NAME:LINDQVIST, A.]]"))
    others = list(varied([Note("n", text, lang="en", phi=tuple(phi))], 20, 1))[1:]
    n_agreed = 0
    for other in others:
        full, last, signed = (other.text[span.start : span.end].casefold() for span in other.phi)
        n_agreed += full.split()[-1] == last == signed.split(",")[0]
    assert n_agreed >= 15  # the others were typed or scanned badly on the way
