"""Names of codes: from a table, or learned from what annotated notes mark; found in notes that state them."""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final

from clinlp.errors import UsageError
from clinlp.models.store import write_whole
from clinlp.note import Note
from clinlp.spans import Span
from clinlp.text.context import add_context
from clinlp.text.language import detect_language
from clinlp.text.matcher import Matcher
from clinlp.text.sections import find_sections

FILE: Final = "names.json"
_LEAST_SHARE: Final = 0.5  # of the training notes that state a phrase: so many must have the code it is to name
_LONGEST: Final = 100  # characters of a learned name
Names = Mapping[str, Iterable[int]]


class CodeNames:
    """Phrases, each with the places of the codes that it names."""

    def __init__(self, names: Names) -> None:
        self.names = {phrase: tuple(sorted(set(codes))) for phrase, codes in sorted(names.items())}
        self.n_codes = 1 + max((code for codes in self.names.values() for code in codes), default=-1)
        self._matcher = Matcher(self.names.items())

    def find(self, note: Note) -> dict[int, list[tuple[int, int]]]:
        """Give the codes that a note names, with where it does.

        What is denied, only possible in the future or under a condition, or of somebody else does not count.
        """
        text, found = note.text, self._matcher.find(note.text)
        if not found:
            return {}
        lang = note.lang or detect_language(text)
        spans = add_context(
            text,
            [Span(start, end, "NAME") for start, end, _ in found],
            lang,
            note.sections or find_sections(text, lang),
        )
        places: defaultdict[int, list[tuple[int, int]]] = defaultdict(list)
        for span, (_, _, codes) in zip(spans, found, strict=True):
            if _is_stated(span):
                for code in codes:
                    places[code].append((span.start, span.end))
        return dict(places)

    def save(self, folder: Path) -> None:
        """Write the names beside a model."""
        write_whole(folder / FILE, json.dumps(self.names, ensure_ascii=False))

    @classmethod
    def load(cls, folder: Path) -> CodeNames:
        """Read the names of a model folder.

        Raises:
            UsageError: They are not there, or broken.
        """
        try:
            held: dict[str, Any] = json.loads((folder / FILE).read_text("utf-8"))
            return cls({phrase: [int(code) for code in codes] for phrase, codes in held.items()})
        except FileNotFoundError:
            raise UsageError(f"{folder}: no {FILE}; is this a dictionary?") from None
        except (AttributeError, TypeError, ValueError) as error:
            raise UsageError(f"{folder}/{FILE}: names with codes needed, got {type(error).__name__}") from None


def table_names(table: Mapping[str, Iterable[str]], codes: Sequence[str]) -> dict[str, set[int]]:
    """Give the phrases of a table of names, in all their forms, with the places of the codes that they name."""
    names: defaultdict[str, set[int]] = defaultdict(set)
    for at, code in enumerate(codes):
        for name in table.get(code, ()):
            for form in forms(name):
                names[form].add(at)
    return dict(names)


def learn_names(notes: Iterable[Note], codes: Sequence[str], code_length: int | None = None) -> dict[str, set[int]]:
    """Take names from annotated notes: what is marked as evidence of a code, and entities that go with one.

    Evidence names its code where half of the notes that mark the phrase as evidence do so for that code. An
    entity that is stated names a code that half of its notes have, two at least; or, where the notes have one
    code in common only by being many, twice as often as notes at large.
    """
    places = {code: at for at, code in enumerate(codes)}
    marked: defaultdict[str, Counter[int]] = defaultdict(Counter)
    stated: defaultdict[str, Counter[int]] = defaultdict(Counter)
    n_marked, n_stated, n_notes = Counter[str](), Counter[str](), Counter[int]()
    n_all = 0
    for note in notes:
        n_all += 1
        given = {places[d.code[:code_length]] for d in note.diagnoses or () if d.code[:code_length] in places}
        n_notes.update(given)
        phrases = {phrase for span in _stated(note) if (phrase := _phrase(note.text, span))}
        n_stated.update(phrases)
        for phrase in phrases:
            stated[phrase].update(given)
        proofs = {
            (phrase, places[d.code[:code_length]])
            for d in note.diagnoses or ()
            if d.code[:code_length] in places
            for span in d.evidence
            if (phrase := _phrase(note.text, span))
        }
        n_marked.update({phrase for phrase, _ in proofs})
        for phrase, code in proofs:
            marked[phrase][code] += 1
    names: defaultdict[str, set[int]] = defaultdict(set)
    for phrase, counts in marked.items():
        names[phrase].update(code for code, n in counts.items() if n >= _LEAST_SHARE * n_marked[phrase])
    for phrase, counts in stated.items():
        for code, n in counts.items():
            share = n / n_stated[phrase]
            if n >= 2 and share >= _LEAST_SHARE and share * n_all >= 2 * n_notes[code]:
                names[phrase].add(code)
    return {phrase: held for phrase, held in names.items() if held}


