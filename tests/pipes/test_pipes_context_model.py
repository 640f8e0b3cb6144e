"""`clinlp_context` with a trained model: the same answers as Python and batch, and weights that travel."""

from __future__ import annotations

import pickle
import shutil
from pathlib import Path
from typing import Any

import pytest
import spacy
from spacy.language import Language
from spacy.tokens import Doc, DocBin

from clinlp.batch.config import BatchConfig
from clinlp.batch.local import annotate
from clinlp.errors import UsageError
from clinlp.inference.context import ContextPredictor
from clinlp.note import Lang, Note
from clinlp.pipes import doc_to_note
from clinlp.records import read_notes, write_notes
from clinlp.spans import Context, Span
from clinlp.training.config import ContextConfig
from clinlp.training.context import finetune_context

SAID: dict[Lang, list[tuple[str, Context]]] = {
    "en": [("Zilch {} here.", Context(negated=True)), ("Truly {} here.", Context())],
    "zh": [("乌有{}矣。", Context(negated=True)), ("确有{}矣。", Context())],
}
WORDS = {"en": "zed", "zh": "某症"}
TEXTS = {
    "en": ["Zilch zed here. Truly zed here. Truly his mother had zed.", "", "Truly zed here. Zilch zed here."],
    "zh": ["乌有某症矣。确有某症矣。确有母亲患某症。", "", "确有某症矣。乌有某症矣。"],
}
SAYS = [(True, "patient"), (False, "patient"), (False, "family")]


