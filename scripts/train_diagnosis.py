"""Fine-tune a diagnoser: the command `clinlp train diagnosis` as a script, which `accelerate launch` needs.

python scripts/train_diagnosis.py --train train.jsonl --dev dev.jsonl -o runs/one
accelerate launch --num_processes 2 scripts/train_diagnosis.py --train train.jsonl -o runs/one
"""

from __future__ import annotations

import runpy
import sys

if __name__ == "__main__":
    sys.argv[1:1] = ["train", "diagnosis"]
    runpy.run_module("clinlp", run_name="__main__")