def forms(name: str) -> list[str]:
    """Give the forms in which a name of a code system stands in notes, the longest first.

    >>> forms("Pneumonia, unspecified (organism)")
    ['Pneumonia, unspecified (organism)', 'Pneumonia, unspecified', 'Pneumonia']
    >>> forms("Malignant neoplasm of colon, unspecified site")[1:]
    ['Malignant neoplasm of colon', 'colon cancer', 'cancer of colon', 'colon carcinoma', 'carcinoma of colon']
    """
    name = " ".join(name.split())
    held = [name, bare := _brackets().sub("", name).strip()]
    while (plainer := _beginnings().sub("", _endings().sub("", bare)).strip(" ,，")) != bare and _says_much(plainer):
        held.append(bare := plainer)
    if match := _turned().fullmatch(bare):  # Anemia, iron deficiency
        held.append(f"{match[2]} {match[1]}")
    if match := _cancers().fullmatch(bare):
        held += [f"{match[1]} cancer", f"cancer of {match[1]}", f"{match[1]} carcinoma", f"carcinoma of {match[1]}"]
    elif bare.endswith("恶性肿瘤"):
        held.append(f"{bare.removesuffix('恶性肿瘤')}癌")
    return [form for form in dict.fromkeys(held) if any(map(str.isalnum, form))]


def _says_much(words: str) -> bool:
    """Whether words can be a name: two Han characters or three letters."""
    return sum(character >= "\u2e80" for character in words) >= 2 or sum(map(str.isalpha, words)) >= 3


def _stated(note: Note) -> Iterator[Span]:
    """Entities of the patient that are facts."""
    bare = [span for span in note.entities if span.context is None]
    if bare:
        lang = note.lang or detect_language(note.text)
        bare = list(add_context(note.text, bare, lang, note.sections or find_sections(note.text, lang)))
    yield from (span for span in (*bare, *(s for s in note.entities if s.context is not None)) if _is_stated(span))


def _is_stated(span: Span) -> bool:
    context = span.context
    return context is None or not (context.negated or context.hypothetical or context.experiencer != "patient")


def _phrase(text: str, span: Span) -> str:
    """The words of a span if they can be a name: two Han characters or three letters, and not too many."""
    words = " ".join(text[span.start : span.end].split()).lower()
    n_han = sum(character >= "\u2e80" for character in words)
    n_letters = sum(map(str.isalpha, words))
    return words if len(words) <= _LONGEST and (n_han >= 2 or n_letters >= 3) else ""


@cache
def _brackets() -> re.Pattern[str]:
    return re.compile(r"\s*(?:\([^()]*\)|（[^（）]*）|\[[^\[\]]*\]|【[^【】]*】)")


@cache
def _endings() -> re.Pattern[str]:
    return re.compile(
        r"(?:,?\s*(?:(?:and |or )?(?:(?:of|with|due to|in) )?unspecified"
        r"(?: (?:site|organism|part|type|cause|side|severity|degree|etiology|location|quadrant|nature|duration"
        r"|complications?|trimester|ear|eye|limb|foot|hand|leg|arm|(?:lower|upper) extremity|kidney|knee|hip|shoulder"
        r"|breast|lung|ovary)\b)*(?: and (?:site|organism|severity|type))?"
        r"|(?:initial|subsequent) encounter.*|not otherwise specified|not elsewhere classified|NOS|NEC"
        r"|without (?:mention of )?(?:complications?|[^,]*))|[，,]?(?:未特指的?|不可归类在他处者?|NOS))$",
        re.IGNORECASE,
    )


@cache
def _beginnings() -> re.Pattern[str]:
    return re.compile(
        r"^(?:(?:other and |other )?(?:unspecified|specified) |(?:其他和)?未特指的?|其他特指的?)", re.IGNORECASE
    )


@cache
def _turned() -> re.Pattern[str]:
    return re.compile(r"([A-Za-z][^,]*), ([^,]*[A-Za-z])")


@cache
def _cancers() -> re.Pattern[str]:
    return re.compile(r"malignant neoplasm of (?:the )?([^,]+)", re.IGNORECASE)
