from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from mk11.errors import UserError
from mk11.evaluation.statistics import bootstrap
from mk11.evaluation.statistics.bootstrap import METRICS, interval
from mk11.evaluation.statistics.patients import clusters, draw_weights, torn
from mk11.evaluation.statistics.sets import FoldPredictions
from mk11.metrics.final import OVERALL, classification_metrics


def slow_draws(folds, *, draws, seed):
    """Every metric of every draw: arrays of repeated images, metrics by scikit-learn."""
    weights = [
        draw_weights(clusters(fold.groups), draws=draws, generator=np.random.default_rng([seed, place]))
        for place, fold in enumerate(folds)
    ]
    return [
        [really_drawn(fold, counts[:, draw]) for fold, counts in zip(folds, weights, strict=True)]
        for draw in range(draws)
    ]


def really_drawn(fold, counts):
    rows = np.repeat(np.arange(len(fold.labels)), counts)
    found = [classification_metrics(p[rows], fold.labels[rows], fold.classes) for p in fold.probabilities]
    return {metric: np.mean([one[metric] for one in found]) for metric in OVERALL}


def test_the_interval_equals_that_of_a_loop_over_resampled_arrays(drawn_folds, monkeypatch):
    monkeypatch.setattr(bootstrap, "BLOCK", 10)
    folds = drawn_folds(2, images=25, patients=6, seeds=(0, 1), decimals=1)
    slow = slow_draws(folds, draws=24, seed=3)
    for metric in METRICS:
        averages = [np.mean([fold[metric] for fold in draw]) for draw in slow]
        found = interval(folds, metric, draws=24, seed=3, level=0.9)
        expected = np.quantile(averages, [0.05, 0.95])
        assert (found.low, found.high) == pytest.approx(tuple(expected), abs=1e-12), metric


def test_the_estimate_is_the_mean_over_folds_of_the_mean_over_seeds(drawn_folds):
    folds = drawn_folds(3, seeds=(0, 1, 2))
    once = [really_drawn(fold, np.ones(len(fold.labels), int)) for fold in folds]
    for metric in METRICS:
        expected = np.mean([fold[metric] for fold in once])
        found = interval(folds, metric, draws=2, seed=0, level=0.95).estimate
        assert found == pytest.approx(expected, abs=1e-12), metric


def test_scipy_finds_the_same_interval_for_the_accuracy_of_single_images(drawn):
    fold = drawn(images=200, patients=0)
    found = interval([fold], "accuracy", draws=9999, seed=0, level=0.95)
    right = (fold.probabilities[0].argmax(axis=1) == fold.labels).astype(float)
    theirs = stats.bootstrap((right,), np.mean, n_resamples=9999, method="percentile", rng=1)
    assert found.low == pytest.approx(theirs.confidence_interval.low, abs=0.006)
    assert found.high == pytest.approx(theirs.confidence_interval.high, abs=0.006)
    assert found.unit == "image"


def test_whole_patients_are_drawn(drawn):
    patients = clusters(drawn(patients=7).groups)
    weights = draw_weights(patients, draws=30, generator=np.random.default_rng(0))
    for patient in range(7):
        assert (np.ptp(weights[patients == patient], axis=0) == 0).all()
    one_image_each = np.unique(patients, return_index=True)[1]
    assert (weights[one_image_each].sum(axis=0) == 7).all()
    assert len(np.unique(weights, axis=1).T) > 20


def test_images_of_a_patient_that_share_their_ease_widen_the_interval(drawn_folds):
    by_patient = drawn_folds(3, patients=6, images=120)
    by_image = [replace(fold, groups=np.full(120, "")) for fold in by_patient]
    widths = []
    for folds in (by_patient, by_image):
        found = interval(folds, "accuracy", draws=500, seed=0, level=0.95)
        widths.append(found.high - found.low)
    assert widths[0] > 1.2 * widths[1]


