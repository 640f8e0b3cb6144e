"""Score the bundled models and write their cards: `python scripts/bench/bundled.py --data DIR`.

Every model is scored on the synthetic test set of `corpora/` and on parts of public corpora that it was not
trained on. Labels of a corpus are renamed to the package's; a predicted label that the corpus does not
annotate is left out. Results go to `scripts/bench/results/bundled.json`, cards beside the weights.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))

from clinlp.deid import find_phi
from clinlp.inference.diagnosis import DiagnosisPredictor
from clinlp.inference.entities import EntityPredictor
from clinlp.inference.phi import PhiTagger
from clinlp.metrics.diagnosis import score_diagnoses
from clinlp.metrics.entities import score_entities
from clinlp.metrics.leakage import score_leakage
from clinlp.models.store import BUNDLED, find_model, list_bundled, read_config
from clinlp.models.tagger import TaggerConfig
from clinlp.note import Diagnosis, Note
from clinlp.records import read_notes
from corpora.mixes import under_our_labels
from scripts.bench.deid import gold_notes as phi_gold

ROOT = Path(__file__).resolve().parent.parent.parent
YIDU = {"IMAGING": "TEST", "LAB": "TEST"}
CHATS = {"小儿支气管炎": "J20", "小儿腹泻": "A09", "上呼吸道感染": "J06", "小儿消化不良": "K30"}  # ICD-10 categories
SETS: dict[str, list[tuple[str, dict[str, str]]]] = {  # model: corpus part, labels renamed
    "entities-en": [
        ("en/maccrobat2020/dev", {}),
        ("en/ncbi_disease/test", {}),
        ("en/bc5cdr/test", {"CHEMICAL": "DRUG"}),
    ],
    "entities-zh": [("zh/yidu_s4k/dev", YIDU)],
    "phi-en": [("en/presidio_synth/dev", {}), ("en/contextual_anonymizer/dev", {})],
    "phi-zh": [("zh/deid_multipriv/dev", {}), ("zh/deid_tcm/dev", {})],
    "diagnosis-en": [("en/codiesp_en/dev", {})],
    "diagnosis-zh": [("zh/dialogues/train", CHATS)],
}
CARD = """# {name}

{kind} for {language} notes: {encoder}. {size:.1f} MB, float16 safetensors; reads notes of any length.

- Predicts: {labels}
- Trained on: {data}
- Epoch chosen on: {chosen}
- Command: `python scripts/train_bundled.py {name} --data DIR --vectors {lang}.vec.gz`
- Word vectors to start from: read out of {vectors} by
  `python scripts/make_vectors.py ENCODER NOTES... -o {lang}.vec.gz`; NOTES: {words}
- Licence of the weights: Apache-2.0.

| scored on | notes | {heads} |
|---|---|{rules}|
{rows}

