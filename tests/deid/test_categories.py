"""Every PHI label has its counterparts in American and Chinese rules."""

from __future__ import annotations

from clinlp.deid.categories import CATEGORIES, SPECIFICITY, PhiLabel


def test_every_label_has_names_and_counterparts():
    assert set(CATEGORIES) == set(PhiLabel) == set(SPECIFICITY)
    assert len({category.en for category in CATEGORIES.values()}) == len(CATEGORIES)
    assert len({category.zh for category in CATEGORIES.values()}) == len(CATEGORIES)


def test_all_eighteen_kinds_of_safe_harbor_are_covered():
    assert {category.hipaa for category in CATEGORIES.values()} == set("ABCDEFGHIJKLMNOPQR")


def test_kinds_of_the_chinese_rules_are_those_that_they_name():
    kinds = {"人口统计信息", "个人身份信息", "个人通讯信息", "个人生物识别信息", "个人健康监测传感设备ID"}
    assert {category.gbt_39725 for category in CATEGORIES.values()} == kinds | {"医院基本数据", "医疗支付数据"}
    sensitive = {"生物识别", "特定身份", "医疗健康", "金融账户", ""}
    assert {category.pipl for category in CATEGORIES.values()} == sensitive
    assert CATEGORIES[PhiLabel.MRN].pipl == "医疗健康"
    assert CATEGORIES[PhiLabel.ACCOUNT].pipl == "金融账户"
