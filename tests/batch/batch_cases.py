"""Records that the batch tests share, and how their output is read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

EN = "Seen by Dr. Jane Doe on 03/12/2021. MRN: 4482913. Denies chest pain. Takes metformin 500 mg twice daily. 😀 café"
ZH = "姓名：王小明，住院号：20240318。主诉：反复胸闷2年。否认糖尿病。予阿司匹林100mg每日一次。𠮷野家"


def records(n_notes: int) -> list[dict[str, Any]]:
    texts = (EN, ZH, f"{EN}\n{EN}", "")
    return [{"note_id": f"n{at}", "text": texts[at % 4], "patient_id": f"p{at}", "ward": "7b"} for at in range(n_notes)]


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def released(out: Path) -> list[dict[str, Any]]:
    return [record for part in sorted(out.glob("part-*.jsonl")) for record in lines(part)]
