"""What a tagger may take for an identifier and policy says is none."""

from __future__ import annotations

import pytest

from clinlp.deid.stays import is_duration, is_nationwide, stays
from clinlp.spans import Span


@pytest.mark.parametrize(
    ("said", "label"),
    [
        ("2012", "DATE"),
        ("2019 and 2023", "DATE"),
        ("2020年版", "DATE"),
        ("14:20", "DATE"),
        ("at 16:20", "DATE"),
        ("Mon-Wed-Fri", "DATE"),
        ("6/52", "DATE"),
        ("2/2/3", "DATE"),
        ("Sunday", "DATE"),
        ("thurs", "DATE"),
        ("-Wednesday-Friday", "DATE"),
        ("67", "AGE"),
        ("8 years", "AGE"),
        ("67岁", "AGE"),
        ("岁", "AGE"),
        ("years old", "AGE"),
        ("和", "NAME"),
        ("商", "ORG"),
        ("Ohio", "LOCATION"),
        ("New Zealand", "LOCATION"),
        ("山东省", "LOCATION"),
        ("广西壮族自治区", "LOCATION"),
        ("Assessment", "NAME"),
        ("hematology", "NAME"),
        ("葛根", "NAME"),
        ("家属", "NAME"),
        ("当地医院", "HOSPITAL"),
        ("县医院、市医院", "HOSPITAL"),
        ("我们乡镇卫生院", "HOSPITAL"),
        ("hospital", "HOSPITAL"),
        ("university teaching hospital", "HOSPITAL"),
        ("Nursing Home", "HOSPITAL"),
        ("一家公司", "ORG"),
        (" , ", "ID"),
        ("58", "MRN"),
        ("resend", "PHONE"),
        ("for images", "URL"),
        ("j.doe", "EMAIL"),
        ("72", "LOCATION"),
        ("210/118", "DATE"),
        ("24/7", "DATE"),
        ("765892.36", "DATE"),
        ("1,170,794.45", "PHONE"),
        ("492876.42", "ACCOUNT"),
        ("TVUS", "DATE"),
        ("NSTEMI", "NAME"),
        ("trached kiddo", "NAME"),
    ],
)
def test_known_to_identify_nobody(said, label):
    assert stays(said, label)


@pytest.mark.parametrize(
    ("said", "label"),
    [
        ("3/14/2012", "DATE"),
        ("March 2012", "DATE"),
        ("2012年3月", "DATE"),
        ("2207", "MRN"),
        ("A-17-B", "ID"),
        ("ext. 4471", "PHONE"),
        ("555.0142", "PHONE"),
        ("一三六零七四四", "PHONE"),
        ("12/27", "DATE"),
        ("KM", "NAME"),
        ("MJK", "NAME"),
        ("J.A.G.", "NAME"),
        ("five oh two, five five five", "PHONE"),
        ("SMITH", "NAME"),
        ("93-year-old", "AGE"),
        ("九十三岁", "AGE"),
        ("九三岁", "AGE"),
        ("九旬", "AGE"),
        ("９３岁", "AGE"),
        ("ninety-three", "AGE"),
        ("高", "NAME"),
        ("Toledo, Ohio", "LOCATION"),
        ("北京市", "LOCATION"),
        ("济南", "LOCATION"),
        ("Okonkwo", "NAME"),
        ("Rose", "NAME"),
        ("Hawaiian Airlines", "NAME"),
        ("Standing Bear", "NAME"),
        ("张伟", "NAME"),
        ("仁济医院", "HOSPITAL"),
        ("Mercy", "HOSPITAL"),
        ("Ohio", "HOSPITAL"),
        ("any words", "VERSION_OF_ANOTHER_MODEL"),
    ],
)
def test_may_identify_somebody(said, label):
    assert not stays(said, label)


@pytest.mark.parametrize("said", ["Serenity", "June", "Maverick"])
def test_a_word_is_a_name_where_the_tagger_is_sure(said):
    assert stays(said, "NAME")
    assert not stays(said, "NAME", is_sure=True)
    assert stays(said.lower(), "NAME", is_sure=True)


@pytest.mark.parametrize(
    ("marked", "expected"),
    [
        ("转账自<中国工商银行>杭州分行", True),
        ("转账自中国工<商银行>杭州分行", True),
        ("由<太平洋产险>赔付", True),
        ("存入<昆山农商行>", False),
        ("先去<昆山中国银行>", False),
        ("存入<中国银行昆山支行>", False),
        ("就诊于<交通医院>", False),
    ],
)
def test_nationwide_institutions_identify_nobody(marked, expected):
    start, end = marked.index("<"), marked.index(">") - 1
    assert is_nationwide(marked.replace("<", "").replace(">", ""), Span(start, end, "ORG")) is expected


@pytest.mark.parametrize("text", ["3月余前起病", "两月多前乏力", "12个月多"])
def test_a_number_of_months_is_no_date(text):
    span = Span(0, text.index("月") + 1, "DATE")
    assert is_duration(text, span)
    assert not is_duration("3月前往", span)
    assert not is_duration("2月来院", Span(0, 2, "DATE"))
