from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from .batch_cases import EN, ZH


@pytest.fixture
def dump(tmp_path: Path) -> Callable[..., Path]:
    def write(rows: Sequence[dict[str, Any] | bytes], name: str = "dump.jsonl") -> Path:
        path = tmp_path / name
        path.write_bytes(
            b"".join(row + b"\n" if isinstance(row, bytes) else json.dumps(row).encode() + b"\n" for row in rows)
        )
        return path

    return write


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Two models with random weights, of one seed: what they predict is nonsense, and always the same."""
    import torch

    from clinlp.data.pieces import LexicalPieces
    from clinlp.models.diagnoser import Diagnoser, DiagnoserConfig
    from clinlp.models.lstm import LstmConfig
    from clinlp.models.store import save_model
    from clinlp.models.tagger import Tagger, TaggerConfig

    torch.manual_seed(1)
    torch.set_num_threads(1)
    reader = LexicalPieces.build([EN, ZH])
    shape = LstmConfig(
        n_words=reader.n_words,
        n_characters=reader.n_characters,
        word_width=16,
        character_width=16,
        hidden=8,
        max_pieces=32,
        overlap=8,
    )
    made = {
        "entities": Tagger(TaggerConfig(encoder=shape, labels=("DISEASE", "DRUG"))),
        "diagnosis": Diagnoser(DiagnoserConfig(encoder=shape, codes=("E11", "I10", "J18"), threshold=0.1)),
    }
    folders = {}
    for name, model in made.items():
        folders[name] = tmp_path_factory.mktemp(name)
        save_model(folders[name], model)
        reader.save(folders[name])
    return folders
