"""Measure the reading of prose: `python scripts/bench/prose.py --data DATA [--peer medspacy=PYTHON ...]`.

`quality` scores context and sections on labelled sentences and notes; `speed` times tokens alone, and
sentences + a term matcher + context on the same notes with the same terms, for clinlp, for clinlp inside
spaCy, and for every peer (edsnlp, medspacy) by the Python that it is installed for; `worst` times inputs
made to be slow. Each timing is a process of its own, bound to one core, and the median of several.
Results replace those of the same name in `results/prose.json`.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable
from importlib.metadata import version
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results" / "prose.json"
PARTS = ("quality", "speed", "worst")
FIVE = ("pain", "fever", "nausea", "hypertension", "diabetes")
MANY = (
    *FIVE,
    *("vomiting", "chills", "cough", "headache", "dizziness", "weakness", "swelling", "edema", "bleeding", "infection"),
    *("discharge", "rash", "dyspnea", "tenderness", "shortness of breath", "chest pain", "fracture", "tumor", "mass"),
    *("lesion", "stenosis", "asthma", "cancer", "depression", "anxiety", "pneumonia", "stroke", "seizure", "ulcer"),
    *("anemia", "obesity", "arthritis", "hernia", "allergies", "diarrhea", "constipation", "murmur", "distress"),
    *("surgery", "injury", "disease", "syndrome", "erythema", "numbness", "fatigue", "smoking", "alcohol", "abscess"),
)
TERMS = {"five terms": FIVE, "sixty terms": MANY}
# What a heading of the TCM records is called among the canonical names.
TCM = {
    **dict.fromkeys(("性别", "职业", "年龄", "婚姻", "病史陈述者", "发病节气"), "demographics"),
    "主诉": "chief_complaint",
    "症状": "history_of_present_illness",
    "病史": "history_of_present_illness",
    "中医望闻切诊": "physical_exam",
    "体格检查": "physical_exam",
    "辅助检查": "labs",
}
FLAGS = ("negated", "uncertain", "historical", "hypothetical")


def prf(counts: Counter[str]) -> dict[str, float]:
    """Precision, recall and F1 of what was counted as right, extra and missed."""
    right, extra, missed = counts["right"], counts["extra"], counts["missed"]
    return {
        "precision": right / max(1, right + extra),
        "recall": right / max(1, right + missed),
        "f1": 2 * right / max(1, 2 * right + extra + missed),
        "right": right,
        "extra": extra,
        "missed": missed,
    }


def count(gold: Iterable[Any], found: Iterable[Any], counts: Counter[str]) -> None:
    """Add what two sets share and do not."""
    gold, found = set(gold), set(found)
    counts["right"] += len(gold & found)
    counts["extra"] += len(found - gold)
    counts["missed"] += len(gold - found)


def score_context(path: Path, model: Path | None) -> dict[str, Any]:
    """F1 of each effect over labelled sentences, and the share of sentences with no flag wrong.

    Args:
        model: A model of `clinlp train context`; else the rules alone.
    """
    from clinlp.note import Note
    from clinlp.spans import Span
    from clinlp.text.context import add_context
    from clinlp.text.sections import find_sections

    records = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    notes = []
    for record in records:
        [entity] = record["entities"]
        span = Span(entity["start"], entity["end"], entity["label"])
        notes.append(Note(record["note_id"], record["text"], lang=record["lang"], entities=(span,)))
    if model is not None:
        from clinlp.inference.context import ContextPredictor

        found = [note.entities[0].context for note in ContextPredictor.load(model, device="cpu")(notes)]
    else:
        each = ((n.text, n.entities, n.lang or "en") for n in notes)
        found = [add_context(text, spans, lang, find_sections(text, lang))[0].context for text, spans, lang in each]
    counts = {name: Counter[str]() for name in (*FLAGS, "experiencer")}
    wrong = 0
    for record, context in zip(records, found, strict=True):
        gold = record["entities"][0]["context"]
        wrong += any(getattr(context, name) != value for name, value in gold.items())
        for name, value in gold.items():  # a flag that is not given may be either
            count({value} - {False, "patient"}, {getattr(context, name)} - {False, "patient"}, counts[name])
    n_sentences = len(records)
    scores = {name: prf(held) for name, held in counts.items() if held}
    return {"n_sentences": n_sentences, "all_right": n_sentences - wrong, "scores": scores}


def score_sections(path: Path) -> dict[str, Any]:
    """F1 of section spans with the same borders and name."""
    from clinlp.records import read_notes
    from clinlp.text.sections import find_sections

    counts, n_notes = Counter[str](), 0
    for note in read_notes(path):
        n_notes += 1
        gold = {(span.start, span.end, TCM[span.label]) for span in note.sections}
        count(gold, {(span.start, span.end, span.label) for span in find_sections(note.text, "zh")}, counts)
    return {"n_notes": n_notes, **prf(counts)}


def trained_on(model: Path) -> dict[str, Any]:
    """Name the files and the options of the run that left a model."""
    config = model.parent / "config.json"
    held = json.loads(config.read_text("utf-8")) if config.exists() else {}
    named = {key: held[key] for key in ("encoder", "epochs", "head_learning_rate", "seed") if key in held}
    return {"model": named | {"train": ["/".join(Path(path).parts[-2:]) for path in held.get("train", ())]}}


def quality(data: Path, model: Path | None) -> dict[str, Any]:
    sets = ("en/negex_rsannotations", "en/context_probe", "zh/context")
    scores: dict[str, Any] = {name: score_context(data / name / "dev.jsonl", None) for name in sets}
    if model is not None:
        trained = {name: score_context(data / name / "dev.jsonl", model) for name in sets}
        scores |= {f"{name}, trained": held | trained_on(model) for name, held in trained.items()}
    scores["zh/tcm_tbosd sections"] = score_sections(data / "zh/tcm_tbosd/dev.jsonl")
    return scores


# --- Timings: each in a process of its own, by the Python of the side that is timed --------------------


def prepare(side: str, terms: tuple[str, ...]) -> Callable[[str], tuple[int, int]]:
    """Give what reads one text and says how many sentences and entities there are."""
    if side == "clinlp":
        from clinlp.spans import Span
        from clinlp.text.context import add_context
        from clinlp.text.matcher import Matcher
        from clinlp.text.sentences import split_sentences

        matcher = Matcher((term, "TERM") for term in terms)

        def read(text: str) -> tuple[int, int]:
            sentences = split_sentences(text, "en")
            spans = [Span(*found) for found in matcher.find(text)]
            return len(sentences), len(add_context(text, spans, "en"))

        return read
    nlp = spacy_pipeline(side, terms)

    def read_doc(text: str) -> tuple[int, int]:
        doc = nlp(text)
        return sum(1 for _ in doc.sents), len(doc.ents)

    return read_doc


def spacy_pipeline(side: str, terms: tuple[str, ...]) -> Any:
    """Build the pipeline of sentences, terms and context that a side's own manual shows."""
    if side == "edsnlp":
        import edsnlp

        nlp = edsnlp.blank("eds")
        nlp.add_pipe("eds.sentences")
        nlp.add_pipe("eds.matcher", config={"terms": {term: [term] for term in terms}, "attr": "LOWER"})
        for name in ("eds.negation", "eds.hypothesis", "eds.history", "eds.family"):
            nlp.add_pipe(name)
        return nlp
    if side == "medspacy":
        import medspacy
        from loguru import logger
        from medspacy.target_matcher import TargetRule

        logger.remove()  # it tells of every note
        nlp = medspacy.load(enable=["medspacy_pyrush", "medspacy_target_matcher", "medspacy_context"])
        nlp.get_pipe("medspacy_target_matcher").add([TargetRule(term, "TERM") for term in terms])
        return nlp
    import spacy

    nlp = spacy.blank("en", config={"nlp": {"tokenizer": {"@tokenizers": "clinlp.Tokenizer.v1"}}})
    nlp.add_pipe("clinlp_sentences")
    nlp.add_pipe("entity_ruler", config={"phrase_matcher_attr": "LOWER"}).add_patterns(
        [{"label": "TERM", "pattern": term} for term in terms]
    )
    nlp.add_pipe("clinlp_context")
    return nlp


