"""Replaces PHI by realistic surrogates: keyed, so that a patient's notes agree whoever writes them and when."""

from __future__ import annotations

import hmac
import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Final

from clinlp.deid.categories import PhiLabel
from clinlp.deid.dates import are_day_first, cap_age, shift_dates, shift_of, tells_age
from clinlp.deid.surrogates.contacts import write_email, write_ip, write_phone, write_social, write_url
from clinlp.deid.surrogates.draw import Draw, plain
from clinlp.deid.surrogates.names import write_name
from clinlp.deid.surrogates.numbers import write_number
from clinlp.deid.surrogates.places import write_address, write_department, write_organisation
from clinlp.deid.surrogates.places_zh import write_address as write_address_zh
from clinlp.deid.surrogates.places_zh import write_department as write_department_zh
from clinlp.deid.surrogates.places_zh import write_hospital as write_hospital_zh
from clinlp.deid.surrogates.places_zh import write_org as write_org_zh
from clinlp.errors import UsageError
from clinlp.note import Lang, Note
from clinlp.spans import Span
from clinlp.text.language import detect_language

if TYPE_CHECKING:  # loads readings
    from clinlp.deid.known.names_zh import Given

LEAST_KEY_BYTES: Final = 16
_TRIES: Final = 32
_FEW: Final = 64  # values that are sooner looked for one by one than by all parts of a surrogate
_WEEKS: Final = 31 * 7  # weekdays stand still under this move, and no date does


@dataclass(frozen=True, slots=True)
class Surrogates:
    """Gives each PHI span of a note its surrogate.

    The surrogate depends on the key, the patient (`patient_id`, or else `note_id`), what kind of thing
    it is, and its words without case, layout and accents; on nothing that was seen before. One rule is
    stronger than agreement between notes: no surrogate is or holds a real value of its own note (of four
    characters or more, or two Chinese ones). Where the keyed choice does, the next one of the same
    keyed sequence is taken, in that note alone. Two values of a patient may share a surrogate by chance:
    one pair of surnames in some five hundred, full names and numbers hardly ever.

    Attributes:
        key: At least 16 secret bytes; whoever has them can tell which surrogate a name would get.
        keep_weekday: Move dates by whole weeks.
        max_days: The farthest that a patient's dates move.
        names: Columns of a note's record that hold names. Where one is in Chinese characters, the same name in Latin
            letters becomes what its characters' surrogate is read as; without, nobody can say that they are one.
    """

    key: bytes = field(repr=False)
    keep_weekday: bool = False
    max_days: int = 365
    names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if len(self.key) < LEAST_KEY_BYTES:
            raise UsageError(f"surrogates: key needs at least {LEAST_KEY_BYTES} bytes, got {len(self.key)}")
        least = 7 if self.keep_weekday else 1
        if self.max_days < least:
            raise UsageError(f"surrogates: max_days needs at least {least}, got {self.max_days}")

    def days(self, note: Note) -> int:
        """Give the days that the dates of the note's patient move by, never 0."""
        return self._draw(note).days

    def patient_id(self, note: Note) -> str:
        """Give an id that stands for the note's patient in a release: the same in all notes, of 20 signs."""
        patient = note.patient_id or note.note_id
        message = b"clinlp patient\0" + patient.encode("utf-8", "surrogatepass")
        return hmac.digest(self.key, message, "sha256").hex()[:20]

    def replacements(self, note: Note) -> tuple[str, ...]:
        """Give one replacement for each span of `note.phi`, in order.

        Ages to 89 stay, as the law allows; so do times and words that point from the note's day
        (yesterday). What cannot be read, and what has no surrogate, becomes its tag, `[NAME]`.
        """
        writer = _Writer(note, self._draw(note), self._told(note))
        return tuple(writer.write(span) for span in note.phi)

    def _told(self, note: Note) -> tuple[Given, ...]:
        if not self.names:
            return ()
        from clinlp.deid.surrogates.names_spelled import chinese_names

        return chinese_names(note, self.names)

    def _draw(self, note: Note) -> Draw:
        return _drawn(self.key, note.patient_id or note.note_id, self.keep_weekday, self.max_days)