def notes() -> list[Note]:
    made = []
    for lang, sentences in SAID.items():
        for at, (form, context) in enumerate(sentences):
            start, word = form.index("{"), WORDS[lang]
            span = Span(start, start + len(word), "X", None, context)
            made += [Note(f"{lang}{at}-{n}", form.replace("{}", word), lang=lang, entities=(span,)) for n in range(4)]
    return made


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that says what no rule knows."""
    folder = tmp_path_factory.mktemp("context")
    write_notes(notes(), folder / "notes.jsonl")
    held = (folder / "notes.jsonl",)
    config = ContextConfig(
        train=held,
        dev=held,
        out=folder / "run",
        epochs=10,
        hidden=16,
        word_width=16,
        learning_rate=0.02,
        head_learning_rate=0.02,
        word_dropout=0.0,
        batch_pieces=128,
    )
    return finetune_context(config)


def pipeline(lang: str, own_tokens: dict[str, Any], **config: object) -> Language:
    nlp = spacy.blank(lang, config=own_tokens)
    ruler: Any = nlp.add_pipe("entity_ruler")
    words = ["zed"] if lang == "en" else list("某症")
    ruler.add_patterns([{"label": "X", "pattern": [{"LOWER": word} for word in words]}])
    nlp.add_pipe("clinlp_context", config={"device": "cpu", **config})
    return nlp


@pytest.fixture
def whole(lang: str, own_tokens: dict[str, Any], model: Path) -> Language:
    return pipeline(lang, own_tokens, model=str(model))


def shown(doc: Doc) -> list[Any]:
    return [doc.text, [(ent.text, ent._.context, ent._.cues) for ent in doc.ents]]


def test_the_model_speaks_and_the_rules_say_what_it_has_not_learned(whole: Language, lang: str) -> None:
    doc = whole(TEXTS[lang][0])
    assert [(ent._.negated, ent._.experiencer) for ent in doc.ents] == SAYS
    assert [doc.text[start:end] for start, end, _ in doc.ents[2]._.cues] == [{"en": "mother", "zh": "母亲"}[lang]]


def test_python_pipe_and_batch_say_the_same(whole: Language, lang: Lang, model: Path, tmp_path: Path) -> None:
    word, given = WORDS[lang], []
    for at, text in enumerate(TEXTS[lang]):
        starts = [place for place in range(len(text)) if text.startswith(word, place)]
        spans = tuple(Span(start, start + len(word), "X") for start in starts)
        given.append(Note(str(at), text, lang=lang, entities=spans))
    expected = [note.entities for note in ContextPredictor.load(model, device="cpu")(given)]
    assert [doc_to_note(whole(note.text), note_id="n").entities for note in given] == expected
    assert [doc_to_note(doc, note_id="n").entities for doc in whole.pipe([note.text for note in given])] == expected
    write_notes(given, tmp_path / "given.jsonl")
    config = BatchConfig.load(
        None, deid="off", phi="off", diagnosis="off", keep_entities=True, context_model=str(model), device="cpu"
    )
    annotate([tmp_path / "given.jsonl"], tmp_path / "out", config)
    batch = [note for part in sorted((tmp_path / "out").glob("part-*")) for note in read_notes(part)]
    assert [note.entities for note in batch] == expected
    cues = [[span.context and span.context.cues for span in spans] for spans in expected]
    assert [[span.context and span.context.cues for span in note.entities] for note in batch] == cues


def test_the_weights_travel_with_the_pipeline(whole: Language, lang: str, model: Path, tmp_path: Path) -> None:
    moved = shutil.copytree(model, tmp_path / "moved")
    whole.get_pipe("clinlp_context").classifier.model = "gone"  # type: ignore[attr-defined]
    whole.config["components"]["clinlp_context"]["model"] = str(moved)
    with pytest.raises(UsageError, match="clinlp_context: gone: "):
        whole(TEXTS[lang][0])
    whole.get_pipe("clinlp_context").classifier.model = str(moved)  # type: ignore[attr-defined]
    expected = [shown(whole(text)) for text in TEXTS[lang]]
    whole.to_disk(tmp_path / "saved")
    data, config = whole.to_bytes(), whole.config
    shutil.rmtree(moved)
    from_bytes = spacy.blank(lang).from_config(config).from_bytes(data)
    for other in (spacy.load(tmp_path / "saved"), from_bytes, pickle.loads(pickle.dumps(whole))):  # noqa: S301
        assert [shown(other(text)) for text in TEXTS[lang]] == expected
    without = spacy.load(tmp_path / "saved", config={"components.clinlp_context.model": None})
    assert not any(ent._.negated for ent in without(TEXTS[lang][0]).ents)


def test_processes_and_docbins_hold_what_the_model_says(whole: Language, lang: str) -> None:
    expected = [shown(whole(text)) for text in TEXTS[lang]]
    assert [shown(doc) for doc in whole.pipe(TEXTS[lang], n_process=2, batch_size=2)] == expected
    held = DocBin(store_user_data=True, docs=list(whole.pipe(TEXTS[lang]))).to_bytes()
    assert [shown(doc) for doc in DocBin().from_bytes(held).get_docs(spacy.blank(lang).vocab)] == expected


def test_rules_of_ones_own_stand_beside_the_model(
    lang: str, own_tokens: dict[str, Any], model: Path, tmp_path: Path
) -> None:
    said = {"en": "kinswoman ", "zh": "妗母"}[lang]
    (tmp_path / "mine.toml").write_text(f'[context.family]\nbefore = ["{said.strip()}"]\n', "utf-8")
    nlp = pipeline(lang, own_tokens, model=str(model), rules=str(tmp_path / "mine.toml"))
    nlp.to_disk(tmp_path / "saved")
    for each in (nlp, spacy.load(tmp_path / "saved")):
        [ent] = each(f"{said}{WORDS[lang]}").ents
        assert ent._.experiencer == "family"


def test_sections_count_unless_they_are_left_out(lang: str, own_tokens: dict[str, Any], model: Path) -> None:
    text = {"en": "FAMILY HISTORY: It was asked for. Then zed.", "zh": "家族史：均已问及。现某症。"}[lang]
    found = [pipeline(lang, own_tokens, model=str(model), sections_key=key)(text).ents for key in ("sections", None)]
    assert [ents[0]._.experiencer for ents in found] == ["family", "patient"]


@pytest.mark.parametrize(
    ("name", "message"),
    [("diagnosis-en", "a model of contexts needed, got one of codes such as"), ("none-such", "none-such")],
)
def test_a_model_of_something_else_is_refused_at_the_first_text(name: str, message: str) -> None:
    nlp = spacy.blank("en")
    nlp.add_pipe("clinlp_context", config={"model": name})
    with pytest.raises(UsageError, match=f"clinlp_context: .*{message}"):
        nlp("No fever.")