def tokenizer(side: str) -> Callable[[str], int]:
    """Give what cuts one text into tokens and says how many there are."""
    if side == "clinlp":
        from clinlp.text.tokens import tokenize

        return lambda text: len(tokenize(text))
    if side == "edsnlp":
        import edsnlp

        made = edsnlp.blank("eds").tokenizer
        return lambda text: len(made(text))
    import spacy

    cut = spacy.blank("en").tokenizer
    return lambda text: len(cut(text))


def texts_of(path: Path, limit: int) -> list[str]:
    lines = path.read_text("utf-8").splitlines()
    return [json.loads(line)["text"] for line in lines[:limit]]


def time_side(task: str, side: str, dump: Path, limit: int) -> dict[str, Any]:
    """Time one side on the notes of a dump; what is loaded once is loaded before the clock starts."""
    texts = texts_of(dump, limit)
    read: Callable[[str], Any] = tokenizer(side) if task == "tokens" else prepare(side, TERMS[task])
    for text in texts[:20]:
        read(text)
    began = time.process_time()
    found = [read(text) for text in texts]
    seconds = time.process_time() - began
    n_characters = sum(map(len, texts))
    result = {"n_notes": len(texts), "n_characters": n_characters, "seconds": seconds}
    result |= {"notes_per_s": len(texts) / seconds, "characters_per_s": n_characters / seconds}
    if task == "tokens":
        return result | {"n_tokens": sum(found)}
    return result | {"n_sentences": sum(one for one, _ in found), "n_entities": sum(other for _, other in found)}


