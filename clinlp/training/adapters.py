"""Low-rank adapters: few weights that learn beside an encoder that stays as it is.

Source: Hu et al. (2021), LoRA, arXiv 2106.09685.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import nn

from clinlp.errors import MissingExtraError, UsageError
from clinlp.models.transformer import TransformerEncoder

_ATTENTION = re.compile(r"(^|\.)\w*att(n|ention)\w*\.")
_NAME = "default"


def add_adapters(encoder: TransformerEncoder, rank: int, alpha: int | None, targets: Sequence[str] = ()) -> None:
    """Freeze an encoder and put an adapter beside its linear layers; they start without effect.

    Args:
        alpha: What adapters add counts `alpha / rank` times; None: twice.
        targets: Last parts of the layers' names (`query`); empty: all that lie in an attention.

    Raises:
        MissingExtraError: peft is not installed.
        UsageError: The encoder has no linear layer of these names.
    """
    try:
        from peft import LoraConfig, inject_adapter_in_model
    except ImportError:
        raise MissingExtraError("peft", "lora") from None
    linear = [name for name, layer in encoder.encoder.named_modules() if isinstance(layer, nn.Linear)]
    wanted = set(targets)
    chosen = [name for name in linear if (name.rsplit(".", 1)[-1] in wanted if wanted else _ATTENTION.search(name))]
    absent = sorted(wanted - {name.rsplit(".", 1)[-1] for name in chosen})
    if absent or not chosen:
        known = ", ".join(dict.fromkeys(name.rsplit(".", 1)[-1] for name in linear))
        needed = "linear layers in an attention" if not wanted else f"layers named {absent[0]!r}"
        raise UsageError(f"lora_targets: {needed} needed, got an encoder with {known or 'none'}")
    options = LoraConfig(r=rank, lora_alpha=2 * rank if alpha is None else alpha, target_modules=chosen)
    inject_adapter_in_model(options, encoder.encoder, _NAME)


@contextmanager
def merged(model: nn.Module) -> Iterator[None]:
    """Stand plain linear layers in the place of those with adapters, for as long as the context lasts.

    What is then scored and saved is a plain model, and the frozen weights never drift by being
    merged and parted again.
    """
    from peft.tuners.lora import Linear

    adapted = {name: layer for name, layer in model.named_modules() if isinstance(layer, Linear)}
    try:
        for name, layer in adapted.items():
            base = layer.get_base_layer()
            if isinstance(base, nn.Linear):
                _put(model, name, _plain(base, layer.get_delta_weight(_NAME)))
        yield
    finally:
        for name, layer in adapted.items():
            _put(model, name, layer)


@torch.no_grad()
def _plain(base: nn.Linear, delta: torch.Tensor) -> nn.Linear:
    """A linear layer with the adapter's effect in its weights."""
    made = nn.Linear(base.in_features, base.out_features, base.bias is not None, base.weight.device, base.weight.dtype)
    made.weight.copy_(base.weight + delta)
    if base.bias is not None:
        made.bias.copy_(base.bias)
    return made.eval()


def _put(model: nn.Module, name: str, layer: nn.Module) -> None:
    """Put a layer in the place of that name."""
    parent, _, own = name.rpartition(".")
    setattr(model.get_submodule(parent), own, layer)
