"""Names of twenty cultures are found at equal rates: common first and last names of each, put together at random."""

from __future__ import annotations

import random

from clinlp.deid import default_detectors, find_phi
from clinlp.metrics.leakage import score_leakage
from clinlp.note import Note
from clinlp.spans import Span

CULTURES = {
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
        "Nguyen Pham Dela Cruz Tran Magsaysay Vuong".replace("Dela Cruz", "Macaraeg"),
    ),
    "Pacific and Native American": (
        "Kahananui Leilani Sione Nizhoni Tane Aroha",
        "Keawe Begay Tupou Yazzie Kealoha Faleolo",
    ),
}
FRAMES = (
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


def notes_of(firsts: list[str], lasts: list[str]) -> list[Note]:
    draw = random.Random(20)  # noqa: S311
    notes = []
    for n_frame, frame in enumerate(FRAMES):
        for number in range(6):
            first, last = draw.choice(firsts), draw.choice(lasts)
            names = {"first": first, "last": last, "FIRST": first.upper(), "LAST": last.upper(), "lower": last.lower()}
            text, phi, at = "", [], 0
            for piece in frame.replace("}", "{").split("{"):
                word = names.get(piece, piece)
                if piece in names:
                    phi.append(Span(at, at + len(word), "NAME"))
                text, at = text + word, at + len(word)
            notes.append(Note(f"{n_frame}-{number}", text, lang="en", phi=tuple(phi)))
    return notes


def recall(firsts: str, lasts: str) -> float:
    gold = notes_of(firsts.split(), lasts.split())
    found = find_phi([Note(note.note_id, note.text, lang="en") for note in gold], default_detectors())
    return score_leakage(gold, found).overall.character_recall


def test_names_of_twenty_cultures_are_found_alike() -> None:
    found = {culture: recall(*names) for culture, names in CULTURES.items()}
    lowest = min(found, key=lambda culture: found[culture])
    assert len(found) >= 20
    assert found[lowest] >= 0.97, f"{lowest}: {found[lowest]:.3f}"
    assert max(found.values()) - found[lowest] <= 0.03, {culture: round(share, 3) for culture, share in found.items()}