@lru_cache(maxsize=1024)
def _drawn(key: bytes, patient: str, keep_weekday: bool, max_days: int) -> Draw:
    days = shift_of(key, patient, max_days=max_days, keep_weekday=keep_weekday)
    return Draw(hmac.digest(key, b"clinlp surrogates", "sha256"), patient, days)


_THINGS = {PhiLabel.BED, PhiLabel.DEVICE, PhiLabel.VEHICLE, PhiLabel.BIOMETRIC, PhiLabel.PHOTO, PhiLabel.HEALTH_PLAN}
_Write = Callable[[str, Draw, Lang], str | None]


def _by_script(en: Callable[[str, Draw], str | None], zh: Callable[[str, Draw], str | None]) -> _Write:
    """Choose by the words' own script, not the note's language: both occur in notes of either."""
    return lambda words, draw, _: zh(words, draw) if _han().search(words) else en(words, draw)


def _numbered(label: PhiLabel) -> _Write:
    """Write a number; words without one are an insurer, a name that was taken for a number, or cannot be replaced."""

    def write(words: str, draw: Draw, _: Lang) -> str | None:
        if words.isupper() or _numeral().search(words):
            return write_number(words, draw, label=label.value)
        if label == PhiLabel.HEALTH_PLAN and words.isascii():
            return write_organisation(words, draw, is_hospital=False)
        return None if label in _THINGS else write_name(words, draw)

    return write


@cache
def _writers() -> Mapping[str, _Write]:
    writers: dict[str, _Write] = {label.value: _numbered(label) for label in PhiLabel}
    writers |= {
        PhiLabel.NAME.value: lambda words, draw, _: write_name(words, draw),
        PhiLabel.PHONE.value: write_phone,
        PhiLabel.FAX.value: write_phone,
        PhiLabel.EMAIL.value: lambda words, draw, _: write_email(words, draw),
        PhiLabel.URL.value: lambda words, draw, _: write_url(words, draw),
        PhiLabel.IP.value: lambda words, draw, _: write_ip(words, draw),
        PhiLabel.SOCIAL.value: lambda words, draw, _: write_social(words, draw),
        PhiLabel.LOCATION.value: _by_script(write_address, write_address_zh),
        PhiLabel.HOSPITAL.value: _by_script(
            lambda words, draw: write_organisation(words, draw, is_hospital=True), write_hospital_zh
        ),
        PhiLabel.ORG.value: _by_script(
            lambda words, draw: write_organisation(words, draw, is_hospital=False), write_org_zh
        ),
        PhiLabel.DEPARTMENT.value: _by_script(write_department, write_department_zh),
    }
    return writers


def _told_name(told: Sequence[Given]) -> _Write:
    """Write a name; one of those of the record, spelled in Latin letters, as its characters' surrogate is read."""
    if not told:
        return _writers()[PhiLabel.NAME]
    from clinlp.deid.surrogates.names_spelled import write_spelled

    return lambda words, draw, _: write_spelled(words, draw, told) or write_name(words, draw)


@cache
def _numeral() -> re.Pattern[str]:
    return re.compile(r"[\d一二三四五六七八九]")


@cache
def _between_dates() -> re.Pattern[str]:
    return re.compile("(, |; |[、，；] ?| and | & )")


@cache
def _han() -> re.Pattern[str]:
    return re.compile("[\u3400-\u9fff]")


