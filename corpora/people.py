"""Names of invented persons of many cultures: drawn from lists, put together from parts, and made of syllables."""

from __future__ import annotations

import gzip
import random
import re
import unicodedata
from bisect import bisect
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from itertools import accumulate
from pathlib import Path
from typing import Final

from corpora.patient import Person
from corpora.vocabulary import Pool, Vocabulary, is_held_out, load_vocabulary

LISTS: Final = Path(__file__).parent.parent / "clinlp" / "deid" / "data"
LATIN: Final = (
    "az_AZ cs_CZ da_DK de_AT de_CH de_DE en_GB en_IE en_IN en_KE en_NG en_NZ en_PK en_TH en_US es_AR es_CL es_CO es_ES "
    "es_MX et_EE fi_FI fr_CA fr_DZ fr_FR ga_IE ha_NG hr_HR hu_HU id_ID ig_NG it_IT ja_JP lt_LT lv_LV nl_BE nl_NL "
    "no_NO pt_BR pt_PT ro_RO sk_SK sl_SI sv_SE sw tr_TR tw_GH uz_UZ vi_VN yo_NG zh_CN zh_TW zu_ZA"
)
CYRILLIC: Final = "ru_RU bg_BG uk_UA mk_MK el_GR"
_ONE: Final = str.maketrans(
    "абвгдезийклмнопрстуфыэіґαβγδεζηικλμνξοπρσςτυφωάέήίόύώϊъь",
    "abvgdeziyklmnoprstufyeigavgdeziiklmnxoprsstyfoaeiioyoi''",
)
_MANY: Final = str.maketrans(
    {"ж": "zh", "х": "kh", "ц": "ts", "ч": "ch", "ш": "sh", "щ": "shch", "ю": "yu", "я": "ya", "ё": "yo", "є": "ye"}
    | {"ї": "yi", "θ": "th", "χ": "ch", "ψ": "ps"}
)


@dataclass(slots=True)
class FullPerson(Person):
    """A person with the further parts that some forms of a name use."""

    middle: str = ""
    nick: str = ""
    native: str = ""  # the whole name where its parts cannot be put together freely


@dataclass(frozen=True, slots=True)
class People:
    """The lists that names of one language's notes are drawn from."""

    cultures: tuple[tuple[Pool, Pool, Pool], ...]  # given names of men, of women, surnames
    census: tuple[Pool, Pool]
    surnames: tuple[str, ...]
    reach: tuple[float, ...]  # cumulative weights of `surnames`
    given: tuple[str, ...]
    places: dict[str, Pool]


def _romanised(words: Iterable[str]) -> list[str]:
    plain_words = (word.lower().translate(_ONE).translate(_MANY) for word in words)
    return ["".join(c for c in word if c.isascii() and c.isalpha()).title() for word in plain_words]


def _provider(locale: str) -> tuple[Pool, Pool, Pool]:
    found = import_module(f"faker.providers.person.{locale}").Provider

    def names(*keys: str) -> list[str]:
        lists = (getattr(found, key, None) for key in keys)
        values = next((list(v) for v in lists if isinstance(v, (tuple, list, dict)) and len(v) > 2), [])
        values = _romanised(values) if locale in CYRILLIC else [w for w in values if w[:1].isalpha() and len(w) > 1]
        return [w.title() if w.isupper() else w for w in values]

    roman = "first_romanized_names" if locale in ("ja_JP", "zh_CN", "zh_TW") else ""
    male, female = (names(roman, f"first_names_{sex}", "first_names") for sex in ("male", "female"))
    surnames = names("last_romanized_names" if roman else "", "last_names_male", "last_names")
    return Pool(dict.fromkeys(male)), Pool(dict.fromkeys(female)), Pool(dict.fromkeys(surnames))


@cache
def load_people(lang: str) -> People:
    """Read the name lists of one language; kept for the next call."""
    if lang == "zh":
        surnames = (LISTS / "zh_surnames.txt").read_text("utf-8").split()
        weights = [(2.0 if len(name) > 1 else 30.0) / (rank + 12) for rank, name in enumerate(surnames)]
        found = import_module("faker.providers.person.zh_CN").Provider
        given = [*found.first_names_male, *found.first_names_female]
        return People((), (Pool(()), Pool(())), tuple(surnames), tuple(accumulate(weights)), tuple(given), _places())
    banks = load_vocabulary(lang).banks
    own = sorted(name[8:] for name in banks if name.startswith("q_given_"))
    written = [(banks[f"q_given_{n}"], banks[f"q_given_{n}"], banks[f"q_surname_{n}"]) for n in own]
    drawn = [_provider(locale) for locale in (*LATIN.split(), *CYRILLIC.split())]
    cultures = [c for c in (*drawn, *written, *written) if all(pool.items for pool in c)]
    return People(tuple(cultures), (_census("first_names"), _census("surnames")), (), (), (), {})


def _places() -> dict[str, Pool]:
    """Provinces, cities and districts of China as banks, with and without the word for what they are."""
    provinces, cities, counties = (
        (LISTS / f"zh_{kind}.txt").read_text("utf-8").split() for kind in ("provinces", "cities", "counties")
    )
    kinds = re.compile("(?:维吾尔|壮族|回族)?自治区$|[省市]$")
    short = [re.sub("(?:..?族)*自治州$|地区$|盟$|市$", "", city) for city in cities]
    return {
        "q_province_list": Pool(provinces),
        "q_province_short": Pool(kinds.sub("", name) for name in provinces),
        "q_city_list": Pool(cities),
        "q_city_short": Pool(name for name in short if len(name) > 1),
        "q_district": Pool(counties),
    }


