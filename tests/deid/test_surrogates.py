"""Surrogates agree in all forms of a value, and keep each form."""

from __future__ import annotations

import re

import pytest

from clinlp.deid import PhiLabel
from clinlp.deid.surrogates.draw import plain
from clinlp.note import Lang, Note

from .surrogate_cases import OURS, note_of, surrogate

# --- one person, one surrogate, in every form ---------------------------------------------------

FIRST, LAST = surrogate("NAME", "Warren Holloway").split()


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("WARREN HOLLOWAY", f"{FIRST.upper()} {LAST.upper()}"),
        ("HOLLOWAY, WARREN", f"{LAST.upper()}, {FIRST.upper()}"),
        ("Holloway, W.", f"{LAST}, {FIRST[0]}."),
        ("W. Holloway", f"{FIRST[0]}. {LAST}"),
        ("warren holloway", f"{FIRST.lower()} {LAST.lower()}"),
        ("Mr. Holloway", f"Mr. {LAST}"),
        ("Dr. Warren Holloway, MD", f"Dr. {FIRST} {LAST}, MD"),
        ("Holloway's", f"{LAST}'s"),
        ("WH", f"{FIRST[0]}{LAST[0]}"),
        ("W.H.", f"{FIRST[0]}.{LAST[0]}."),
        ("Warren\nHolloway", f"{FIRST}\n{LAST}"),
        ("Wárren Hollo\u200bway", f"{FIRST} {LAST}"),
        ("Warren van der Holloway Jr.", f"{FIRST} van der {LAST} Jr."),
    ],
)
def test_forms_of_an_english_name_agree(words: str, expected: str) -> None:
    assert surrogate("NAME", words) == expected


@pytest.mark.parametrize(("full", "nick"), [("William", "Bill"), ("Margaret", "Peggy"), ("KATHERINE", "KATE")])
def test_a_nickname_becomes_what_its_name_becomes(full: str, nick: str) -> None:
    assert surrogate("NAME", f"{nick} Holloway") == surrogate("NAME", f"{full} Holloway")
    assert surrogate("NAME", nick) == surrogate("NAME", full)


def test_a_nickname_of_several_names_stays_apart() -> None:
    others = {surrogate("NAME", name) for name in ("Alex", "Alexander", "Alexandra")}
    assert len(others) > 1


FAMILY, *GIVEN = surrogate("NAME", "邵建国", lang="zh")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("邵医生", f"{FAMILY}医生"),
        ("邵副主任医师", f"{FAMILY}副主任医师"),
        ("小邵", f"小{FAMILY}"),
        ("老邵", f"老{FAMILY}"),
        ("邵某某", f"{FAMILY}某某"),
        ("邵XX", f"{FAMILY}XX"),
        ("邵**", f"{FAMILY}**"),
        ("患者邵建国", f"患者{FAMILY}{''.join(GIVEN)}"),
        ("建国", "".join(GIVEN)),
        ("邵 建 国", f"{FAMILY} {GIVEN[0]} {GIVEN[1]}"),
        ("邵建国女士", f"{FAMILY}{''.join(GIVEN)}女士"),
    ],
)
def test_forms_of_a_chinese_name_agree(words: str, expected: str) -> None:
    assert surrogate("NAME", words, lang="zh") == expected


def test_compound_surnames_stay_compound() -> None:
    full, titled = surrogate("NAME", "欧阳静怡", lang="zh"), surrogate("NAME", "欧阳医生", lang="zh")
    assert len(full) == 4
    assert titled == f"{full[:2]}医生"


def test_a_foreign_name_in_chinese_keeps_its_parts() -> None:
    full = surrogate("NAME", "约翰·史密斯", lang="zh")
    assert [len(part) for part in full.split("·")] == [2, 3]
    assert surrogate("NAME", "史密斯·约翰", lang="zh") == "·".join(reversed(full.split("·")))


def test_pinyin_stays_pinyin_in_every_form() -> None:
    joined = surrogate("NAME", "Shao Jianguo")
    surname, given = joined.split()
    hyphened = surrogate("NAME", "SHAO Jian-Guo")
    assert hyphened.split()[0] == surname.upper()
    assert hyphened.split()[1].replace("-", "").lower() == given.lower()


def test_first_names_keep_their_gender() -> None:
    from faker.providers.person.en_US import Provider

    for at in range(40):
        assert surrogate("NAME", "Deborah", patient=f"p{at}") in Provider.first_names_female
        assert surrogate("NAME", "Gregory", patient=f"p{at}") in Provider.first_names_male


