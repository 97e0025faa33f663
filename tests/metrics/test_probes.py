"""k-NN, linear probe and prototypes against scikit-learn and against loops."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier, NearestCentroid
from sklearn.preprocessing import StandardScaler

from mk11.metrics import probes
from mk11.metrics.final import classification_metrics
from mk11.metrics.probes import (
    best_choice,
    centred_directions,
    class_means,
    knn_scores,
    label_metrics,
    linear_probe,
    nearest,
    prototype_scores,
)

CLASSES, DIM, TEMPERATURE = 4, 12, 0.07


def cells(images, *, seed, spread=1.0, classes=CLASSES):
    """Features of `classes` overlapping classes about a common direction, and labels."""
    centres = np.random.default_rng(99).normal(0, 1, (CLASSES, DIM)) + 2
    generator = np.random.default_rng(seed)
    labels = np.arange(images) % classes
    features = centres[labels] + generator.normal(0, spread, (images, DIM))
    return torch.tensor(features, dtype=torch.float32), torch.tensor(labels)


@pytest.fixture
def train():
    return cells(90, seed=1, spread=1.5)


@pytest.fixture
def queries():
    return cells(31, seed=2, spread=1.5)


def scores_of(queries, train, *, k, temperature=TEMPERATURE):
    found = nearest(queries[0], train[0], count=k)
    return knn_scores(found, train[1], k=k, temperature=temperature, num_classes=CLASSES)


def slow_vote(query, references, labels, k, temperature):
    cosine = [float(np.dot(query, row) / (np.linalg.norm(query) * np.linalg.norm(row))) for row in references]
    votes = [0.0] * CLASSES
    for row in sorted(range(len(cosine)), key=lambda row: -cosine[row])[:k]:
        votes[labels[row]] += math.exp(cosine[row] / temperature)
    return [vote / sum(votes) for vote in votes]


@pytest.mark.parametrize("k", [1, 7, 90])
def test_knn_votes_are_those_of_a_loop(k, train, queries):
    found = scores_of(queries, train, k=k)
    features, labels = train[0].double().numpy(), train[1].tolist()
    expected = [slow_vote(q, features, labels, k, TEMPERATURE) for q in queries[0].double().numpy()]
    np.testing.assert_allclose(found.numpy(), expected, atol=1e-4)


@pytest.mark.parametrize("k", [1, 7])
def test_knn_is_scikit_learns_with_the_same_weights(k, train, queries):
    reference = KNeighborsClassifier(
        k, metric="cosine", algorithm="brute", weights=lambda distance: np.exp((1 - distance) / TEMPERATURE)
    ).fit(train[0].numpy(), train[1].numpy())
    expected = reference.predict_proba(queries[0].numpy())
    np.testing.assert_allclose(scores_of(queries, train, k=k).numpy(), expected, atol=1e-4)


def test_fewer_neighbours_are_the_first_of_more(train, queries):
    many = nearest(queries[0], train[0], count=40)
    few = knn_scores(many, train[1], k=5, temperature=TEMPERATURE, num_classes=CLASSES)
    assert torch.allclose(few, scores_of(queries, train, k=5), atol=1e-6)


def test_neighbours_do_not_depend_on_how_many_similarities_are_held(monkeypatch, train, queries):
    whole = nearest(queries[0], train[0], count=9)
    monkeypatch.setattr(probes, "VALUES_AT_ONCE", 2 * len(train[0]) + 1)  # two queries at a time
    parts = nearest(queries[0], train[0], count=9)
    assert torch.equal(parts.rows, whole.rows)
    assert torch.allclose(parts.similarity, whole.similarity, atol=1e-6)


def test_the_similarities_held_at_once_are_bounded(monkeypatch, train, queries):
    sizes = []
    topk = torch.topk

    def watched(values, *arguments, **options):
        sizes.append(values.numel())
        return topk(values, *arguments, **options)

    monkeypatch.setattr(probes, "VALUES_AT_ONCE", 500)
    monkeypatch.setattr(torch, "topk", watched)
    nearest(queries[0], train[0], count=3)
    assert max(sizes) <= 500
    assert sum(sizes) == len(queries[0]) * len(train[0])


def test_a_tiny_temperature_asks_the_nearest_alone(train, queries):
    sharp = scores_of(queries, train, k=50, temperature=1e-6)
    assert torch.isfinite(sharp).all()
    assert torch.equal(sharp.argmax(1), scores_of(queries, train, k=1).argmax(1))


@settings(max_examples=30)
@given(st.floats(0.01, 100), st.integers(1, 20), st.integers(0, 50))
def test_knn_ignores_the_length_of_features(scale, k, seed):
    train, queries = cells(20, seed=seed), cells(7, seed=seed + 1)
    found = scores_of((queries[0] * scale, queries[1]), (train[0] / scale, train[1]), k=k)
    assert torch.allclose(found, scores_of(queries, train, k=k), atol=1e-3)
    assert torch.allclose(found.sum(1), torch.ones(7))


def fit(train, val, *, strengths=(1e-3, 0.1, 10.0), steps=500):
    return linear_probe(
        *train,
        val_features=val[0],
        val_labels=val[1],
        strengths=strengths,
        steps=steps,
        num_classes=CLASSES,
    )


def test_the_linear_probe_is_scikit_learns_on_standardised_features(train, queries):
    probe = fit(train, queries, strengths=[0.1])
    scaler = StandardScaler().fit(train[0].double().numpy())
    reference = LogisticRegression(C=0.1, max_iter=500).fit(
        scaler.transform(train[0].double().numpy()), train[1].numpy()
    )
    expected = reference.predict_proba(scaler.transform(queries[0].double().numpy()))
    np.testing.assert_allclose(probe.scores(queries[0]).numpy(), expected, atol=1e-12)
    assert probe.converged


def test_the_linear_probe_is_where_its_loss_has_no_slope(train):
    """A second way: the gradient of the penalised cross-entropy, by torch."""
    probe = fit(train, train, strengths=[0.5])
    features = (train[0].double() - train[0].double().mean(0)) / train[0].double().std(0, correction=0)
    model = probe.model[-1]
    weight, bias = (torch.tensor(part, requires_grad=True) for part in (model.coef_, model.intercept_))
    loss = torch.nn.functional.cross_entropy(features @ weight.T + bias, train[1], reduction="sum")
    (0.5 * loss + weight.square().sum() / 2).backward()
    assert weight.grad.abs().max() < 0.02
    assert bias.grad.abs().max() < 0.02


def test_the_strength_is_the_one_that_does_best_on_validation(train):
    val = cells(60, seed=3, spread=1.5)
    probe = fit(train, val, strengths=[100.0, 1e-6, 0.01])
    alone = {
        strength: label_metrics(fit(train, val, strengths=[strength]).scores(val[0]).argmax(1), val[1])
        for strength in (1e-6, 0.01, 100.0)
    }
    assert probe.validation == pytest.approx(
        {strength: found["f1_macro"] for strength, found in alone.items()}
    )
    assert len(set(probe.validation.values())) > 1
    assert probe.validation[probe.strength] == max(probe.validation.values())


def test_of_strengths_that_do_equally_well_the_strongest_penalty_is_taken():
    easy = cells(40, seed=4, spread=0.01)
    assert fit(easy, easy, strengths=[10.0, 1.0, 0.1]).strength == 0.1


def test_a_class_without_a_training_image_has_probability_zero(queries):
    probe = fit(cells(60, seed=5, classes=3), queries)
    scores = probe.scores(queries[0])
    assert scores.shape == (31, CLASSES)
    assert (scores[:, 3] == 0).all()
    assert torch.allclose(scores.sum(1), torch.ones(31, dtype=torch.float64))


def test_a_fit_that_ran_out_of_steps_says_so(train, queries):
    assert not fit(train, queries, strengths=[100.0], steps=2).converged


def test_a_dead_channel_does_no_harm(train, queries):
    dead = [(torch.cat([part[0], torch.zeros(len(part[0]), 1)], dim=1), part[1]) for part in (train, queries)]
    assert torch.allclose(fit(*dead).scores(dead[1][0]), fit(train, queries).scores(queries[0]), atol=1e-3)


def test_prototypes_are_scikit_learns_nearest_centroids(train, queries):
    mean = train[0].mean(0)
    directions, asked = (centred_directions(part[0], mean) for part in (train, queries))
    prototypes = class_means(directions, train[1], num_classes=CLASSES)
    reference = NearestCentroid().fit(directions.numpy(), train[1].numpy())
    np.testing.assert_allclose(prototypes.numpy(), reference.centroids_, atol=1e-6)
    expected = torch.from_numpy(reference.predict(asked.numpy()))
    assert torch.equal(prototype_scores(asked, prototypes).argmax(1), expected)


def test_scores_of_prototypes_are_squared_distances(train, queries):
    prototypes = class_means(*train, num_classes=CLASSES)
    found = prototype_scores(queries[0], prototypes)
    for query, row in zip(queries[0], found, strict=True):
        for prototype, score in zip(prototypes, row, strict=True):
            assert score.item() == pytest.approx(-((query - prototype) ** 2).sum().item(), rel=1e-3)


def test_a_class_without_an_image_is_never_the_nearest(queries):
    few = cells(30, seed=6, classes=2)
    scores = prototype_scores(queries[0], class_means(*few, num_classes=CLASSES))
    assert (scores[:, 2:] == -torch.inf).all()
    assert set(scores.argmax(1).tolist()) <= {0, 1}


def test_centred_directions_are_unit_vectors_free_of_a_common_shift(train):
    found = centred_directions(train[0], train[0].mean(0))
    shifted = train[0] + 50
    assert torch.allclose(found.norm(dim=1), torch.ones(len(found)))
    assert torch.allclose(centred_directions(shifted, shifted.mean(0)), found, atol=1e-4)


@settings(max_examples=30)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=30))
def test_label_metrics_are_those_of_the_final_metrics(pairs):
    labels, predicted = (torch.tensor(column) for column in zip(*pairs, strict=True))
    certain = np.eye(CLASSES, dtype=np.float64)[predicted.numpy()]
    names = [str(index) for index in range(CLASSES)]
    expected = classification_metrics(certain, labels.numpy(), names)
    found = label_metrics(predicted, labels)
    assert found == pytest.approx({name: expected[name] for name in found})


def test_the_best_choice_of_equals_is_the_first():
    assert best_choice({1: 0.5, 5: 0.7, 10: 0.7}) == 5
