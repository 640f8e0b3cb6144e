"""Which weights learn and how fast: layers, adapters, optimisers, the moving average."""

from __future__ import annotations

import pytest
import torch
from safetensors.torch import load_file

from clinlp import UsageError, read_notes
from clinlp.inference.entities import EntityPredictor
from clinlp.models.store import load_model
from clinlp.models.tagger import Tagger, TaggerConfig
from clinlp.models.transformer import TransformerConfig, TransformerEncoder, read_encoder, weight_depths
from clinlp.training.average import Average
from clinlp.training.config import EntitiesConfig
from clinlp.training.finetune import finetune_entities
from clinlp.training.learning import choose_weights, make_optimizer
from clinlp.training.task import Epoch


def config_for(out, encoder="lstm", **options):
    return EntitiesConfig.load(None, train=(out,), out=out, encoder=str(encoder), **options)


@pytest.fixture
def tagger(tiny_bert):
    encoder, shape = read_encoder(str(tiny_bert))
    held = TransformerConfig(model=shape, first=2, last=3)
    return Tagger(TaggerConfig(encoder=held, labels=("A",), head="linear"), TransformerEncoder(held, encoder))


def rates(model, config):
    """The peak rate of every weight that learns."""
    names = {id(weight): name for name, weight in model.named_parameters()}
    groups = make_optimizer(model, config).param_groups
    return {names[id(weight)]: group["peak"] for group in groups for weight in group["params"]}


def test_each_layer_learns_slower_than_the_one_above(tagger, tmp_path):
    found = rates(tagger, config_for(tmp_path, "bert", layer_decay=0.5, learning_rate=0.08, head_learning_rate=0.3))
    top, low, words = (
        next(rate for name, rate in found.items() if part in name) for part in ("layer.1.", "layer.0.", "word_embed")
    )
    assert (top, low, words) == pytest.approx((0.08, 0.04, 0.02))
    assert found["emit.weight"] == 0.3
    assert found.keys() == dict(tagger.named_parameters()).keys()


def test_depths_reach_from_the_embeddings_to_the_layers(tagger):
    depths, n_layers = weight_depths(tagger.encoder)
    assert n_layers == 2
    assert {depth for name, depth in depths.items() if "embeddings" in name} == {0}
    assert {depth for name, depth in depths.items() if ".layer.1." in name} == {2}


def test_an_encoder_that_shares_its_layers_is_refused(tmp_path):
    shape = {"model_type": "albert", "vocab_size": 9, "embedding_size": 8, "hidden_size": 8, "num_hidden_layers": 3}
    held = TransformerConfig(model=shape | {"num_attention_heads": 2, "intermediate_size": 8}, first=2, last=3)
    model = Tagger(TaggerConfig(encoder=held, labels=("A",)))
    with pytest.raises(UsageError, match="layers that can be told apart needed, got albert"):
        choose_weights(model, config_for(tmp_path, "x", freeze_layers=1))


def test_frozen_weights_stay_and_the_others_learn(four_notes, tiny_bert, tmp_path):
    before = load_file(tiny_bert / "model.safetensors")
    options = {"train": (four_notes,), "dev": (four_notes,), "epochs": 2, "freeze_layers": 1}
    config = EntitiesConfig.load(None, out=tmp_path / "run", encoder=str(tiny_bert), **options)
    after = load_file(finetune_entities(config) / "model.safetensors")
    same = {name: torch.equal(weight, after[f"encoder.encoder.{name}"]) for name, weight in before.items()}
    assert all(kept for name, kept in same.items() if "embeddings" in name or ".layer.0." in name)
    assert not any(kept for name, kept in same.items() if name.endswith("weight") and ".layer.1." in name)


def test_more_frozen_layers_than_there_are_is_refused(tagger, tmp_path):
    with pytest.raises(UsageError, match="freeze_layers: at most 2 layers needed, got 3"):
        choose_weights(tagger, config_for(tmp_path, "x", freeze_layers=3))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"layer_decay": 0.9}, "layer_decay: a transformer needed, got an LSTM"),
        ({"freeze_layers": 0}, "freeze_layers: a transformer needed, got an LSTM"),
        ({"lora_rank": 4}, "lora_rank: a transformer needed, got an LSTM"),
        ({"encoder": "x", "lora_targets": ("query",)}, "lora_rank: needed with lora_alpha and lora_targets, got none"),
        ({"encoder": "x", "lora_rank": 2, "freeze_layers": 1}, "freeze_layers: nothing left to freeze"),
        ({"focal": 2.0}, "focal: head linear needed, got crf"),
        ({"class_weights": "inverse"}, "class_weights: head linear needed, got crf"),
        ({"label_weights": ("A=2",)}, "label_weights: head linear needed, got crf"),
    ],
)
def test_options_that_do_not_fit_are_refused_before_any_work(tmp_path, options, message):
    with pytest.raises(UsageError, match=message):
        config_for(tmp_path, **options)


