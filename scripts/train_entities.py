"""Fine-tune an entity tagger: `clinlp train entities` as a script, for `accelerate launch`.

python scripts/train_entities.py --train train.jsonl --dev dev.jsonl -o runs/one
accelerate launch --num_processes 2 scripts/train_entities.py --train train.jsonl -o runs/one
"""

from __future__ import annotations

import sys

from clinlp.cli import main

if __name__ == "__main__":
    main(["train", "entities", *sys.argv[1:]])
