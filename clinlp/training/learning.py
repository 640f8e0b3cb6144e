"""Which weights learn, at what rate, and by which rule."""

from __future__ import annotations

from typing import Any

from torch import nn
from torch.optim import SGD, Adagrad, Adam, AdamW, Optimizer

from clinlp.errors import UsageError
from clinlp.models.stacked import StackedEncoder
from clinlp.models.transformer import TransformerEncoder, weight_depths
from clinlp.training.adapters import add_adapters
from clinlp.training.config import FROM_SCRATCH, DiagnosisConfig, TrainConfig

_RATES = {  # of an LSTM or a CNN, a transformer, and the layers on top
    "adamw": (1e-3, 1e-4, 1e-3),
    "adam": (1e-3, 1e-4, 1e-3),
    "sgd": (0.05, 0.01, 0.05),
    "adagrad": (0.02, 2e-3, 0.02),
}
_CODES = (
    2,
    4,
)  # times: a diagnoser from scratch sees each of many codes in a few notes; one class a note does as well without
_ADAPTER = 5  # adapters take larger steps than a whole encoder


def choose_weights(model: nn.Module, config: TrainConfig) -> None:
    """Freeze what shall stay as it is and put adapters where they are asked for.

    Raises:
        UsageError: The encoder has too few layers, or none of the names that adapters shall go to.
        MissingExtraError: Adapters need peft.
    """
    encoder = _transformer(model)
    if encoder is None:
        return
    if config.lora_rank is not None:
        add_adapters(encoder, config.lora_rank, config.lora_alpha, config.lora_targets)
    if config.freeze_layers is not None:
        depths, n_layers = weight_depths(encoder)
        if config.freeze_layers > n_layers:
            raise UsageError(f"freeze_layers: at most {n_layers} layers needed, got {config.freeze_layers}")
        for name, weight in encoder.named_parameters():
            weight.requires_grad_(depths[name] > config.freeze_layers)


def make_optimizer(model: nn.Module, config: TrainConfig) -> Optimizer:
    """Give the optimiser over the weights that learn; each group knows the peak of its rate."""
    groups = _groups(model, config)
    # In one pass over the weights: on a CPU several times as fast. A scaler must be able to leave a step out.
    fused = config.precision != "fp16"
    match config.optimizer:
        case "adamw":
            return AdamW(groups, fused=fused)
        case "adam":
            return Adam(groups, fused=fused)
        case "sgd":
            return SGD(groups, momentum=config.momentum)
        case "adagrad":
            return Adagrad(groups)


def _groups(model: nn.Module, config: TrainConfig) -> list[dict[str, Any]]:
    """Part the weights by rate and decay: biases and norms do not decay."""
    of_words, of_transformer, of_head = _RATES[config.optimizer]
    encoder_rate = config.learning_rate or (
        of_words if config.encoder in FROM_SCRATCH else of_transformer * (1 if config.lora_rank is None else _ADAPTER)
    )
    head_rate = config.head_learning_rate or of_head
    if isinstance(config, DiagnosisConfig) and not config.single and config.encoder in FROM_SCRATCH:
        encoder_rate = config.learning_rate or _CODES[0] * of_words
        head_rate = config.head_learning_rate or _CODES[1] * of_head
    weight_decay = config.weight_decay
    if weight_decay is None:
        weight_decay = 0.01 if config.optimizer == "adamw" else 0.0
    shares = _shares(model, config.layer_decay)
    # What is put on top of a transformer starts from nothing, as heads do.
    inside = "encoder.transformer." if isinstance(model.encoder, StackedEncoder) else "encoder."
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, weight in model.named_parameters():
        if weight.requires_grad:
            rate = encoder_rate * shares.get(name, 1.0) if name.startswith(inside) else head_rate
            groups.setdefault((rate, weight_decay if weight.ndim > 1 else 0.0), []).append(weight)
    return [
        {"params": weights, "lr": rate, "peak": rate, "weight_decay": decay}
        for (rate, decay), weights in groups.items()
    ]


def _shares(model: nn.Module, layer_decay: float) -> dict[str, float]:
    """The share of the encoder's rate that each of its weights gets: the highest layer all of it.

    Source: Howard & Ruder (2018), arXiv 1801.06146, section 3.2 (discriminative fine-tuning).
    """
    encoder = _transformer(model)
    if layer_decay == 1 or encoder is None:
        return {}
    depths, n_layers = weight_depths(encoder)
    inside = "encoder." if encoder is model.encoder else "encoder.transformer."
    return {f"{inside}{name}": layer_decay ** max(0, n_layers - depth) for name, depth in depths.items()}


def _transformer(model: nn.Module) -> TransformerEncoder | None:
    """Give the transformer of a model, if it has one."""
    encoder = model.encoder
    if isinstance(encoder, StackedEncoder):
        return encoder.transformer
    return encoder if isinstance(encoder, TransformerEncoder) else None