def test_adapters_alone_learn_and_what_is_saved_is_a_plain_model(four_notes, tiny_bert, tmp_path):
    pytest.importorskip("peft")
    options = {"train": (four_notes,), "dev": (four_notes,), "epochs": 3, "lora_rank": 2, "learning_rate": 0.05}
    config = EntitiesConfig.load(None, out=tmp_path / "run", encoder=str(tiny_bert), ema=0.9, **options)
    best = finetune_entities(config)
    before, after = load_file(tiny_bert / "model.safetensors"), load_file(best / "model.safetensors")
    assert {name for name in after if "lora" in name or "base_layer" in name} == set()
    changed = {name for name, weight in before.items() if not torch.equal(weight, after[f"encoder.encoder.{name}"])}
    assert changed == {name for name in before if ".attention." in name and name.endswith(("e.weight", "y.weight"))} - {
        name for name in before if "LayerNorm" in name
    }
    predicted = EntityPredictor(load_model(best), EntityPredictor.load(best).reader)(list(read_notes(four_notes)))
    assert len(predicted) == 4


def test_adapters_of_rank_one_make_an_update_of_rank_one(tagger, tmp_path):
    pytest.importorskip("peft")
    from clinlp.training.adapters import merged

    before = {name: weight.clone() for name, weight in tagger.state_dict().items()}
    choose_weights(tagger, config_for(tmp_path, "x", lora_rank=1, lora_targets=("query", "value")))
    learning = [name for name, weight in tagger.named_parameters() if weight.requires_grad]
    assert sum("lora" in name for name in learning) == 2 * 2 * 2  # layers, targets, two factors
    assert {name for name in learning if "lora" not in name} == {"emit.weight", "emit.bias"}
    for name, weight in tagger.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight)
    adapted = {name: weight.clone() for name, weight in tagger.state_dict().items()}
    pieces, mask = torch.randint(4, 20, (2, 5, 1)), torch.ones(2, 5, dtype=torch.bool)
    scored = tagger.eval().emissions(pieces, mask)
    with merged(tagger):
        plain = {name: weight.clone() for name, weight in tagger.state_dict().items()}
        torch.testing.assert_close(tagger.emissions(pieces, mask), scored)
    assert plain.keys() == before.keys()
    ranks = {
        name: int(torch.linalg.matrix_rank(plain[name] - before[name], atol=1e-5))
        for name in plain
        if plain[name].ndim == 2
    }
    assert {name for name, rank in ranks.items() if rank} == {
        name for name in ranks if "query" in name or "value" in name
    }
    assert set(ranks.values()) == {0, 1}
    assert all(torch.equal(weight, adapted[name]) for name, weight in tagger.state_dict().items())


def test_targets_that_the_encoder_has_not_are_named(tagger, tmp_path):
    pytest.importorskip("peft")
    with pytest.raises(UsageError, match="lora_targets: layers named 'q_proj' needed, got an encoder with query, key"):
        choose_weights(tagger, config_for(tmp_path, "x", lora_rank=1, lora_targets=("q_proj",)))


@pytest.mark.parametrize("optimizer", ["adamw", "adam", "sgd", "adagrad"])
def test_every_optimizer_brings_the_loss_down(four_notes, tmp_path, optimizer):
    options = {"train": (four_notes,), "dev": (four_notes,), "epochs": 6, "hidden": 16, "batch_pieces": 32}
    told = []
    config = EntitiesConfig.load(None, out=tmp_path / "run", optimizer=optimizer, dropout=0.0, **options)
    finetune_entities(config, tell=told.append)
    losses = [news.loss for news in told if isinstance(news, Epoch)]
    assert losses[-1] < 0.95 * losses[0]


def test_only_matrices_decay_and_only_adamw_by_default(tagger, tmp_path):
    for optimizer, decay in (("adamw", 0.01), ("adam", 0.0), ("sgd", 0.0)):
        groups = make_optimizer(tagger, config_for(tmp_path, "x", optimizer=optimizer)).param_groups
        assert {(weight.ndim > 1, group["weight_decay"]) for group in groups for weight in group["params"]} == {
            (True, decay),
            (False, 0.0),
        }


def test_the_average_follows_its_formula_and_gives_the_weights_back():
    model = torch.nn.Linear(2, 1, bias=False)
    average, expected = Average(model, 0.5), model.weight.detach().clone()
    for step in range(1, 9):
        with torch.no_grad():
            model.weight.copy_(torch.randn(1, 2))
        average.update(step)
        decay = min(0.5, (1 + step) / (10 + step))
        expected = decay * expected + (1 - decay) * model.weight.detach()
    raw = model.weight.detach().clone()
    with average.shown():
        torch.testing.assert_close(model.weight.detach(), expected)
    assert torch.equal(model.weight, raw)


def test_the_averaged_weights_are_the_ones_that_are_saved(four_notes, tmp_path):
    options = {"train": (four_notes,), "dev": (four_notes,), "epochs": 1, "hidden": 16, "batch_pieces": 32}
    config = EntitiesConfig.load(None, out=tmp_path / "run", ema=0.9, **options)
    best = load_file(finetune_entities(config) / "model.safetensors")
    [checkpoint] = (tmp_path / "run").glob("checkpoint-*")
    held = load_file(checkpoint / "state.safetensors")
    assert all(torch.equal(weight, held[f"average.{name}"]) for name, weight in best.items())
    assert not torch.equal(best["emit.weight"], held["model.emit.weight"])
