"""Train a classifier of contexts: a diagnoser that reads each entity's sentence, and whose codes are what it says."""

from __future__ import annotations

from pathlib import Path

from clinlp.data.mentions import mention_notes
from clinlp.errors import DataError
from clinlp.training.config import ContextConfig
from clinlp.training.diagnosis import finetune_diagnosis
from clinlp.training.parts import Parts, Tell, read_parts


def finetune_context(
    config: ContextConfig,
    *,
    resume: bool = False,
    tell: Tell | None = None,
    parts: Parts | None = None,
) -> Path:
    """Train on the entities of notes that have a context; give the folder of the best epoch.

    Raises:
        DataError: No entity has one, or none says anything.
    """
    notes, dev = (list(mention_notes(part)) for part in parts or read_parts(config))
    for name, part in (("train", notes), ("dev", dev)):
        if not any(note.diagnoses for note in part):
            raise DataError(f"{name}: entities with a context that says something needed, got none")
    return finetune_diagnosis(config, resume=resume, tell=tell, parts=(notes, dev))