def test_the_interval_over_patients_covers_about_as_often_as_it_says():
    """400 data sets of 30 patients with 8 images each: right or wrong by the patient's own chance."""
    generator, held = np.random.default_rng(0), 0
    patients = np.repeat(np.arange(30), 8)
    for trial in range(400):
        right = generator.random(240) < generator.beta(3, 2, 30)[patients]
        fold = FoldPredictions(
            fold=0,
            seeds=(0,),
            probabilities=np.where(right[:, None], [[0.9, 0.1]], [[0.1, 0.9]]).astype(np.float32)[None],
            labels=np.zeros(240, int),
            groups=patients.astype(str),
            ids=patients.astype(str),
            classes=("a", "b"),
            train_images=960,
        )
        found = interval([fold], "accuracy", draws=300, seed=trial, level=0.9)
        held += found.low <= 0.6 <= found.high
    assert 0.84 < held / 400 < 0.94


def test_the_unit_is_told(drawn_folds):
    for known, patients, unit in ((1.0, 6, "group"), (0.0, 6, "image"), (0.5, 6, "group or image")):
        folds = drawn_folds(2, known=known, patients=patients)
        assert interval(folds, "accuracy", draws=5, seed=0, level=0.95).unit == unit


def test_an_image_of_an_unknown_patient_is_drawn_by_itself():
    found = clusters(np.array(["P1", "", "P0", "P1", ""]))
    assert sorted(found.tolist()) == [0, 1, 1, 2, 3]
    assert found[0] == found[3]


def test_a_class_missing_from_a_draw_is_left_out_and_counted(drawn):
    fold = drawn(images=30, patients=5)
    labels = np.where(fold.groups == "P0", 3, fold.labels % 3)  # only patient P0 has class 3
    fold = replace(fold, labels=labels)
    weights = draw_weights(clusters(fold.groups), draws=200, generator=np.random.default_rng([7, 0]))
    without = int((weights[labels == 3].sum(axis=0) == 0).sum())
    assert without > 20
    others = sum(int((weights[labels == k].sum(axis=0) == 0).sum()) for k in range(3))
    found = interval([fold], "pr_auc", draws=200, seed=7, level=0.95)
    assert found.dropped == without + others
    assert found.draws == 200
    assert interval([fold], "accuracy", draws=200, seed=7, level=0.95).dropped == 0


def test_a_draw_of_one_class_has_no_auroc_and_its_fold_is_left_out(drawn):
    fold = drawn(images=20, patients=2, labels=[0, 1])
    fold = replace(fold, labels=(fold.groups == "P1").astype(int))  # each patient has a class of its own
    of_both = np.array([f"Q{number // 4}" for number in range(20)])
    other = replace(drawn(1, images=20), groups=of_both, labels=np.arange(20) % 2)
    alone = interval([fold], "auroc_macro", draws=300, seed=0, level=0.95)
    assert 100 < alone.draws < 200  # half of the draws are of one patient twice
    assert interval([fold, other], "auroc_macro", draws=300, seed=0, level=0.95).draws == 300


def test_a_class_absent_from_one_fold_is_averaged_over_the_others(drawn):
    folds = [drawn(0), drawn(1, labels=[0, 1, 2])]
    found = interval(folds, "recall:d", draws=50, seed=0, level=0.95)
    expected = classification_metrics(folds[0].probabilities[0], folds[0].labels, "abcd")
    assert found.estimate == pytest.approx(expected["per_class"]["d"]["recall"])
    assert found.folds == 1


def test_the_same_seed_draws_the_same_patients_and_another_does_not(drawn_folds):
    folds = drawn_folds(2)
    one, same, other = (interval(folds, "f1_macro", draws=50, seed=s, level=0.95) for s in (1, 1, 2))
    assert one == same
    assert (one.low, one.high) != (other.low, other.high)


