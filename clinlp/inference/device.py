"""Where a model runs and how precisely."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import torch

from clinlp.errors import UsageError
from clinlp.inference.config import Precision
from clinlp.models.diagnoser import Diagnoser
from clinlp.models.patients import PatientDiagnoser
from clinlp.models.tagger import Tagger

__all__ = ["Precision", "autocast", "place", "settle", "usual_batch"]


def place(model: Tagger | Diagnoser | PatientDiagnoser, device: str | None) -> torch.device:
    """Move a model to a device: the one named, else a GPU if there is one. An export stays on the CPU.

    Raises:
        UsageError: The device is not known or not there, or not for a model of this form.
    """
    form = model.config.encoder.form
    if form != "float":
        if device not in (None, "cpu"):
            raise UsageError(f"device: cpu needed for a model in the form {form}, got {device!r}")
        return torch.device("cpu")
    try:
        where = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        model.to(where)
    except (RuntimeError, AssertionError):
        raise UsageError(f"device: cpu or a CUDA device of this machine needed, got {device!r}") from None
    return where


def settle(model: Tagger | Diagnoser | PatientDiagnoser, precision: Precision) -> Precision:
    """Give the precision in which a model is to compute; an export has its own.

    Raises:
        UsageError: Another is asked of an export.
    """
    form = model.config.encoder.form
    if form == "float":
        return precision
    if precision == "bf16":
        raise UsageError(f"precision: auto or fp32 needed for a model in the form {form}, got bf16")
    return "fp32"


def usual_batch(device: torch.device) -> int:
    """Give the pieces of a batch that keep a device busy: a GPU takes many at once, a CPU what its caches hold."""
    return 65_536 if device.type == "cuda" else 8192


def autocast(device: torch.device, precision: Precision, kind: str) -> AbstractContextManager[object]:
    """Give the context in which a model of a kind (`lstm`, `cnn`, `transformer`, `stacked`) runs.

    `auto` takes bf16 for a transformer where the hardware multiplies bf16 matrices itself; an LSTM is
    bound by its steps, not by its products, and stays in float32, as does a CNN, which is small.
    """
    wanted = precision == "bf16" or (precision == "auto" and kind in ("transformer", "stacked") and _has_bf16(device))
    return torch.autocast(device.type, torch.bfloat16) if wanted else nullcontext()


def _has_bf16(device: torch.device) -> bool:
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported())  # type: ignore[no-untyped-call, unused-ignore]
    capabilities = torch.backends.cpu.get_cpu_capability()
    return bool(torch.cpu._is_avx512_bf16_supported()) if "AVX512" in capabilities else False  # noqa: SLF001
