"""Fit what stands beside a network: n-grams, names of codes, and weights of models in an ensemble."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from clinlp.data.ngrams import NgramReader, ngrams
from clinlp.models.baselines import Tfidf, TfidfConfig, evidence
from clinlp.models.codes import CodesConfig
from clinlp.note import Note
from clinlp.training.logistic import fit_codes

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

_MOST_FEATURES: Final = 100_000
_MOST_WEIGHTS: Final = 2**25  # of all codes: 134 MB
_MOST_CELLS: Final = 1 << 22  # of an (n-gram, code) table
_STRENGTH: Final = 300.0  # inverse of the penalty on weights; few notes have a code, so that each must count much
_STRENGTH_OF_ONE: Final = 10.0  # the same, where each note has one code of them all
_SCARCE: Final = 100  # notes: with fewer an n-gram of one note counts too
_NAMED, _UNNAMED = 5.0, 20.0  # notes that what holds for all codes counts for, in the rates of one code
_PRIOR: Final = 1.0  # how strongly weights of an ensemble are held to equal ones, against the loss of one note


def targets(notes: Sequence[Note], codes: Sequence[str], code_length: int | None) -> Bools:
    """Say which note has which code, `(note, code)`; codes that are not learned are left out."""
    places = {code: at for at, code in enumerate(codes)}
    held = np.zeros((len(notes), len(codes)), bool)
    for row, note in enumerate(notes):
        for diagnosis in note.diagnoses or ():
            at = places.get(diagnosis.code[:code_length])
            if at is not None:
                held[row, at] = True
    return held


def fit_tfidf(notes: Sequence[Note], shape: CodesConfig) -> tuple[Tfidf, NgramReader]:
    """Fit logistic regression over the n-grams of notes; notes without text are left out.

    An n-gram counts the more, besides its idf, the more it tells of some code (`telling`).
    A code that all notes have, or none, needs no n-grams: it gets the odds of its counts, with half a note
    added to both sides.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.preprocessing import normalize

    notes = [note for note in notes if any(map(str.isalnum, note.text))]
    gold = targets(notes, shape.codes, shape.code_length)
    if shape.single:  # a note without a code says nothing about which of all it is
        notes = [note for note, row in zip(notes, gold, strict=True) if row.any()]
        gold = gold[gold.any(1)]
    most = max(1, min(_MOST_FEATURES, _MOST_WEIGHTS // len(shape.codes)))
    least = 1 if len(notes) < _SCARCE else 2
    vectorizer = TfidfVectorizer(analyzer=ngrams, sublinear_tf=True, min_df=least, max_features=most)
    if notes:
        values = vectorizer.fit_transform([note.text for note in notes])
        weights = telling(values, gold)
        values = normalize(values.multiply(weights).tocsr())
        reader = NgramReader(vectorizer.get_feature_names_out().tolist(), vectorizer.idf_ * weights)
    else:
        values, reader = None, NgramReader([], [])
    config = TfidfConfig(**_shape(shape), n_features=len(reader.ngrams))
    model = Tfidf(config)
    weight, model.bias = (_fit_single if shape.single else _fit_each)(values, gold)
    model.weight = weight.contiguous()
    return model, reader


def telling(values: Any, gold: Bools) -> Floats:
    """Give how much each n-gram tells of the code that it tells most of, `(feature,)`.

    That is the root of how many standard deviations the notes with n-gram and code are more, or fewer, than they would
    be by chance; one is added to the variance, so that what few notes have says little.

    Source: Debole & Sebastiani (2003), Supervised Term Weighting for Automated Text Categorization, SAC (weights by
    chi-square, the largest of all codes).

    Args:
        values: `(note, feature)`, a sparse matrix of scipy, not 0 where a note has the n-gram.
        gold: `(note, code)`.
    """
    held = (values != 0).astype(np.float32)
    sparse = type(held)
    n_held = np.asarray(held.sum(0), np.float32).T
    most = np.zeros(held.shape[1])
    some = np.flatnonzero(gold.any(0) & ~gold.all(0))
    size = max(1, _MOST_CELLS // max(1, held.shape[1]))
    for begin in range(0, len(some), size):
        codes = gold[:, some[begin : begin + size]]
        both, expected = (held.T @ sparse(codes.astype(np.float32))).toarray(), n_held * codes.mean(0)
        off = np.abs(both - expected) / np.sqrt(expected * (1 - codes.mean(0)) + 1)
        most = np.maximum(most, off.max(1))
    return np.sqrt(most) if len(some) else np.ones_like(most)


def _fit_each(values: Any, gold: Bools) -> tuple[Tensor, Tensor]:
    """Fit each code on its own; give weights `(feature, code)` and biases."""
    n_notes, n_codes = gold.shape
    n_with = gold.sum(0)
    bias = torch.from_numpy(np.log((n_with + 0.5) / (n_notes - n_with + 0.5))).float()
    weight = torch.zeros(0 if values is None else values.shape[1], n_codes)
    some = np.flatnonzero((n_with > 0) & (n_with < n_notes))
    if len(some):
        weight[:, some], bias[some] = fit_codes(values, gold[:, some], _STRENGTH)
    return weight, bias


def _fit_single(values: Any, gold: Bools) -> tuple[Tensor, Tensor]:
    """Fit all codes against each other; give weights `(feature, code)` and biases."""
    from sklearn.linear_model import LogisticRegression

    n_with = gold.sum(0)
    bias = np.log(n_with + 0.5)
    weight = np.zeros((gold.shape[1], 0 if values is None else values.shape[1]))
    if len(gold) and len(first := np.unique(of_note := gold.argmax(1))) > 1:
        fitted = LogisticRegression(C=_STRENGTH_OF_ONE, max_iter=300)
        _fit(fitted, values, of_note)
        if len(first) == 2:  # one regression says it for both
            weight[first[1]], bias[first] = fitted.coef_[0], (0.0, fitted.intercept_[0])
        else:
            weight[first], bias[first] = fitted.coef_, fitted.intercept_
        rest = np.setdiff1d(np.arange(len(bias)), first)  # codes that no note has first
        bias[rest] = bias[first].min() - math.log(2 * len(gold) + 1)
    return torch.from_numpy(weight.T.astype(np.float32)), torch.from_numpy(bias.astype(np.float32))


def _fit(model: Any, values: Any, gold: NDArray[Any]) -> None:
    """Fit a regression; one that stops early is good enough for its purpose."""
    from sklearn.exceptions import ConvergenceWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(values, gold)


def name_rates(named: Bools, gold: Bools, usual: Floats) -> tuple[Floats, Floats]:
    """Give how often each code is right where a note names it, and where it does not.

    Codes of few notes lean on the rate of all codes; unnamed ones on how often the code is at all.

    Args:
        named: `(note, code)`.
        gold: `(note, code)`.
        usual: `(code,)`, the share of training notes with the code.
    """
    n_named, n_unnamed = named.sum(0), (~named).sum(0)
    hits, missed = (named & gold).sum(0), (~named & gold).sum(0)
    shared = (hits.sum() + 1) / (n_named.sum() + 2)
    rates = (hits + _NAMED * shared) / (n_named + _NAMED)
    expected = float((usual * n_unnamed).sum())
    prior = np.clip(usual * (missed.sum() + 1) / (expected + 1), 1e-6, 0.5)
    rest = (missed + _UNNAMED * prior) / (n_unnamed + _UNNAMED)
    return np.maximum(rates, rest), rest


def fit_weights(stacked: Floats, gold: Bools, *, single: bool) -> tuple[Floats, float]:
    """Give the weight of each member, none below 0, and a bias, by logistic regression on its log-odds.

    Held by a weak prior to equal weights, so that a few notes move them little. Without a gold code they are equal.

    Args:
        stacked: `(member, note, code)`, probabilities.
        gold: `(note, code)`.
    """
    n = len(stacked)
    equal = np.append(np.full(n, 1 / n), 0.0)
    rows = gold.any(1) if single else np.ones(len(gold), bool)
    if not gold.any():
        return equal[:-1], 0.0
    said = evidence(torch.from_numpy(stacked[:, rows]), single=single).numpy()
    if single:
        found = _newton(lambda theta: _multinomial(said, gold[rows].argmax(1), theta), equal)
        return found[:-1], 0.0
    flat = np.concatenate([said.reshape(n, -1), np.ones((1, said[0].size))])
    found = _newton(lambda theta: _binary(flat, gold[rows].ravel(), theta), equal)
    return found[:-1], float(found[-1])


_Curve = Callable[[Floats], tuple[float, Floats, Floats]]


def _newton(loss: _Curve, start: Floats) -> Floats:
    """Find the least loss with no weight but the last below 0, by projected Newton steps (Bertsekas 1982)."""
    prior = np.append(np.full(len(start) - 1, _PRIOR), 1e-6)
    least = np.append(np.zeros(len(start) - 1), -np.inf)

    def held(theta: Floats) -> tuple[float, Floats, Floats]:
        value, slope, bend = loss(theta)
        off = theta - start
        return value + float(prior @ off**2) / 2, slope + prior * off, bend + np.diag(prior)

    theta, (value, slope, bend) = start, held(start)
    for _ in range(50):
        free = ~((theta <= least) & (slope > 0))
        step = np.zeros_like(theta)
        step[free] = np.linalg.solve(bend[np.ix_(free, free)], slope[free])
        scale = 1.0
        while scale > 1e-6:
            tried = np.maximum(theta - scale * step, least)
            there = held(tried)
            if there[0] < value:
                break
            scale /= 2
        else:
            break
        moved = float(np.abs(tried - theta).max())
        theta, (value, slope, bend) = tried, there
        if moved < 1e-7:
            break
    return theta


def _binary(said: Floats, gold: Bools, theta: Floats) -> tuple[float, Floats, Floats]:
    """Loss, slope and bend of one regression over all pairs of note and code."""
    joined = theta @ said
    value = float(np.logaddexp(0, joined).sum() - joined[gold].sum())
    share = 1 / (1 + np.exp(-joined))
    return value, said @ (share - gold), (said * (share * (1 - share))) @ said.T


def _multinomial(said: Floats, gold: NDArray[np.int64], theta: Floats) -> tuple[float, Floats, Floats]:
    """Loss, slope and bend of a choice among all codes; a bias would change nothing."""
    joined = np.einsum("m,mnc->nc", theta[:-1], said)
    joined -= joined.max(1, keepdims=True)
    share = np.exp(joined)
    total = share.sum(1, keepdims=True)
    rows = np.arange(len(gold))
    value = float(np.log(total).sum() - joined[rows, gold].sum())
    share /= total
    mean = np.einsum("mnc,nc->mn", said, share)
    slope = (mean - said[:, rows, gold]).sum(1)
    bend = np.einsum("mnc,knc,nc->mk", said, said, share, optimize=True) - mean @ mean.T
    return value, np.append(slope, 0.0), np.block([[bend, np.zeros((len(bend), 1))], [np.zeros((1, len(bend) + 1))]])


def _shape(shape: CodesConfig) -> dict[str, Any]:
    """What the models of one run share."""
    names = ("codes", "code_length", "single", "target")
    return {name: getattr(shape, name) for name in names}