def _census(kind: str) -> Pool:
    words = gzip.decompress((LISTS / f"en_{kind}.txt.gz").read_bytes()).decode("utf-8").split()
    return Pool(word for word in words if len(word) > 1 and word[0].isalpha() and word[-1].isalpha())


def _cased(word: str, rng: random.Random) -> str:
    """A name of a lower-case list with its capitals."""
    if word[:2] == "mc" and len(word) > 4:
        return "Mc" + word[2:].title()
    if word[:1] == "o" and word[1:2] not in "aeiou" and word[1:4] in ("bri", "con", "don", "nei", "rei", "mal", "sul"):
        return "O'" + word[1:].title()
    if word[:3] in ("del", "van", "von", "los") and len(word) > 7 and rng.random() < 0.3:
        return f"{word[:3].title()} {word[3:].title()}"
    return word.title()


def _western(people: People, part: str, rng: random.Random, *, male: bool) -> tuple[str, str]:
    def census(number: int) -> str:
        return _cased(rng.choice(people.census[number].of(part, rng)), rng)

    if (kind := rng.random()) < 0.3:
        return census(0), census(1)
    men, women, surnames = rng.choice(people.cultures)
    given, surname = rng.choice((men if male else women).of(part, rng)), rng.choice(surnames.of(part, rng))
    if kind < 0.42:  # a family of one culture that gives names of another
        return (given, census(1)) if rng.random() < 0.5 else (census(0), surname)
    return given, surname


def invent(vocabulary: Vocabulary, rng: random.Random) -> str:
    """A name that is in no list."""
    syllables = vocabulary.banks["q_syllable"].items
    word = "".join(rng.choice(syllables) for _ in range(rng.choice((1, 2, 2, 2, 3))))
    return (word + rng.choice(vocabulary.banks["q_name_end"].items)).title()


def draw_english(vocabulary: Vocabulary, people: People, part: str, rng: random.Random, *, male: bool) -> FullPerson:
    """Somebody in an English note."""
    given, surname = _western(people, part, rng, male=male)
    banks, kind = vocabulary.banks, rng.random()
    if kind < 0.12:
        surname = invent(vocabulary, rng)
        given = invent(vocabulary, rng) if rng.random() < 0.5 else given
    elif kind < 0.2:  # a name that is a word
        surname = rng.choice(banks["q_word_surname"].of(part, rng)) if rng.random() < 0.6 else surname
        given = rng.choice(banks["q_word_given"].of(part, rng)) if rng.random() < 0.6 else given
    if (kind := rng.random()) < 0.07:
        surname = f"{surname}-{_western(people, part, rng, male=male)[1]}"
    elif kind < 0.1:
        surname = f"{surname} {_western(people, part, rng, male=male)[1]}"
    elif kind < 0.14:
        surname = rng.choice(banks["q_particle"].items) + surname
    if rng.random() < 0.03:
        given = f"{given}-{_western(people, part, rng, male=male)[0]}"
    if rng.random() < 0.25:
        given, surname = plain(given), plain(surname)
    middle = _western(people, part, rng, male=male)[0]
    return FullPerson(given, surname, male, middle, rng.choice(banks["q_nick"].of(part, rng)))


def plain(word: str) -> str:
    """The word in ASCII, as many systems write it."""
    return "".join(c for c in unicodedata.normalize("NFKD", word) if c.isascii()) or word


def draw_chinese(vocabulary: Vocabulary, people: People, part: str, rng: random.Random, *, male: bool) -> FullPerson:
    """Somebody in a Chinese note."""
    banks = vocabulary.banks
    chars = banks["q_given_char_male" if male else "q_given_char_female"].items[0]
    both = banks["q_given_char"].items[0]
    native = ""
    if (kind := rng.random()) < 0.025:
        first, last = (rng.choice(banks["q_uyghur"].of(part, rng)) for _ in range(2))
        native = f"{first}·{last}"
    elif kind < 0.045:
        native = "".join(rng.choice(banks["q_tibetan"].of(part, rng)) for _ in range(2))
    elif kind < 0.055:
        native = rng.choice(banks["q_mongol"].of(part, rng))
    elif kind < 0.085:
        native = rng.choice(banks["q_foreign_given"].of(part, rng))
        native += rng.choice("···•") + rng.choice(banks["q_foreign_surname"].of(part, rng))
    elif kind < 0.1:
        native = f"{rng.choice(banks['q_pinyin_surname'].items)} {rng.choice(banks['q_pinyin_given'].items)}"
        native += rng.choice(banks["q_pinyin_given"].items).lower() if rng.random() < 0.7 else ""
    elif kind < 0.11:
        native = (
            f"{rng.choice(banks['q_latin_given'].of(part, rng))} {rng.choice(banks['q_latin_surname'].of(part, rng))}"
        )
    while True:
        surname = people.surnames[bisect(people.reach, rng.random() * people.reach[-1])]
        if (kind := rng.random()) < 0.18:
            given = rng.choice(people.given)
        elif kind < 0.25:
            given = rng.choice(banks["q_given_word"].items)
        elif kind < 0.29:
            given = rng.choice(both) * 2
        else:
            given = "".join(
                rng.choice(chars if rng.random() < 0.55 else both) for _ in range(1 + (rng.random() > 0.24))
            )
        if part != "train" or not is_held_out(surname + given):
            break
    return FullPerson(given, surname, male, rng.choice(both), rng.choice(both), native)
