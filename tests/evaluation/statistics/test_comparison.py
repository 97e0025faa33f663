from dataclasses import astuple, replace

import numpy as np
import pytest
from scipy import stats

from mk11.errors import UserError
from mk11.evaluation.statistics.bootstrap import METRICS, interval
from mk11.evaluation.statistics.comparison import compare
from mk11.evaluation.statistics.patients import clusters, draw_weights
from mk11.evaluation.statistics.sets import FoldPredictions
from mk11.metrics.final import classification_metrics

OPTIONS = {"draws": 200, "seed": 0, "level": 0.95}


def of_fold(fold, metric):
    found = [classification_metrics(p, fold.labels, fold.classes)[metric] for p in fold.probabilities]
    return np.mean(found)


@pytest.mark.parametrize("metric", METRICS)
def test_identical_configurations_differ_by_nothing(drawn_folds, metric):
    folds = drawn_folds(5, seeds=(0, 1))
    found = compare(folds, folds, metric=metric, **OPTIONS)
    assert (found.difference, found.interval.low, found.interval.high) == (0.0, 0.0, 0.0)
    assert (found.p_bootstrap, found.t, found.p_t, found.corrected_t, found.p_corrected) == (1, 0, 1, 0, 1)
    assert found.detectable is None
    assert set(found.per_fold.values()) == {0.0}


def test_the_difference_and_its_t_test_are_scikit_learns_and_scipys(drawn_folds):
    a, b = drawn_folds(5, quality=2.0, seeds=(0, 1)), drawn_folds(5, network=1)
    found = compare(a, b, metric="f1_macro", **OPTIONS)
    ours, theirs = [of_fold(fold, "f1_macro") for fold in a], [of_fold(fold, "f1_macro") for fold in b]
    assert found.difference == pytest.approx(np.mean(ours) - np.mean(theirs), abs=1e-12)
    assert found.per_fold == pytest.approx(dict(enumerate(np.subtract(ours, theirs))), abs=1e-12)
    reference = stats.ttest_rel(ours, theirs)
    assert (found.t, found.p_t) == pytest.approx((reference.statistic, reference.pvalue))


def test_the_correction_uses_the_real_sizes_of_the_folds(drawn):
    sizes = [(60, 200), (50, 210), (70, 190)]
    a, b = (
        [
            drawn(k, images=tested, train_images=trained, network=network)
            for k, (tested, trained) in enumerate(sizes)
        ]
        for network in (0, 1)
    )
    found = compare(a, b, metric="accuracy", **OPTIONS)
    ratio = (60 / 200 + 50 / 210 + 70 / 190) / 3
    assert found.corrected_t / found.t == pytest.approx(np.sqrt((1 / 3) / (1 / 3 + ratio)))


def test_five_folds_that_train_on_the_rest_shrink_t_by_two_thirds(drawn_folds):
    found = compare(drawn_folds(5), drawn_folds(5, network=1), metric="accuracy", **OPTIONS)
    assert found.corrected_t / found.t == pytest.approx(2 / 3)


def test_the_smaller_of_two_training_sets_corrects(drawn_folds):
    a, b = drawn_folds(5), drawn_folds(5, network=1, train_images=120)
    found, turned = (compare(*sides, metric="accuracy", **OPTIONS) for sides in ((a, b), (b, a)))
    assert found.corrected_t / found.t == pytest.approx(np.sqrt(0.2 / (0.2 + 60 / 120)))
    assert found.corrected_t == pytest.approx(-turned.corrected_t)


def test_both_sides_are_drawn_alike(drawn_folds):
    a, b = drawn_folds(2, quality=2.0), drawn_folds(2, network=1)
    found = compare(a, b, metric="accuracy", **OPTIONS)
    differences = np.zeros(200)
    for place, (ours, theirs) in enumerate(zip(a, b, strict=True)):
        patients = clusters(ours.groups)
        weights = draw_weights(patients, draws=200, generator=np.random.default_rng([0, place]))
        right = [(part.probabilities[0].argmax(axis=1) == part.labels) for part in (ours, theirs)]
        differences += ((right[0] * 1.0 - right[1]) @ weights) / weights.sum(axis=0) / 2
    low, high = np.quantile(differences, [0.025, 0.975])
    assert (found.interval.low, found.interval.high) == pytest.approx((low, high), abs=1e-12)
    expected = 2 * (1 + min((differences <= 1e-12).sum(), (differences >= -1e-12).sum())) / 201
    assert found.p_bootstrap == pytest.approx(min(1, expected))


def test_a_paired_interval_is_narrower_than_the_two_apart(drawn_folds):
    a = drawn_folds(4, images=150)
    slightly = [
        replace(fold, probabilities=np.roll(fold.probabilities, 1, axis=2) * 0.02 + fold.probabilities * 0.98)
        for fold in a
    ]
    found = compare(a, slightly, metric="pr_auc", **OPTIONS).interval
    alone = interval(a, "pr_auc", **OPTIONS)
    assert found.high - found.low < 0.5 * (alone.high - alone.low)


