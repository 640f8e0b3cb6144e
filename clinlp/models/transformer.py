"""Any Hugging Face encoder behind the interface of the package."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final, Literal

import torch
from torch import Tensor, nn

from clinlp.config import Config
from clinlp.errors import UsageError
from clinlp.models.form import Form

_HUB_SECONDS: Final = 10.0
"""Time that the hub has to say whether it has a model."""


class TransformerConfig(Config):
    """What an encoder is: its own configuration and the two pieces around a window."""

    kind: Literal["transformer"] = "transformer"
    form: Form = "float"
    model: dict[str, Any]  # the encoder's config.json
    first: int  # piece put before a window: [CLS], <s>
    last: int  # piece put after it: [SEP], </s>
    pad: int = 0
    dropout: float = 0.1
    max_pieces: int = 254
    overlap: int = 64

    @property
    def width(self) -> int:
        """Numbers of a hidden state."""
        return int(self.model["hidden_size"])


class TransformerEncoder(nn.Module):
    """Wraps a bare encoder; adds the pieces around each window itself, so that callers see text only."""

    def __init__(self, config: TransformerConfig, encoder: nn.Module | None = None) -> None:
        super().__init__()
        self.config = config
        self.encoder = encoder if encoder is not None else _build(config.model)
        self.width = config.width
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, pieces: Tensor, mask: Tensor) -> Tensor:
        """Encode every piece in the light of its whole window.

        Args:
            pieces: `(window, piece, 1)`, int64.
            mask: `(window, piece)`, bool, True where a piece is real; padding is at the end.

        Returns:
            Hidden states, `(window, piece, hidden)`.
        """
        ids = pieces[..., 0].masked_fill(~mask, self.config.pad)
        ids = nn.functional.pad(ids, (1, 1), value=self.config.pad)
        ids[:, 0] = self.config.first
        ids.scatter_(1, mask.sum(1, keepdim=True) + 1, self.config.last)
        attended = nn.functional.pad(mask, (2, 0), value=True)
        hidden: Tensor = self.encoder(input_ids=ids, attention_mask=attended.long()).last_hidden_state
        dropped: Tensor = self.dropout(hidden[:, 1:-1])
        return dropped

    def look_up(self, pieces: Tensor) -> Tensor:
        """Give the vector of every piece as it stands in the table, `(window, piece, embedding)`."""
        model: Any = self.encoder
        vectors: Tensor = model.get_input_embeddings()(pieces[..., 0])
        return vectors


def read_encoder(source: str) -> tuple[nn.Module, dict[str, Any]]:
    """Load a pretrained encoder from a local folder, or from the hub when `source` is a hub id.

    Weights come from safetensors alone.

    Returns:
        The bare encoder and its configuration.

    Raises:
        UsageError: The folder holds no encoder, or weights of another one; or the hub has none of the name or cannot
            be reached.
    """
    from transformers import AutoModel

    load = partial(AutoModel.from_pretrained, source, use_safetensors=True, dtype=torch.float32)
    with _no_encoder(source), _quiet():
        _need_hub(source)
        encoder, told = _without_pooler(partial(load, output_loading_info=True))
    if missing := sorted(name for name in told["missing_keys"] if "pooler" not in name):
        raise UsageError(
            f"{source}: weights of its config.json needed, got none of {missing[0]} and {len(missing) - 1} more"
        )
    return encoder, encoder.config.to_diff_dict() | {"hidden_size": encoder.config.hidden_size}


def add_rows(encoder: nn.Module, alike: Mapping[int, Sequence[int]]) -> int:
    """Give new pieces rows of their own, each the mean of the rows of pieces that are like it.

    Args:
        alike: For the id of each new piece those of the others; ids are at most the number of rows, or follow on.

    Returns:
        How many rows there are now.
    """
    model: Any = encoder
    n_rows = max(int(model.get_input_embeddings().num_embeddings), max(alike) + 1)
    model.resize_token_embeddings(n_rows, mean_resizing=False)
    rows: Tensor = model.get_input_embeddings().weight.data
    means: dict[tuple[int, ...], Tensor] = {}
    for piece, others in alike.items():
        key = tuple(others)
        if key not in means:
            means[key] = rows[list(key)].double().mean(0).to(rows)
        rows[piece] = means[key]
    return n_rows


def hub_file(name: str, file: str) -> Path:
    """Fetch one file of a hub repository; the network is reached because the user named its id."""
    from huggingface_hub import hf_hub_download

    with _no_encoder(name):
        _need_hub(name)
        return Path(hf_hub_download(name, file))


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep transformers from drawing bars and from listing the weights of heads, which an encoder has no use for."""
    from transformers.utils import logging

    before = logging.get_verbosity()
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    try:
        yield
    finally:
        logging.set_verbosity(before)


def _need_hub(source: str) -> None:
    """Ask the hub once for a model that is neither here nor in its cache; loading would ask many times and wait.

    Raises:
        OSError: The hub is out of reach.
        ValueError: It has no such model, or the name cannot be one.
    """
    from huggingface_hub import HfApi, try_to_load_from_cache
    from huggingface_hub.errors import HfHubHTTPError

    if Path(source).is_dir() or isinstance(try_to_load_from_cache(source, "config.json"), str):
        return
    try:
        HfApi().model_info(source, timeout=_HUB_SECONDS)
    except HfHubHTTPError as error:
        raise ValueError(type(error).__name__) from None
    except (OSError, ValueError):
        raise
    except Exception as error:  # noqa: BLE001  # whatever the client's way to the network says
        raise OSError(type(error).__name__) from None


@contextmanager
def _no_encoder(source: str) -> Iterator[None]:
    """Turn the many errors of a hub that cannot be reached, or has no such model, into one line."""
    try:
        yield
    except (OSError, ValueError) as error:
        raise UsageError(
            f"{source}: an encoder in a local folder, or a hub id within reach, needed, got {type(error).__name__}"
        ) from None


def weight_depths(encoder: TransformerEncoder) -> tuple[dict[str, int], int]:
    """Say how deep each weight lies: embeddings 0, the lowest layer 1, what comes after all layers one more.

    Returns:
        The depth of each of `encoder.named_parameters()`, and the number of layers.

    Raises:
        UsageError: The encoder is not a row of layers with weights of their own.
    """
    shape: Any = encoder.encoder.config
    n_layers = int(getattr(shape, "num_hidden_layers", 0))
    stacks = [
        name
        for name, part in encoder.named_modules()
        if n_layers and isinstance(part, nn.ModuleList) and len(part) == n_layers
    ]
    if not stacks:
        raise UsageError(f"an encoder of layers that can be told apart needed, got {shape.model_type}")
    place = re.compile(re.escape(stacks[0]) + r"\.(\d+)\.")
    depths = {}
    for name, _ in encoder.named_parameters():
        found = place.match(name)
        depths[name] = int(found[1]) + 1 if found else 0 if "embed" in name else n_layers + 1
    return depths, n_layers


def _build(config: dict[str, Any]) -> nn.Module:
    """Make an encoder of the given shape with fresh weights."""
    from transformers import AutoConfig, AutoModel

    options = {key: value for key, value in config.items() if key != "model_type"}
    shape = AutoConfig.for_model(config["model_type"], **options)
    built: nn.Module = _without_pooler(partial(AutoModel.from_config, shape))
    return built


def _without_pooler(make: Callable[..., Any]) -> Any:
    """Make an encoder without the layer that BERT's kin have on top and others cannot be told to leave out."""
    try:
        return make(add_pooling_layer=False)
    except TypeError:
        return make()
