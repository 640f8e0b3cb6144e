"""All codes at once are fitted as scikit-learn fits them one by one, however the features are held."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sparse
import torch

from clinlp.models.diagnoser import DiagnoserConfig
from clinlp.models.lstm import LstmConfig, LstmEncoder
from clinlp.training import logistic
from clinlp.training.codes import CodeSet, start_diagnoser
from clinlp.training.logistic import fit_codes

NOTES, FEATURES, CODES = 120, 300, 40


@pytest.fixture(scope="module")
def problem():
    rng = np.random.default_rng(3)
    values = sparse.random(NOTES, FEATURES, 0.08, format="csr", random_state=3)
    values.data += 0.1
    lengths = np.sqrt(np.asarray(values.multiply(values).sum(1)).ravel())
    values = (sparse.diags(1 / lengths) @ values).tocsr()
    gold = rng.random((NOTES, CODES)) < np.geomspace(0.01, 0.95, CODES)
    gold[0], gold[1] = True, False
    gold[:, 5] = np.arange(NOTES) == 0  # one note
    gold[:, 6] = np.asarray(values[:, :30].sum(1) > values[:, 30:60].sum(1)).ravel()  # told by the features
    return values, gold


def by_scikit_learn(values, gold, strength):
    from sklearn.linear_model import LogisticRegression

    models = [LogisticRegression(C=strength, tol=1e-10, max_iter=10_000).fit(values, column) for column in gold.T]
    return np.stack([model.coef_[0] for model in models], 1), np.array([model.intercept_[0] for model in models])


@pytest.mark.parametrize("few", [0, 1500], ids=["features", "notes"])
@pytest.mark.parametrize("strength", [1.0, 300.0])
def test_the_optimum_is_that_of_scikit_learn(problem, monkeypatch, few, strength):
    values, gold = problem
    monkeypatch.setattr(logistic, "_FEW", few)
    weight, bias = fit_codes(values, gold, strength)
    wanted, rest = by_scikit_learn(values, gold, strength)
    assert weight.shape == (FEATURES, CODES)
    np.testing.assert_allclose(weight.numpy(), wanted, atol=0.02)
    np.testing.assert_allclose(values @ weight.numpy() + bias.numpy(), values @ wanted + rest, atol=0.03)


def test_blocks_of_codes_and_codes_that_are_done_change_nothing(problem, monkeypatch):
    values, gold = problem
    whole, bias = fit_codes(values, gold, 30.0)
    monkeypatch.setattr(logistic, "_MOST_CELLS", 1)
    monkeypatch.setattr(logistic, "_LEAST_CODES", 7)
    parts, others = fit_codes(values, gold, 30.0)
    torch.testing.assert_close(whole, parts, atol=0.01, rtol=0)
    torch.testing.assert_close(bias, others, atol=0.01, rtol=0)


def test_notes_that_are_all_alike_leave_the_bias_alone_to_tell():
    values = sparse.csr_matrix(np.ones((8, 3)))
    gold = np.array([[True, False]] * 3 + [[False, True]] * 5)
    weight, bias = fit_codes(values, gold, 300.0)
    torch.testing.assert_close(torch.sigmoid(weight.sum(0) + bias), torch.tensor([3 / 8, 5 / 8]), atol=1e-3, rtol=0)


@pytest.mark.parametrize("single", [False, True])
def test_a_diagnoser_first_says_how_usual_each_code_is(single):
    shape = LstmConfig(n_words=9, n_characters=9, word_width=8, hidden=8)
    codes = CodeSet(("A", "B", "C"), (1, 5, 2), (None,) * 8, ())
    model = start_diagnoser(
        DiagnoserConfig(encoder=shape, codes=codes.codes, single=single), LstmEncoder(shape), codes, None
    )
    bias = model.attention.bias.detach()
    said = torch.softmax(bias, 0) if single else torch.sigmoid(bias)
    wanted = (np.array([1, 5, 2]) + 0.5) / (9.5 if single else 9)
    np.testing.assert_allclose(said.numpy(), wanted, rtol=1e-5)
