"""Surrogates of numbers are nobody's; those of dates move together."""

from __future__ import annotations

import ipaddress
import re
from datetime import date, timedelta

import phonenumbers
import pytest

from clinlp.deid.surrogates import Surrogates
from clinlp.note import Lang

from .surrogate_cases import KEY, OURS, mask, note_of, surrogate

# --- reserved ranges ------------------------------------------------------------------------------

NUMBERS = ("312-555-7788", "+1 (312) 444-7788", "1-800-444-7788", "+44 7911 123456", "01223 456789", "+49 30 1234567")
NUMBERS_ZH = ("13655512345", "+86 136 5551 2345", "0571-87654321", "(010)62345678", "0311-8765432", "400-820-1234")


@pytest.mark.parametrize(("lang", "words"), [*(("en", one) for one in NUMBERS), *(("zh", one) for one in NUMBERS_ZH)])
def test_telephone_numbers_are_nobodys(lang: Lang, words: str) -> None:
    for at in range(20):
        found = surrogate("PHONE", words, lang=lang, patient=f"p{at}")
        assert mask(found) == mask(words)
        try:
            number = phonenumbers.parse(found, "CN" if lang == "zh" else "GB" if words[0] == "0" else "US")
        except phonenumbers.NumberParseException:
            continue
        assert not phonenumbers.is_valid_number(number)


def test_social_security_numbers_are_never_issued_and_keep_their_last_digits_alike() -> None:
    found = surrogate("SSN", "412-66-9021")
    area, group, last = found.split("-")
    assert 900 <= int(area) <= 999
    assert 1 <= int(group) <= 49
    assert surrogate("SSN", "xxx-xx-9021") == f"xxx-xx-{last}"


_BLOCKS = ((11, 15), (21, 23), (31, 37), (41, 46), (50, 54), (61, 65), (71, 71), (81, 83))
DIVISIONS = {str(number) for low, high in _BLOCKS for number in range(low, high + 1)}


def test_identity_cards_are_of_no_division_with_a_wrong_check_digit() -> None:
    for at in range(50):
        patient = f"p{at}"
        found = surrogate("ID_CARD", "330102198803124516", lang="zh", patient=patient)
        assert found[:2] in {
            "16",
            "17",
            "18",
            "19",
            "20",
            "26",
            "27",
            "28",
            "29",
            "30",
            "38",
            "39",
            "40",
            "47",
            "48",
            "49",
        }
        days = OURS.days(note_of(patient=patient))
        assert found[6:14] == (date(1988, 3, 12) + timedelta(days)).strftime("%Y%m%d")
        assert int(found[16]) % 2 == 1
        weights = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
        right = "10X98765432"[sum(int(one) * weight for one, weight in zip(found, weights, strict=False)) % 11]
        assert found[17] != right


def test_an_identity_card_moves_with_the_dates_of_the_note() -> None:
    card, born = OURS.replacements(note_of(("ID_CARD", "330102198803124516"), ("DATE", "1988-03-12"), lang="zh"))
    assert card[6:14] == born.replace("-", "")


def luhn(number: str) -> bool:
    doubled = [int(one) * (1 + at % 2) for at, one in enumerate(reversed(number))]
    return sum(value // 10 + value % 10 for value in doubled) % 10 == 0


def test_cards_and_provider_numbers_fail_their_check() -> None:
    for at in range(50):
        assert not luhn(surrogate("ACCOUNT", "4111111111111111", patient=f"p{at}"))
        assert not luhn(f"80840{surrogate('LICENSE', 'NPI 1234567893', patient=f'p{at}')[4:]}")


def test_addresses_of_the_net_are_kept_for_examples() -> None:
    for at in range(20):
        patient = f"p{at}"
        email = surrogate("EMAIL", "amina.kowalski@hospital.org", patient=patient)
        assert email.rpartition("@")[2] in ("example.com", "example.net", "example.org")
        url = surrogate("URL", "https://www.kowalski.org/amina/1988.html?id=77", patient=patient)
        assert re.fullmatch(r"https://www\.example\.(com|net|org)/\S{5}/\d{4}\.html\?..=\d\d", url)
        four = ipaddress.ip_address(surrogate("IP", "10.20.30.40", patient=patient))
        assert any(four in ipaddress.ip_network(net) for net in ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24"))
        six = ipaddress.ip_address(surrogate("IP", "fe80::1ff:fe23:4567:890a", patient=patient))
        assert six in ipaddress.ip_network("2001:db8::/32")
    first, last = surrogate("NAME", "Amina Kowalski").lower().split()
    assert surrogate("EMAIL", "amina.kowalski@hospital.org").startswith(f"{first}.{last}@")


def test_codes_of_a_standard_use_what_it_leaves_out() -> None:
    for at in range(20):
        assert surrogate("HEALTH_PLAN", "1EG4-TE5-MK72", patient=f"p{at}")[1] in "BILOSZ"
        assert set(surrogate("VEHICLE", "1M8GDM9AXKP042788", patient=f"p{at}")) & set("IOQ")
        assert surrogate("SOCIAL", "2401668135", lang="zh", patient=f"p{at}")[0] == "0"


# --- dates and ages -------------------------------------------------------------------------------


def test_dates_move_together_and_keep_their_form() -> None:
    note = note_of(("DATE", "2021-03-12"), ("DATE", "2021-03-19"), ("DATE", "2021年4月1日"), lang="zh")
    first, second, third = OURS.replacements(note)
    assert date.fromisoformat(first) == date(2021, 3, 12) + timedelta(OURS.days(note))
    assert date.fromisoformat(second) - date.fromisoformat(first) == timedelta(7)
    moved = date(2021, 4, 1) + timedelta(OURS.days(note))
    assert third == f"{moved.year}年{moved.month}月{moved.day}日"


def test_weekdays_stay_if_asked() -> None:
    ours = Surrogates(KEY, keep_weekday=True)
    for at in range(20):
        assert ours.days(note_of(patient=f"p{at}")) % 7 == 0


def test_a_date_that_would_become_another_real_one_becomes_its_tag() -> None:
    start = date(2021, 3, 12)
    end = start + timedelta(OURS.days(note_of()))
    first, second = OURS.replacements(note_of(("DATE", str(start)), ("DATE", str(end))))
    assert first == "[DATE]"
    assert second == str(end + (end - start))


def test_a_year_never_stays_and_a_time_does() -> None:
    for at in range(20):
        note = note_of(("DATE", "2014"), ("DATE", "14:30"), ("DATE", "yesterday"), patient=f"p{at}")
        year, time, yesterday = OURS.replacements(note)
        assert abs(int(year) - 2014) == 1
        assert (time, yesterday) == ("14:30", "yesterday")


def test_invalid_dates_become_tags_and_high_ages_are_capped() -> None:
    assert surrogate("DATE", "2021-02-31") == "[DATE]"
    assert surrogate("AGE", "45") == "45"
    assert "93" not in surrogate("AGE", "93-year-old")
    assert "93" not in surrogate("AGE", "93岁", lang="zh")