class _Writer:
    """Writes the surrogates of one note and holds them to its real values."""

    def __init__(self, note: Note, draw: Draw, told: Sequence[Given] = ()) -> None:
        self.text, self.told = note.text, told
        self.lang: Lang = note.lang or detect_language(note.text)
        self.near = note.time
        self.draw = draw
        dates = [self._words(span) for span in note.phi if span.label == PhiLabel.DATE]
        self.day_first = are_day_first(dates, lang=self.lang)
        self._done: dict[tuple[str, str], str] = {}
        self._shifted: dict[str, str | None] = {}
        self._real = self._real_values(note.phi)
        self._lengths = sorted({len(value) for value in self._real})
        self._salted = [draw]

    def write(self, span: Span) -> str:
        """Give the surrogate of one span, or its tag."""
        words = self._words(span)
        if (span.label, words) not in self._done:
            self._done[span.label, words] = self._write(span.label, words) or f"[{span.label}]"
        return self._done[span.label, words]

    def _words(self, span: Span) -> str:
        return self.text[span.start : span.end]

    def _write(self, label: str, words: str) -> str | None:
        if label == PhiLabel.AGE:
            return cap_age(words, lang=self.lang)
        if label == PhiLabel.DATE:
            return self._write_date(words)
        writer, value = _told_name(self.told) if label == PhiLabel.NAME else _writers().get(label), plain(words)
        if writer is None or not value:
            return None
        if not words.isascii():
            words = "".join(one for one in unicodedata.normalize("NFC", words) if one.isprintable() or one.isspace())
        for salt in range(_TRIES):
            new = writer(words, self._salt(salt), self.lang)
            if new is None:
                return None
            found = plain(new)
            if found and found != value and not self._is_real(found):
                return new
        return None

    def _salt(self, salt: int) -> Draw:
        while salt >= len(self._salted):
            self._salted.append(self.draw.salted(len(self._salted)))
        return self._salted[salt]

    def _write_date(self, words: str) -> str | None:
        new = self._shift(words)
        if new is None:
            return self._write_each(words)
        if tells_age(new):
            return None
        if new == words and self._has_no_date(words):
            return new
        if plain(new) == plain(words):  # moved by too little to change it
            year = re.fullmatch(r"([0-9]{4})(年?)", plain(new))
            if year is None:
                return None
            new = f"{int(year[1]) + (1 if self.draw.days > 0 else -1):04d}{year[2]}"
        return None if self._is_real(plain(new)) else new

    def _write_each(self, words: str) -> str | None:
        """Write each date of a list of which one cannot be read, and the tag in that one's place."""
        parts = _between_dates().split(words)
        if len(parts) == 1:
            return None
        written = [part if at % 2 else self._write_date(part) for at, part in enumerate(parts)]
        return "".join(f"[{PhiLabel.DATE}]" if part is None else part for part in written)

    def _shift(self, words: str) -> str | None:
        if words not in self._shifted:
            self._shifted[words] = self._shift_by(words, self.draw.days)
        return self._shifted[words]

    def _shift_by(self, words: str, days: int) -> str | None:
        return shift_dates(words, days, lang=self.lang, near=self.near, day_first=self.day_first)

    def _has_no_date(self, words: str) -> bool:
        """Say whether there are only times, weekdays and words that point from the note's day."""
        return self._shift_by(words, _WEEKS) == words

    def _real_values(self, spans: Sequence[Span]) -> frozenset[str]:
        """Give the values that no surrogate may be or hold; those that stay by design are none."""
        values = set()
        for label, words in {(span.label, self._words(span)) for span in spans}:
            value = plain(words)
            if len(value) < 4 and len(_han().findall(value)) < 2:
                continue
            if label == PhiLabel.AGE and cap_age(words, lang=self.lang) == words:
                continue
            if label == PhiLabel.DATE and self._shift(words) == words and self._has_no_date(words):
                continue
            values.add(value)
        return frozenset(values)

    def _is_real(self, found: str) -> bool:
        """Say whether a surrogate is or holds a real value of the note."""
        if len(self._real) <= _FEW:
            return any(value in found for value in self._real)
        for length in self._lengths:
            for at in range(len(found) - length + 1):
                if found[at : at + length] in self._real:
                    return True
        return False