Figures come from `python scripts/bench/bundled.py --data DIR`. {caution}
"""
DATA = {
    "entities-en": "synthetic notes of this project (`corpora/`), and the train parts of maccrobat2020, ncbi_disease "
    "(DISEASE alone) and bc5cdr (DRUG alone) (CC BY 4.0)",
    "diagnosis-en": "synthetic notes of this project (`corpora/`) and codiesp_en train (CC BY 4.0)",
    "phi-en": "notes of this project, synthetic and by hand (`corpora/`); as negatives, with what the rules find "
    "in them as PHI, maccrobat2020, mts_dialog and ncbi_disease train (CC BY 4.0), an eighth of mtsamples (CC0) and of "
    "e3c_raw (CC BY)",
    "phi-zh": "notes of this project, synthetic and by hand (`corpora/`); as negatives the words of THUOCL (MIT)",
}
CHOSEN = {
    "entities-en": "held-out synthetic notes and maccrobat2020 dev, whose score below is a little high for that",
    "phi-en": "held-out synthetic notes and `corpora/written/en/dev*`; thresholds by `scripts/phi_thresholds.py` on "
    "mtsamples and e3c_raw, `--least 0.2`",
    "phi-zh": "held-out synthetic notes and `corpora/written/zh/dev*`; thresholds by `scripts/phi_thresholds.py` on "
    "`corpora/zh/dev.jsonl`",
    "diagnosis-en": "held-out synthetic notes and codiesp_en dev, whose score below is a little high for that",
}
WORDS = {
    "en": "synthetic notes, maccrobat2020, ncbi_disease, bc5cdr and codiesp_en train, mtsamples, e3c_raw",
    "zh": "12,000 synthetic notes (`make_corpus.py --lang zh --notes 12000 --seed 7`), and `--words` the medical word "
    "list of THUOCL (MIT)",
}
ENCODERS = {
    "entities": "BiLSTM-CRF over words with character features",
    "phi": "BiLSTM with a linear head over words with character features",
    "diagnosis": "BiLSTM with label-wise attention, which points at its evidence",
}
CAUTION = {
    "entities": "Public corpora annotate by conventions of their own, and none of their sentences was seen in "
    "training unless the card names their train part; expect figures like theirs on your notes, and fine-tune.",
    "phi": "Ages under 90 stay by policy and count neither way. The tagger stands beside the rules, never alone: "
    "`scripts/bench/deid.py` measures both together. No text of the public sets above was seen in training.",
    "diagnosis": "Codes are ICD-10 categories. A demonstration of the pipeline on synthetic and published cases: "
    "not for billing, and not for care.",
}


def score_tagger(name: str, gold: list[Note]) -> dict[str, Any]:
    """Score a tagger on the labels that the gold notes have."""
    known = {span.label for note in gold for span in note.entities}
    found = EntityPredictor.load(name)(gold)
    found = [replace(n, entities=tuple(s for s in n.entities if s.label in known)) for n in found]
    strict, overlap = (score_entities(gold, found, match) for match in ("strict", "overlap"))
    row = {"strict P": strict.micro.precision, "strict R": strict.micro.recall, "strict F1": strict.micro.f1}
    return {"row": row | {"overlap F1": overlap.micro.f1}, "strict": strict.to_dict(), "overlap": overlap.to_dict()}


def score_phi(name: str, gold: list[Note]) -> dict[str, Any]:
    """Score a PHI tagger without the rules, at the default threshold, label-blind."""
    bare = [Note(note.note_id, note.text, lang=note.lang) for note in gold]
    scores = score_leakage(gold, find_phi(bare, [PhiTagger.load(name)]))
    row = {"characters": scores.overall.character_recall, "spans": scores.overall.span_recall}
    return {"row": row | {"clean notes": scores.clean_share, "other removed": scores.over_redaction}}


def score_diagnoser(name: str, gold: list[Note]) -> dict[str, Any]:
    """Score a diagnoser on the codes that it knows; a corpus of few codes ranks only these."""
    config = read_config(name)
    codes = {code[:3] for note in gold for code in (d.code for d in note.diagnoses or ())}
    gold = [
        replace(n, diagnoses=tuple(map(Diagnosis, dict.fromkeys(d.code[:3] for d in n.diagnoses or ())))) for n in gold
    ]
    found = DiagnosisPredictor.load(name, top=len(config.codes))(gold)
    if len(codes) < 10:
        found = [replace(n, diagnoses=tuple(d for d in n.diagnoses or () if d.code in codes)) for n in found]
    scores = score_diagnoses(gold, found)
    row = {"MAP": scores.map, "P@5": scores.precision_at[5], "top 1": scores.top1, "micro F1": scores.micro.f1}
    numbers = {key: value for key, value in scores.to_dict().items() if key != "codes"}  # hundreds of rows
    return {"row": row | {"macro F1": scores.macro_f1}, **numbers}


def gold_notes(name: str, part: str, renamed: dict[str, str], data: Path) -> list[Note]:
    """Read one set as the model's task sees it."""
    file = data / f"{part}.jsonl" if part[:2] != "co" else ROOT / f"{part}.jsonl"
    if name.startswith("phi"):
        return phi_gold(file)
    notes = list(read_notes(file))
    if name.startswith("entities"):
        return [under_our_labels(note, renamed) for note in notes]
    if renamed:  # chats: the patient's turns only, since the doctor often names the diagnosis
        notes = [replace(n, text=n.fields["patient_text"], phi=(), entities=(), sections=()) for n in notes]
    return [
        replace(n, diagnoses=tuple(Diagnosis(renamed.get(d.code, d.code)) for d in n.diagnoses or ())) for n in notes
    ]


def card(name: str, results: list[dict[str, Any]]) -> str:
    """Write a model's card from its config and scores."""
    config, folder = read_config(name), find_model(name)
    task, lang = name.rsplit("-", 1)
    names = config.labels if isinstance(config, TaggerConfig) else config.codes
    heads = list(results[0]["row"])
    rows = "\n".join(
        f"| {r['set']} | {r['n_notes']:,} | " + " | ".join(f"{100 * r['row'][head]:.1f}" for head in heads) + " |"
        for r in results
    )
    return CARD.format(
        name=name,
        kind={"entities": "Entity tagger", "phi": "PHI tagger", "diagnosis": "Diagnoser"}[task],
        language={"en": "English", "zh": "Chinese"}[lang],
        lang=lang,
        encoder=ENCODERS[task],
        size=sum(path.stat().st_size for path in folder.iterdir() if path.suffix != ".md") / 1e6,
        labels=", ".join(names) if task != "diagnosis" else f"{len(names)} ICD-10 categories, in `labels.json`",
        data=DATA.get(name, "synthetic notes of this project (`corpora/`) only"),
        chosen=CHOSEN.get(name, "held-out synthetic notes"),
        words=WORDS[lang],
        vectors={"en": "all-MiniLM-L6-v2 (Apache-2.0)", "zh": "multilingual-e5-small (MIT)"}[lang],
        heads=" | ".join(heads),
        rules="|".join("---" for _ in heads),
        rows=rows,
        caution=CAUTION[task],
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", help="default: all")
    parser.add_argument("--data", type=Path, required=True, help="folder with en/maccrobat2020, zh/yidu_s4k ...")
    options = parser.parse_args()
    torch.set_num_threads(2)
    file = Path(__file__).parent / "results" / "bundled.json"
    held: dict[str, Any] = json.loads(file.read_text("utf-8")) if file.is_file() else {}
    for name in options.models or list_bundled():
        score: Callable[[str, list[Note]], dict[str, Any]]
        score = {"entities": score_tagger, "phi": score_phi, "diagnosis": score_diagnoser}[name[:-3]]
        held[name] = []
        for part, renamed in [(f"corpora/{name[-2:]}/test", {}), *SETS[name]]:
            gold = gold_notes(name, part, renamed, options.data)
            held[name].append({"set": part, "n_notes": len(gold), **score(name, gold)})
            print(name, part, {key: round(value, 4) for key, value in held[name][-1]["row"].items()}, flush=True)
        (BUNDLED / name / "README.md").write_text(card(name, held[name]), "utf-8")
    file.write_text(json.dumps(held, indent=1, ensure_ascii=False) + "\n", "utf-8")


if __name__ == "__main__":
    main()