@pytest.mark.parametrize(("women", "men"), [("娜", "刚"), ("莉", "勇"), ("婷", "强")])
def test_characters_of_first_names_keep_their_gender(women: str, men: str) -> None:
    from faker.providers.person.zh_CN import Provider

    for at in range(40):
        woman, man = (surrogate("NAME", f"邵{one}", lang="zh", patient=f"p{at}")[1] for one in (women, men))
        assert woman not in "".join(Provider.first_names_male)
        assert man not in "".join(Provider.first_names_female)


SAME = [
    ("en", "MRN", ("MRN-4471930", "4471930", "447-1930", "447 1930"), r"\D"),
    ("en", "PHONE", ("(312) 555-7788", "312-555-7788", "312.555.7788", "3125557788"), r"\D"),
    ("en", "SSN", ("412-66-9021", "412 66 9021", "412669021"), r"\D"),
    ("zh", "PHONE", ("13655512345", "136 5551 2345", "136-5551-2345"), r"\D"),
    ("zh", "ID_CARD", ("330102198803124516", "330102 19880312 4516"), r"\D"),
    ("zh", "MRN", ("ZY00471133", "zy00471133", "住院号：ZY00471133"), r"[^0-9a-z]"),
    ("en", "LOCATION", ("Fairhaven", "FAIRHAVEN", "12 Elm St, Fairhaven", "Fairhaven, Ohio"), None),
    ("zh", "LOCATION", ("赣州市", "江西省赣州市", "赣州"), None),
]


@pytest.mark.parametrize(("lang", "label", "forms", "layout"), SAME)
def test_forms_of_a_value_agree(lang: Lang, label: str, forms: tuple[str, ...], layout: str | None) -> None:
    found = [surrogate(label, words, lang=lang) for words in forms]
    if layout is not None:
        assert len({re.sub(layout, "", words.lower()) for words in found}) == 1, found
        return
    head = plain(found[0]).removesuffix("市")
    assert all(head in plain(words) for words in found), found


def test_a_town_is_the_same_in_an_address_and_in_a_hospital() -> None:
    assert surrogate("HOSPITAL", "Fairhaven Children's Hospital").startswith(f"{surrogate('LOCATION', 'Fairhaven')} ")
    assert surrogate("HOSPITAL", "赣州市人民医院", lang="zh")[:-4] == surrogate("LOCATION", "赣州市", lang="zh")


def test_labels_that_detectors_mix_up_agree() -> None:
    assert len({surrogate(label, "88213377") for label in ("MRN", "ID", "ACCOUNT", "HEALTH_PLAN")}) == 1


def test_a_note_without_patient_stands_for_itself() -> None:
    note = note_of(("MRN", "88213377"))
    alone = Note("p1", note.text, lang="en", phi=note.phi)
    assert OURS.replacements(alone) == OURS.replacements(note)


# --- form ---------------------------------------------------------------------------------------

