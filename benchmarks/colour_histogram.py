"""What colour alone tells: logistic regression on colour histograms, on one fold of any data set.

python benchmarks/colour_histogram.py data=folder data.root=FOLDER fold=0

Takes the overrides of train.py and prints metrics on the test split, beside which a network must win.
"""

import sys
from pathlib import Path
from typing import Any

import numpy as np
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate
from jaxtyping import Float, UInt8
from sklearn.linear_model import LogisticRegressionCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from mk11.data.cells import CellData, Fold
from mk11.errors import UserError
from mk11.metrics.final import classification_metrics

CONFIG = Path(__file__).resolve().parent.parent / "conf"
LEVELS = 6  # of each colour in the joint histogram
FINE_LEVELS = 32  # of each colour alone
STRENGTHS = np.logspace(-3, 1, 5)  # inverse regularisation, chosen on the training part


def colour_histogram(image: UInt8[np.ndarray, "height width 3"]) -> Float[np.ndarray, " bins"]:
    """Shares of pixels: joint histogram of red, green and blue, then each colour's own; square roots."""
    levels = image.reshape(-1, 3).astype(np.int64)
    red, green, blue = (levels * LEVELS // 256).T
    joint = np.bincount((red * LEVELS + green) * LEVELS + blue, minlength=LEVELS**3)
    own = [np.bincount(levels[:, colour] * FINE_LEVELS // 256, minlength=FINE_LEVELS) for colour in range(3)]
    return np.sqrt(np.concatenate([joint, *own]) / len(levels))


def colour_metrics(fold: Fold) -> dict[str, Any]:
    """Metrics on the test split of a regression trained on train and val together."""
    features = np.stack([colour_histogram(fold.pixels[row]) for row in fold.table.index])
    labels = fold.table["label"].to_numpy()
    test = (fold.table["split"] == "test").to_numpy()
    regression = LogisticRegressionCV(
        Cs=STRENGTHS, cv=3, class_weight="balanced", scoring="f1_macro", max_iter=2000,
        l1_ratios=(0,), use_legacy_attributes=False,
    )  # fmt: skip
    model = make_pipeline(StandardScaler(), regression).fit(features[~test], labels[~test])
    probabilities = np.zeros((test.sum(), len(fold.classes)), np.float32)
    probabilities[:, model.classes_] = model.predict_proba(features[test])
    return classification_metrics(probabilities, labels[test], fold.classes)


def main(overrides: list[str]) -> None:
    """Print the figures."""
    with initialize_config_dir(str(CONFIG), version_base="1.3"):
        cfg = compose("train", overrides)
    data: CellData = instantiate(cfg.data)
    fold = data.fold(cfg.fold)
    metrics = colour_metrics(fold)
    print(f"{data.name}, fold {fold.fold}: {len(fold.table)} images, {len(fold.classes)} classes")
    told = ", ".join(f"{name} {metrics[name]:.3f}" for name in ("f1_macro", "pr_auc", "accuracy"))
    print(f"colour histograms, logistic regression, test: {told}")


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except UserError as error:
        sys.exit(str(error))
