"""Draws a second of a bootstrapped PR-AUC: weighted cumulative sums against a loop that calls scikit-learn.

    python benchmarks/bootstrap.py [--folds 5] [--images 1500] [--classes 11] [--draws 2000] [--loop-draws 10]

Drawn scores in as many folds and classes as the published data set has. The loop repeats the arrays of each
draw and calls scikit-learn for each class; it runs on the first draws, and its values must be ours. Both run
on one thread; the ratio is of draws a second.
"""

import argparse
import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before numpy

import time

import numpy as np

from mk11.evaluation.statistics.bootstrap import resample
from mk11.evaluation.statistics.comparison import compare
from mk11.evaluation.statistics.patients import clusters, draw_weights
from mk11.evaluation.statistics.sets import FoldPredictions
from mk11.metrics.final import trapezoid_pr_auc

PATIENTS = 14  # in a fold


def main() -> None:
    """Print both rates and the ratio, and the time of a whole comparison."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--images", type=int, default=1500, help="in each fold")
    parser.add_argument("--classes", type=int, default=11)
    parser.add_argument("--draws", type=int, default=2000)
    parser.add_argument("--loop-draws", type=int, default=10, help="of the loop")
    args = parser.parse_args()
    folds, others = (
        [drawn_fold(fold, args.images, args.classes, quality=quality) for fold in range(args.folds)]
        for quality in (2.0, 1.9)
    )
    weights = weights_of(folds, args.draws)
    start = time.perf_counter()
    expected = [slow_draw(folds, weights, draw) for draw in range(args.loop_draws)]
    slow = args.loop_draws / (time.perf_counter() - start)
    start = time.perf_counter()
    found = resample([folds], "pr_auc", draws=args.draws, seed=0).values[0].mean(axis=0)
    fast = args.draws / (time.perf_counter() - start)
    np.testing.assert_allclose(found[: args.loop_draws], expected, atol=1e-12)
    print(f"loop {slow:8.1f}   mk11 {fast:8.1f} draws/s   {fast / slow:.0f}x")
    start = time.perf_counter()
    compare(folds, others, metric="pr_auc", draws=args.draws, seed=0, level=0.95)
    print(f"a comparison of two configurations, {args.draws} draws: {time.perf_counter() - start:.1f} s")


def drawn_fold(fold: int, images: int, classes: int, *, quality: float) -> FoldPredictions:
    """Scores in which the right class stands out by `quality`."""
    labels = np.random.default_rng(fold).integers(0, classes, images)
    logits = np.random.default_rng([fold, int(10 * quality)]).normal(size=(images, classes))
    logits[np.arange(images), labels] += quality
    powers = np.exp(logits)
    return FoldPredictions(
        fold=fold,
        seeds=(0,),
        probabilities=(powers / powers.sum(axis=1, keepdims=True)).astype(np.float32)[None],
        labels=labels,
        groups=np.array([f"P{number % PATIENTS}" for number in range(images)]),
        ids=np.arange(images).astype(str),
        classes=tuple(f"class {number}" for number in range(classes)),
        train_images=3 * images,
    )


def weights_of(folds: list[FoldPredictions], draws: int) -> list[np.ndarray]:
    """Each fold's (images, draws): how often an image is drawn."""
    generators = [np.random.default_rng([0, place]) for place in range(len(folds))]
    return [
        draw_weights(clusters(fold.groups), draws=draws, generator=generator)
        for fold, generator in zip(folds, generators, strict=True)
    ]


def slow_draw(folds: list[FoldPredictions], weights: list[np.ndarray], draw: int) -> float:
    """One draw's average over folds, on arrays that repeat the images drawn."""
    areas = []
    for fold, counts in zip(folds, weights, strict=True):
        rows = np.repeat(np.arange(len(fold.labels)), counts[:, draw])
        scores, labels = fold.probabilities[0][rows], fold.labels[rows]
        areas.append(np.mean([trapezoid_pr_auc(scores[:, k], labels == k) for k in np.unique(labels)]))
    return float(np.mean(areas))


if __name__ == "__main__":
    main()