FORMS = [
    (
        "en",
        "LOCATION",
        "1733 Meadow Road, Apt 4B, Fairhaven, OR 97201",
        r"\d{4} \w+ Road, Apt \d[A-Z], \w+, [A-Z]{2} \d{5}",
    ),
    ("en", "LOCATION", "PO Box 6419, Fairhaven", r"PO Box \d{4}, \w+"),
    ("en", "LOCATION", "Ohio", r"[A-Z][a-z]+( [A-Z][a-z]+)?"),
    ("en", "HOSPITAL", "St. Amina's Hospital", r"St\. [A-Z]\w+'s Hospital"),
    ("en", "HOSPITAL", "FAIRHAVEN GENERAL HOSPITAL", r"[A-Z]+ GENERAL HOSPITAL"),
    ("en", "HOSPITAL", "FGH", r"[A-Z]{3}"),
    ("en", "ORG", "Kowalski & Sons Construction", r"[A-Z]\w+ & Sons Construction"),
    ("en", "DEPARTMENT", "Surgical Ward 2", r"Surgical Ward [1-9]"),
    ("en", "DEPARTMENT", "Heart Center", r"[A-Z]\w+ Center"),
    ("en", "BED", "bed 14, room 453", r"bed [1-9]\d, room [1-9]\d\d"),
    ("en", "DEVICE", "Model F3266 SN 3980028", r"Model [A-Z]\d{4} SN \d{7}"),
    ("en", "PHOTO", "DSC06001.JPG", r"DSC0\d{4}\.JPG"),
    ("en", "BIOMETRIC", "retinal scan file 99940", r"retinal scan file \d{5}"),
    ("en", "PHONE", "ext. 659", r"ext\. \d{3}"),
    ("en", "SOCIAL", "@Amina_Kowalski7", r"@[A-Z]\w+_[A-Z]\w+\d"),
    ("zh", "LOCATION", "江西省赣州市和平区体育路368号2单元301室", r"\w+省\w+市\w+区\w+路\d{3}号\d单元\d{3}室"),
    ("zh", "LOCATION", "内蒙古自治区阜阳市", r"\w+自治区\w+市"),
    ("zh", "LOCATION", "石家庄市杨家庄乡张庄村4组", r"\w+市\w+乡\w+村\d组"),
    ("zh", "LOCATION", "赣州市鼓楼区红旗大街6号", r"\w{2,4}市\w{2,3}区\w{2}大街\d号"),
    ("zh", "HOSPITAL", "云河市第二人民医院", r"\w+市第二人民医院"),
    ("zh", "HOSPITAL", "云河医科大学附属第一医院", r"\w{2}医科大学附属第一医院"),
    ("zh", "ORG", "宏远建筑有限公司", r"\w{2}建筑有限公司"),
    ("zh", "DEPARTMENT", "骨二科", r"\w+[一二三四五六七八九]科"),
    ("zh", "DEPARTMENT", "心内科门诊", r"\w+科门诊"),
    ("zh", "BED", "加6床", r"加\d床"),
    ("zh", "VEHICLE", "浙A·12345", r"[\u4e00-\u9fff]I·\d{5}"),
    ("zh", "HEALTH_PLAN", "医保917437192", r"医保\d{9}"),
    ("zh", "PHONE", "010-62345678转8012", r"026-\d{8}转\d{4}"),
    ("zh", "SOCIAL", "wxid_wangxm58", r"wxid_[a-z]+\d\d"),
    ("zh", "MRN", "６２２２０２", r"[０-９]{6}"),
]


@pytest.mark.parametrize(("lang", "label", "words", "form"), FORMS)
def test_the_form_of_a_value_stays(lang: Lang, label: str, words: str, form: str) -> None:
    for at in range(5):
        found = surrogate(label, words, lang=lang, patient=f"p{at}")
        assert re.fullmatch(form, found), found
        assert plain(found) != plain(words)


@pytest.mark.parametrize(
    ("label", "words"),
    [
        ("NAME", "Мария"),
        ("NAME", "Mrs."),
        ("EMAIL", "张伟@qq.com"),
        ("PHONE", "136555（张）"),
        ("DEVICE", "张伟"),
        ("PRION", "x"),
    ],
)
def test_what_cannot_be_read_becomes_its_tag(label: str, words: str) -> None:
    assert surrogate(label, words) == f"[{label}]"


def test_every_label_has_a_surrogate_or_its_tag() -> None:
    for label in PhiLabel:
        for words in ("A1234567", "Abcdef Ghi", "某甲乙丙丁", "ñ", "۱۲۳۴۵۶"):
            assert plain(surrogate(label, words)) != plain(words) or label is PhiLabel.AGE


@pytest.mark.parametrize("words", ["29-Feb-1928", "March 5, 1930", "1928年3月5日", "1931", "05/07/1925"])
def test_a_date_that_tells_an_age_over_89_becomes_its_tag(words: str) -> None:
    assert surrogate("DATE", words) == "[DATE]"


@pytest.mark.parametrize("words", ["3 Dec 2021 1930", "12/3/2021 1915", "March 5, 1950"])
def test_a_time_of_four_digits_is_no_year(words: str) -> None:
    assert "[" not in surrogate("DATE", words)


def test_of_a_list_of_dates_only_what_cannot_be_read_becomes_its_tag() -> None:
    first, second, third, last = (
        surrogate("DATE", "12/6/21, 31/31/2021, 3 Dec 2021 and 8 Dec 2021").replace(" and ", ", ").split(", ")
    )
    assert second == "[DATE]"
    assert first == surrogate("DATE", "12/6/21")
    assert (third, last) == (surrogate("DATE", "3 Dec 2021"), surrogate("DATE", "8 Dec 2021"))