def test_what_cannot_be_bootstrapped_is_refused(drawn):
    options = {"draws": 5, "seed": 0, "level": 0.95}
    with pytest.raises(UserError, match="at least one finished fold"):
        interval([], "accuracy", **options)
    with pytest.raises(
        UserError, match="at least 2 groups \\(patients\\) in each fold, but fold 3 of network 0"
    ):
        interval([drawn(0), drawn(3, patients=1)], "accuracy", **options)
    with pytest.raises(UserError, match="recall:d must be defined in at least one fold"):
        interval([drawn(labels=[0, 1])], "recall:d", **options)
    with pytest.raises(UserError, match="draws must be at least 1, but is 0"):
        interval([drawn()], "accuracy", draws=0, seed=0, level=0.95)
    with pytest.raises(UserError, match="level of an interval must be between 0 and 1, but is 95"):
        interval([drawn()], "accuracy", draws=5, seed=0, level=95)
    apart = drawn(patients=2)  # each patient has a class of its own: a draw of one has no AUROC
    apart = replace(apart, labels=(apart.groups == "P1").astype(int))
    seed = next(s for s in range(99) if not spread(apart, s))
    with pytest.raises(
        UserError, match="auroc_macro must be defined in at least one draw, but is in none of 1"
    ):
        interval([apart], "auroc_macro", draws=1, seed=seed, level=0.95)


def slow_torn_draws(folds, metric, *, draws, seed):
    """Patients drawn once over all folds, arrays of repeated images, metrics by scikit-learn."""
    together = clusters(np.concatenate([fold.groups for fold in folds]))
    weights = draw_weights(together, draws=draws, generator=np.random.default_rng([seed, 0]))
    parts = np.split(weights, np.cumsum([len(fold.groups) for fold in folds])[:-1])
    return [
        np.mean([really_drawn(fold, part[:, draw])[metric] for fold, part in zip(folds, parts, strict=True)])
        for draw in range(draws)
    ]


def test_patients_in_several_folds_are_drawn_once_for_all_of_them(drawn_folds):
    folds = drawn_folds(3, torn=True, patients=8)
    found = interval(folds, "accuracy", draws=30, seed=2, level=0.9)
    expected = np.quantile(slow_torn_draws(folds, "accuracy", draws=30, seed=2), [0.05, 0.95])
    assert (found.low, found.high) == pytest.approx(tuple(expected), abs=1e-12)
    assert (found.units, found.fewest) == (8, 8)


def test_folds_that_tear_patients_apart_have_wider_intervals_than_as_many_patients_of_their_own():
    """20 patients whose ease is the same in all of five folds: five folds do not make 100 of them."""
    ease = np.random.default_rng(0).beta(2, 2, 20)
    patients = np.repeat(np.arange(20), 4)
    widths = []
    for apart in (True, False):
        folds = []
        for fold in range(5):
            right = np.random.default_rng([fold, 1]).random(80) < ease[patients]
            folds.append(
                FoldPredictions(
                    fold=fold,
                    seeds=(0,),
                    probabilities=np.where(right[:, None], [[0.9, 0.1]], [[0.1, 0.9]]).astype(np.float32)[
                        None
                    ],
                    labels=np.zeros(80, int),
                    groups=np.array([f"P{p}" if apart else f"F{fold}P{p}" for p in patients]),
                    ids=np.array([f"{fold}/{image}" for image in range(80)]),
                    classes=("a", "b"),
                    train_images=320,
                )
            )
        found = interval(folds, "accuracy", draws=1000, seed=0, level=0.95)
        assert found.units == (20 if apart else 100)
        widths.append(found.high - found.low)
    assert widths[0] > 1.6 * widths[1]


def test_one_patient_torn_apart_is_counted_once(drawn_folds):
    folds = drawn_folds(2, patients=6)
    folds[1] = replace(folds[1], groups=np.where(folds[1].groups == "F1P3", "P3", folds[1].groups))
    assert interval(folds, "accuracy", draws=5, seed=0, level=0.95).units == 11


def test_images_of_unknown_patients_tear_nothing_apart(drawn_folds):
    assert not torn(drawn_folds(3, patients=0))
    assert torn(drawn_folds(3, torn=True))
    assert not torn(drawn_folds(3))


def spread(fold, seed):
    """Whether the one draw of this seed has both patients."""
    weights = draw_weights(clusters(fold.groups), draws=1, generator=np.random.default_rng([seed, 0]))
    return weights.min() > 0