def test_turning_the_sides_turns_the_signs(drawn_folds):
    a, b = drawn_folds(3, quality=1.8), drawn_folds(3, network=1)
    one, other = compare(a, b, metric="pr_auc", **OPTIONS), compare(b, a, metric="pr_auc", **OPTIONS)
    assert one.difference == pytest.approx(-other.difference)
    assert (one.interval.low, one.interval.high) == pytest.approx((-other.interval.high, -other.interval.low))
    assert one.p_bootstrap == other.p_bootstrap
    assert one.detectable == pytest.approx(other.detectable)


def test_a_clear_difference_is_found_and_its_interval_leaves_out_nought(drawn_folds):
    found = compare(
        drawn_folds(5, quality=3.5), drawn_folds(5, quality=0.0, network=1), metric="f1_macro", **OPTIONS
    )
    assert found.p_bootstrap == pytest.approx(2 / 201)
    assert found.interval.low > 0
    assert found.p_corrected < 0.05
    assert 0 < found.detectable < found.difference


def test_one_fold_has_no_t_test_but_a_bootstrap(drawn):
    found = compare([drawn()], [drawn(network=1)], metric="accuracy", **OPTIONS)
    assert (found.t, found.p_t, found.corrected_t, found.p_corrected, found.detectable) == (None,) * 5
    assert found.interval.low < found.interval.high
    assert 0 < found.p_bootstrap <= 1


def test_the_order_of_the_folds_does_not_matter(drawn_folds):
    a, b = drawn_folds(3), drawn_folds(3, network=1)
    expected = compare(a, b, metric="pr_auc", **OPTIONS)
    assert compare(a[::-1], b[1:] + b[:1], metric="pr_auc", **OPTIONS) == expected
    assert expected.folds == (0, 1, 2)


def test_all_fields_can_be_written_as_json(drawn_folds):
    found = compare(drawn_folds(3), drawn_folds(3, network=1), metric="pr_auc", **OPTIONS)
    scalars = [value for value in astuple(found.interval) if not isinstance(value, str)]
    scalars += [found.difference, found.p_bootstrap, found.t, found.detectable, *found.per_fold.values()]
    assert {type(value) for value in scalars} == {int, float}


def test_an_undefined_class_leaves_its_fold_out_of_the_tests(drawn):
    a = [drawn(0), drawn(1, labels=[0, 1, 2]), drawn(2)]
    b = [drawn(0, network=1), drawn(1, labels=[0, 1, 2], network=1), drawn(2, network=1)]
    found = compare(a, b, metric="pr_auc:d", **OPTIONS)
    assert sorted(found.per_fold) == [0, 2]
    assert found.t == pytest.approx(stats.ttest_1samp(list(found.per_fold.values()), 0).statistic)


def test_folds_missing_on_one_side_are_named(drawn_folds):
    with pytest.raises(UserError, match="same finished folds, but network 1 lacks folds 2, 3"):
        compare(drawn_folds(4), drawn_folds(2, network=1), metric="accuracy", **OPTIONS)
    with pytest.raises(UserError, match="network 1 lacks fold 4"):
        compare(drawn_folds(4, network=1), drawn_folds(5), metric="accuracy", **OPTIONS)
    with pytest.raises(UserError, match="at least one finished fold"):
        compare([], [], metric="accuracy", **OPTIONS)


def shuffled(fold):
    return replace(fold, ids=fold.ids[::-1], contents=np.empty(0, dtype=str))


CHANGES = {
    "7 images are on one side only, such as 1/0053.png": lambda f: first(f, 53),
    "images of the same name differ in content": lambda f: replace(f, contents=np.roll(f.contents, 1)),
    "the order of the images differs": shuffled,
    "the labels of 60 images differ, such as 1/0000.png": lambda f: replace(f, labels=(f.labels + 1) % 4),
    "the images' groups differ": lambda f: replace(f, groups=np.roll(f.groups, 1)),
    r"the classes differ \(d, e\)": lambda f: replace(f, classes=("a", "b", "c", "e")),
    r"the classes differ \(in their order\)": lambda f: replace(f, classes=("b", "a", "c", "d")),
}


def first(fold, images):
    return FoldPredictions(
        **{
            **vars(fold),
            "probabilities": fold.probabilities[:, :images],
            **{name: getattr(fold, name)[:images] for name in ("labels", "groups", "ids", "contents")},
        }
    )


@pytest.mark.parametrize("reason", CHANGES)
def test_other_images_are_refused_in_words(drawn_folds, reason):
    b = drawn_folds(2, network=1)
    b[1] = CHANGES[reason](b[1])
    with pytest.raises(UserError, match=f"in fold 1 of network 0 and network 1 {reason}"):
        compare(drawn_folds(2), b, metric="accuracy", **OPTIONS)
