"""The kinds of protected health information, with what HIPAA, i2b2, GB/T 39725 and the PIPL call them."""

from __future__ import annotations

from enum import StrEnum
from typing import Final, NamedTuple


class PhiLabel(StrEnum):
    """What a PHI span is. Each maps to one of HIPAA Safe Harbor's 18 kinds, see `CATEGORIES`."""

    NAME = "NAME"
    DATE = "DATE"
    AGE = "AGE"
    PHONE = "PHONE"
    FAX = "FAX"
    EMAIL = "EMAIL"
    URL = "URL"
    IP = "IP"
    SSN = "SSN"
    ID_CARD = "ID_CARD"
    MRN = "MRN"
    HEALTH_PLAN = "HEALTH_PLAN"
    ACCOUNT = "ACCOUNT"
    LICENSE = "LICENSE"
    VEHICLE = "VEHICLE"
    DEVICE = "DEVICE"
    BIOMETRIC = "BIOMETRIC"
    PHOTO = "PHOTO"
    LOCATION = "LOCATION"
    HOSPITAL = "HOSPITAL"
    DEPARTMENT = "DEPARTMENT"
    BED = "BED"
    SOCIAL = "SOCIAL"
    ORG = "ORG"
    ID = "ID"


class Category(NamedTuple):
    """How a PHI label is shown, and what others call it.

    Attributes:
        hipaa: The letter of the kind in 45 CFR 164.514(b)(2)(i), A to R.
        i2b2: The label in the 2014 i2b2/UTHealth de-identification set (Stubbs & Uzuner 2015).
        gbt_39725: The kind of health data in GB/T 39725-2020, the Chinese guide for health data security.
        pipl: The kind of sensitive personal information in article 28 of the Chinese Personal Information
            Protection Law; empty where it is personal information of another kind.
    """

    en: str
    zh: str
    hipaa: str
    i2b2: str
    gbt_39725: str
    pipl: str = ""


CATEGORIES: Final[dict[PhiLabel, Category]] = {
    PhiLabel.NAME: Category("name", "姓名", "A", "NAME", "人口统计信息"),
    PhiLabel.LOCATION: Category("address or place", "地址", "B", "LOCATION", "人口统计信息"),
    PhiLabel.HOSPITAL: Category("hospital", "医院", "B", "HOSPITAL", "医院基本数据", "医疗健康"),
    PhiLabel.DEPARTMENT: Category("department or ward", "科室", "B", "LOCATION-OTHER", "医院基本数据", "医疗健康"),
    PhiLabel.BED: Category("bed or room", "床号", "B", "LOCATION-OTHER", "医院基本数据", "医疗健康"),
    PhiLabel.ORG: Category("employer or school", "单位", "B", "ORGANIZATION", "人口统计信息"),
    PhiLabel.DATE: Category("date", "日期", "C", "DATE", "人口统计信息"),
    PhiLabel.AGE: Category("age", "年龄", "C", "AGE", "人口统计信息"),
    PhiLabel.PHONE: Category("telephone number", "电话", "D", "PHONE", "个人通讯信息"),
    PhiLabel.FAX: Category("fax number", "传真", "E", "FAX", "个人通讯信息"),
    PhiLabel.EMAIL: Category("e-mail address", "电子邮箱", "F", "EMAIL", "个人通讯信息"),
    PhiLabel.SSN: Category("social security number", "社会保障号", "G", "IDNUM", "个人身份信息", "特定身份"),
    PhiLabel.ID_CARD: Category("identity card number", "身份证号", "G", "IDNUM", "个人身份信息", "特定身份"),
    PhiLabel.MRN: Category("medical record number", "病案号", "H", "MEDICALRECORD", "个人身份信息", "医疗健康"),
    PhiLabel.HEALTH_PLAN: Category("health plan number", "医保卡号", "I", "HEALTHPLAN", "个人身份信息", "医疗健康"),
    PhiLabel.ACCOUNT: Category("account number", "账号", "J", "ACCOUNT", "医疗支付数据", "金融账户"),
    PhiLabel.LICENSE: Category("certificate or licence number", "证件号", "K", "LICENSE", "个人身份信息", "特定身份"),
    PhiLabel.VEHICLE: Category("vehicle or plate number", "车牌号", "L", "VEHICLE", "个人身份信息"),
    PhiLabel.DEVICE: Category("device or serial number", "设备号", "M", "DEVICE", "个人健康监测传感设备ID", "医疗健康"),
    PhiLabel.URL: Category("web address", "网址", "N", "URL", "个人通讯信息"),
    PhiLabel.IP: Category("network address", "IP地址", "O", "IDNUM", "个人通讯信息"),
    PhiLabel.BIOMETRIC: Category("biometric identifier", "生物特征", "P", "BIOID", "个人生物识别信息", "生物识别"),
    PhiLabel.PHOTO: Category("photograph", "照片", "Q", "BIOID", "个人身份信息", "生物识别"),
    PhiLabel.SOCIAL: Category("social media account", "社交账号", "R", "USERNAME", "个人通讯信息"),
    PhiLabel.ID: Category("other identifying number", "其他编号", "R", "IDNUM", "个人身份信息"),
}
"""Label -> its names and counterparts. BIOMETRIC and PHOTO have no form in text; taggers may use them."""

SPECIFICITY: Final[tuple[PhiLabel, ...]] = (
    PhiLabel.ID_CARD,
    PhiLabel.SSN,
    PhiLabel.EMAIL,
    PhiLabel.URL,
    PhiLabel.IP,
    PhiLabel.FAX,
    PhiLabel.MRN,
    PhiLabel.HEALTH_PLAN,
    PhiLabel.LICENSE,
    PhiLabel.VEHICLE,
    PhiLabel.DEVICE,
    PhiLabel.BIOMETRIC,
    PhiLabel.PHOTO,
    PhiLabel.ACCOUNT,
    PhiLabel.SOCIAL,
    PhiLabel.PHONE,
    PhiLabel.BED,
    PhiLabel.HOSPITAL,
    PhiLabel.DATE,
    PhiLabel.AGE,
    PhiLabel.NAME,
    PhiLabel.LOCATION,
    PhiLabel.DEPARTMENT,
    PhiLabel.ORG,
    PhiLabel.ID,
)
"""Which label speaks for joined spans of equal score: the narrower kind first."""
