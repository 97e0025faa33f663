import numpy as np
import pytest

from mk11.evaluation.statistics.sets import FoldPredictions

CLASSES = ("a", "b", "c", "d")


def draw_fold(
    fold=0,
    *,
    images=60,
    patients=12,
    seeds=(0,),
    quality=1.5,
    decimals=None,
    labels=None,
    train_images=240,
    known=1.0,
    torn=False,
    network=0,
):
    """One fold of drawn predictions. Images depend on the fold alone, scores on the network as well.

    Each fold has patients of its own, but under `torn`.
    """
    of_images = np.random.default_rng([fold, images, patients])
    truth = of_images.choice(labels or range(len(CLASSES)), images)
    patient = of_images.integers(patients, size=images) if patients else np.zeros(images, int)
    prefix = "P" if torn or fold == 0 else f"F{fold}P"
    groups = np.array([f"{prefix}{p}" if patients else "" for p in patient])
    groups[of_images.random(images) >= known] = ""
    ease = of_images.normal(0, 1, patients or 1)[patient]
    scores = []
    for seed in seeds:
        logits = np.random.default_rng([fold, seed, network]).normal(0, 1, (images, len(CLASSES)))
        logits[np.arange(images), truth] += quality + 0.7 * ease
        powers = np.exp(logits)
        scores.append(powers / powers.sum(axis=1, keepdims=True))
    probabilities = np.array(scores, np.float32)
    return FoldPredictions(
        fold=fold,
        seeds=tuple(seeds),
        probabilities=probabilities if decimals is None else np.round(probabilities, decimals),
        labels=truth,
        groups=groups,
        ids=np.array([f"{fold}/{number:04d}.png" for number in range(images)]),
        classes=CLASSES,
        train_images=train_images,
        name=f"network {network}",
        contents=np.array([f"{fold:04x}{number:012x}" for number in range(images)]),
    )


@pytest.fixture(scope="session")
def drawn():
    """The function that draws a fold."""
    return draw_fold


@pytest.fixture(scope="session")
def drawn_folds():
    """Several folds of one network."""
    return lambda folds=5, **options: [draw_fold(fold, **options) for fold in range(folds)]
