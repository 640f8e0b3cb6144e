"""Names of many cultures in short notes: are all found alike?

Common first and last names of each, put together at random; nobody is meant.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

from clinlp.note import Lang, Note
from clinlp.spans import Span

EN = {
    "English": ("Oliver Amelia Harry Emily Jack Poppy", "Fletcher Whitaker Bradshaw Hollis Ashworth Pemberton"),
    "African American": (
        "Deshawn Latoya Tremaine Keisha Jamal Shanice",
        "Gaines Broadnax Mosley Pettway Boykin Singletary",
    ),
    "Mexican": (
        "Guadalupe Alejandro Xiomara Ignacio Marisol Efraín",
        "Echeverría Villaseñor Zamora Benavides Luna Ozuna",
    ),
    "Caribbean": (
        "Yadira Wilfredo Marisleysis Jean-Robert Guerline Ramón",
        "Baptiste Toussaint Pierre-Louis Matos Peralta Colón",
    ),
    "Brazilian": ("Thiago Luana Caio Juliana Rafaela Murilo", "Figueiredo Nascimento Teixeira Cavalcanti Moura Falcão"),
    "Italian": (
        "Giuseppe Chiara Lorenzo Federica Matteo Ornella",
        "Marchetti Bianchi Esposito Lombardi Colombo Fontana",
    ),
    "French": (
        "Aurélie Benoît Mireille Thibault Delphine Gaspard",
        "Desrosiers Lefebvre Archambault Chevalier Moreau Girard",
    ),
    "German": (
        "Heinrich Annelise Jürgen Ulrike Dieter Gisela",
        "Oberholzer Schneider Zimmermann Kaufmann Vogel Krüger",
    ),
    "Scandinavian": (
        "Astrid Søren Ingrid Bjørn Freja Anders",
        "Lindqvist Haraldsson Sørensen Bergström Halvorsen Nygaard",
    ),
    "Polish": (
        "Zbigniew Małgorzata Krzysztof Agnieszka Bartosz Jadwiga",
        "Kowalczyk Wójcik Szczepański Lewandowska Zając Nowak",
    ),
    "Russian": (
        "Dmitri Oksana Vladislav Svetlana Mikhail Ludmila",
        "Sorokin Kovalenko Ivanova Volkov Petrenko Lebedeva",
    ),
    "Greek": (
        "Dimitrios Eleni Konstantinos Theodora Stavros Ioanna",
        "Papadopoulos Nikolaidis Karagiannis Economou Vlahos Pappas",
    ),
    "Arabic": ("Mohammed Fatima Khalid Zainab Yousef Layla", "Al-Sayed Haddad Mansour Khoury El-Amin Hijazi"),
    "Persian": ("Farhad Shirin Behrouz Nasrin Dariush Parisa", "Rahimi Ahmadi Ghorbani Farahani Tehrani Moradi"),
    "Nigerian": ("Chukwuemeka Ngozi Babatunde Folake Oluwaseun Ifeoma", "Okonkwo Adeyemi Oyelaran Nwosu Balogun Eze"),
    "East African": (
        "Abdirahman Wanjiru Tesfaye Achieng Selam Kipchumba",
        "Mwangi Ochieng Gebremariam Hassan Kamau Wolde",
    ),
    "Indian": (
        "Lakshmi Venkatesh Priya Harpreet Ananya Rajesh",
        "Subramanian Deshmukh Patel Mukherjee Iyer Bhattacharya",
    ),
    "Chinese": ("Xiaoming Weiling Zhihao Meifang Junjie Yuxuan", "Zhang Huang Xie Ouyang Zhao Liang"),
    "Japanese and Korean": (
        "Haruto Michiko Ji-hoon Hyun-woo Kenji Soo-jin",
        "Nakamura Yamashiro Baek Kang Watanabe Cho",
    ),
    "Vietnamese and Filipino": (
        "Ngoc Thuy Bao Maricel Jhun Quang",
        "Nguyen Pham Macaraeg Tran Magsaysay Vuong",
    ),
    "Pacific and Native American": (
        "Kahananui Leilani Sione Nizhoni Tane Aroha",
        "Keawe Begay Tupou Yazzie Kealoha Faleolo",
    ),
}
FRAMES_EN = (
    "pt {first} {last} w/ new LE edema, BNP 900, ddx?",
    "{first} {last}, 67F, MRN 4471923, EF 35% on metoprolol",
    "Is {first} {last} ok for MRI with this ICD?",
    "start apixaban 5 mg BID in {last}?",
    "Discussed the biopsy with {first} and the family.",
    "72M {last} s/p CABG, now SOB x3 days",
    "Reviewed by Dr. {last}; K 5.9 repeated.",
    "{last}, {first} DOB 4/12/1961 admitted for DKA",
    "her son {first} reports two falls this week",
    "PATIENT: {FIRST} {LAST}\nCC: CHEST PAIN",
    "dr {lower} wants a repeat lactate",
)
ZH = {
    "汉族单姓": ("建国 秀英 浩然 雨桐 志强 晓燕", "王 李 张 陈 赵 黄"),
    "汉族罕姓": ("德厚 春梅 子墨 若曦 国栋 玉兰", "逄 亓 郄 佴 仝 鄢"),
    "复姓": ("文博 婉清 承志 思远 静怡 天佑", "欧阳 司马 上官 诸葛 慕容 东方"),
    "单字名": ("伟 芳 磊 静 洋 敏", "刘 杨 周 吴 徐 孙"),
    "回族": ("耀祖 法图麦 建军 秀兰 小龙 玉梅", "马 哈 撒 穆 纳 丁"),
    "朝鲜族": ("哲洙 英姬 成镐 美善 东旭 顺子", "金 朴 崔 李 郑 姜"),
    "满族": ("玉衡 佳慧 德隆 秀珠 海涛 文绣", "关 佟 那 赫 富察 叶赫那拉"),
    "维吾尔族": (
        "阿依古丽 买买提 古丽娜尔 艾力 热依汗 吐尔逊",
        "·阿布都热合曼 ·买买提 ·吾斯曼 ·库尔班 ·依明 ·阿不都拉",
    ),
    "藏族": ("扎西 卓玛 次仁 央金 丹增 拉姆", "平措 多吉 旺堆 群培 德吉 罗布"),
    "蒙古族": ("巴特尔 其其格 苏和 乌兰 朝鲁 萨仁", "高娃 巴雅尔 图雅 毕力格 那顺 格日勒"),
    "外国译名": ("约翰 玛丽亚 伊万 艾米丽 穆罕默德 安德烈", "·史密斯 ·佩特罗夫 ·加西亚 ·布朗 ·哈桑 ·杜邦"),
}
FRAMES_ZH = (
    "患者{name}，男，67岁，因胸闷3天入院。",
    "姓名：{name}　性别：女　年龄：45岁",
    "患者家属{name}代诉病史，病史可靠。",
    "主治医师：{name}\n记录时间：上午",
    "联系人：{name}（配偶），同意手术。",
    "今日随{name}主任医师查房，指示继续抗感染治疗。",
    "由{name}医生主刀，术中出血约50ml。",
    "{name}，住院号见腕带，诊断为2型糖尿病。",
)
_WRITTEN_FIRST = ("维吾尔族", "藏族", "蒙古族", "外国译名")  # the given name stands first


def notes_of(lang: Lang, culture: str, *, each: int = 6) -> Iterator[Note]:
    """Give notes with names of one culture, marked as PHI."""
    draw = random.Random(20)  # noqa: S311
    firsts, lasts = (names.split() for names in (EN if lang == "en" else ZH)[culture])
    for n_frame, frame in enumerate(FRAMES_EN if lang == "en" else FRAMES_ZH):
        for number in range(each):
            first, last = draw.choice(firsts), draw.choice(lasts)
            whole = first + last if culture in _WRITTEN_FIRST else last + first
            names = {"first": first, "last": last, "FIRST": first.upper(), "LAST": last.upper(), "lower": last.lower()}
            names["name"] = whole
            text, phi = "", []
            for piece in frame.replace("}", "{").split("{"):
                word = names.get(piece, piece)
                if piece in names:
                    phi.append(Span(len(text), len(text) + len(word), "NAME"))
                text += word
            yield Note(f"{n_frame}-{number}", text, lang=lang, phi=tuple(phi))
