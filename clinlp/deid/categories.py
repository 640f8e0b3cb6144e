"""The kinds of protected health information, with what HIPAA, i2b2 and Chinese law call them."""

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
    """

    en: str
    zh: str
    hipaa: str
    i2b2: str


CATEGORIES: Final[dict[PhiLabel, Category]] = {
    PhiLabel.NAME: Category("name", "姓名", "A", "NAME"),
    PhiLabel.LOCATION: Category("address or place", "地址", "B", "LOCATION"),
    PhiLabel.HOSPITAL: Category("hospital", "医院", "B", "HOSPITAL"),
    PhiLabel.DEPARTMENT: Category("department or ward", "科室", "B", "LOCATION-OTHER"),
    PhiLabel.BED: Category("bed or room", "床号", "B", "LOCATION-OTHER"),
    PhiLabel.ORG: Category("employer or school", "单位", "B", "ORGANIZATION"),
    PhiLabel.DATE: Category("date", "日期", "C", "DATE"),
    PhiLabel.AGE: Category("age", "年龄", "C", "AGE"),
    PhiLabel.PHONE: Category("telephone number", "电话", "D", "PHONE"),
    PhiLabel.FAX: Category("fax number", "传真", "E", "FAX"),
    PhiLabel.EMAIL: Category("e-mail address", "电子邮箱", "F", "EMAIL"),
    PhiLabel.SSN: Category("social security number", "社会保障号", "G", "IDNUM"),
    PhiLabel.ID_CARD: Category("identity card number", "身份证号", "G", "IDNUM"),
    PhiLabel.MRN: Category("medical record number", "病案号", "H", "MEDICALRECORD"),
    PhiLabel.HEALTH_PLAN: Category("health plan number", "医保卡号", "I", "HEALTHPLAN"),
    PhiLabel.ACCOUNT: Category("account number", "账号", "J", "ACCOUNT"),
    PhiLabel.LICENSE: Category("certificate or licence number", "证件号", "K", "LICENSE"),
    PhiLabel.VEHICLE: Category("vehicle or plate number", "车牌号", "L", "VEHICLE"),
    PhiLabel.DEVICE: Category("device or serial number", "设备号", "M", "DEVICE"),
    PhiLabel.URL: Category("web address", "网址", "N", "URL"),
    PhiLabel.IP: Category("network address", "IP地址", "O", "IDNUM"),
    PhiLabel.BIOMETRIC: Category("biometric identifier", "生物特征", "P", "BIOID"),
    PhiLabel.PHOTO: Category("photograph", "照片", "Q", "BIOID"),
    PhiLabel.SOCIAL: Category("social media account", "社交账号", "R", "USERNAME"),
    PhiLabel.ID: Category("other identifying number", "其他编号", "R", "IDNUM"),
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