WORST = {
    "no": "no ",
    "spaces": " ",
    "brackets": "(",
    "nested brackets": "([{",
    "wu": "无",
    "wu with commas": "无，",
    "commas": ",",
    "full-width commas": "，",
    "both commas": "，,",
    "enumeration commas": "、",
    "dashes": "-",
    "question marks": "?",
    "stops": "。",
    "full stops": ".",
    "quotes": "\"'",
    "curved quotes": "“”",
    "digits": "7",
    "1.1.1.1": "1.1.",
    "items": "1. a 2. b ",
    "mu": "母亲",
    "cue after cue, English": "no history of denies possible ",
    "cue after cue, Chinese": "无可能既往否认母亲",
    "denied and ruled out": "no fever ruled out ",
    "headings": "PLAN:\n",
    "headings, Chinese": "既往史：\n",
    "headings in brackets": "【】",
    "colons": "no:\n",
    "lists": "denies:\n- ",
    "newlines": "\n",
    "newlines of Windows": "\r\n",
    "words": "fever ",
    "characters": "发热",
    "combining marks": "e\u0301",
}
ENTITIES = {"an entity every 200 characters": 200, "one every 20": 20, "one a character": 1}


def time_worst(unit: str, lang: str, every: int) -> dict[str, float]:
    """Time every part over a million characters of one unit, context with an entity every so many characters."""
    from clinlp.spans import Span
    from clinlp.text.context import add_context
    from clinlp.text.sections import find_sections
    from clinlp.text.sentences import split_sentences
    from clinlp.text.tokens import tokenize

    text = unit * (1_000_000 // len(unit))
    spans = [Span(at, at + min(3, every), "X") for at in range(0, len(text) - 3, every)]
    add_context("no fever", [Span(3, 8, "X")], lang, find_sections("PLAN: x", lang))  # rules are read at the first call
    tokenize("x")
    sections = find_sections(text, lang)
    parts: dict[str, Callable[[], object]] = {
        "tokens": lambda: tokenize(text),
        "sentences": lambda: split_sentences(text, lang),
        "sections": lambda: find_sections(text, lang),
        "context": lambda: add_context(text, spans, lang, sections),
    }
    seconds = {}
    for name, run in parts.items():
        began = time.process_time()
        run()
        seconds[name] = time.process_time() - began
    return seconds | {"whole": sum(seconds.values())}


def alone(python: str, arguments: list[str]) -> dict[str, Any]:
    """Run this script in a new process, on one core, and read what it found."""
    core = str(min(os.sched_getaffinity(0)))
    threads = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    if python != sys.executable:
        threads["PYTHONPATH"] = ""
    done = subprocess.run(  # noqa: S603  this script itself
        [python, __file__, *arguments, "--core", core],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        check=True,
        env=os.environ | threads,
    )
    return dict(json.loads(done.stdout.splitlines()[-1]))


def speed(data: Path, peers: dict[str, str], runs: int) -> dict[str, Any]:
    """The median of the runs of each side and task, and how many times faster than each peer clinlp is."""
    dump = data / "en/mtsamples/notes.jsonl"
    tasks: dict[str, dict[str, Any]] = {}
    for task in ("tokens", *TERMS):
        sides = {"clinlp": sys.executable, "spacy with clinlp": sys.executable, **peers}
        if task == "tokens":
            sides = {"clinlp": sys.executable, "spacy": sys.executable} | {
                k: v for k, v in peers.items() if k == "edsnlp"
            }
        for side, python in sides.items():
            limit = 50 if side == "medspacy" else 500  # what a minute allows; medspaCy takes long
            arguments = [str(dump), "--task", task, "--side", side, "--limit", str(limit)]
            held = [alone(python, arguments) for _ in range(runs)]
            each = sorted(held, key=lambda run: run["seconds"])[len(held) // 2]
            tasks.setdefault(task, {})[side] = each | {"all_seconds": [run["seconds"] for run in held]}
            print(
                f"{task:<12} {side:<18} {each['notes_per_s']:>9,.1f} notes/s {each['characters_per_s']:>12,.0f} chars/s"
            )
        ours = tasks[task]["clinlp"]["characters_per_s"]
        tasks[task]["times"] = {
            side: ours / held["characters_per_s"] for side, held in tasks[task].items() if side != "clinlp"
        }
    return tasks


def worst() -> dict[str, Any]:
    """Seconds for a million characters of each unit, in each language; the last ones have many entities."""
    cases = [(name, unit, lang, 200) for name, unit in WORST.items() for lang in ("en", "zh")]
    cases += [(said, "no fever. 无痛，", lang, every) for said, every in ENTITIES.items() for lang in ("en", "zh")]
    held = {}
    for name, unit, lang, every in cases:
        held[f"{name}, {lang}"] = alone(sys.executable, ["--unit", unit, "--side", lang, "--limit", str(every)])
    for name, parts in sorted(held.items(), key=lambda pair: -pair[1]["whole"])[:8]:
        print(f"{name:<40} " + ", ".join(f"{part} {seconds:.2f} s" for part, seconds in parts.items()))
    return held


def machine() -> dict[str, Any]:
    """What the numbers were taken on; no name of it."""
    names = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    cpu = names[0].partition(":")[2].strip() if names else platform.machine()
    held = {"cpu": cpu, "cores": os.cpu_count(), "cores_used": 1, "python": platform.python_version()}
    return held | {"clinlp": version("clinlp-emr"), "date": time.strftime("%Y-%m-%d")}


def show_quality(scores: dict[str, Any]) -> None:
    for name, held in scores.items():
        if "scores" in held:
            f1 = ", ".join(f"{effect} {each['f1']:.3f}" for effect, each in held["scores"].items())
            print(f"{name}: {held['all_right']} of {held['n_sentences']} all right; F1 {f1}")
        else:
            print(f"{name}: F1 {held['f1']:.3f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dump", type=Path, nargs="?", help=argparse.SUPPRESS)
    parser.add_argument("--data", type=Path, help="folder of the corpora, with en/ and zh/")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--peer", action="append", default=[], metavar="NAME=PYTHON", help="edsnlp or medspacy")
    parser.add_argument("--context-model", type=Path, help="a model of clinlp train context, scored beside the rules")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--out", type=Path, default=RESULTS)
    for hidden in ("--core", "--task", "--side", "--limit", "--unit"):
        parser.add_argument(hidden, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.core is not None:  # a process of one timing
        os.sched_setaffinity(0, {int(given.core)})
        if given.unit is not None:
            print(json.dumps(time_worst(given.unit, given.side, int(given.limit))))
        else:
            print(json.dumps(time_side(given.task, given.side, given.dump, int(given.limit))))
        return
    held = json.loads(given.out.read_text("utf-8")) if given.out.exists() else {}
    if "quality" in given.parts:
        held["quality"] = quality(given.data, given.context_model)
        show_quality(held["quality"])
    if "speed" in given.parts:
        peers = dict(peer.split("=", 1) for peer in given.peer)
        held["speed"] = {"machine": machine(), "tasks": speed(given.data, peers, given.runs)}
    if "worst" in given.parts:
        held["worst"] = {"machine": machine(), "seconds": worst()}
    given.out.parent.mkdir(parents=True, exist_ok=True)
    given.out.write_text(json.dumps(held, indent=1, ensure_ascii=False) + "\n", "utf-8")


if __name__ == "__main__":
    main()
