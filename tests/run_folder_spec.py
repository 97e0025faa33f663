"""What a synthetic run folder is made from: a drawn data set, and one run on it."""

import hashlib
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

CLASSES = ("blast", "granular", "naked", "hyperlobulated")
NASTY = ("<script>alert(1)</script>", "a_b&c 50%", "$x$ {y}~^#\\", "=1+1 | `q`", "Zäpfchen µm β")


@dataclass(frozen=True)
class Cells:
    """The drawn data set: as many images per class as `images` says, spread over patients and folds."""

    classes: tuple[str, ...] = CLASSES
    images: tuple[int, ...] = (90, 60, 40, 15)
    patients: int = 15  # 0: no patient is known
    folds: int = 5
    seed: int = 0

    def table(self, fold):
        """One fold: id, content_hash, group, label, subtype, split, and how easy each image is."""
        generator = np.random.default_rng(self.seed)
        label = np.repeat(np.arange(len(self.classes)), self.images)
        count = len(label)
        part = np.concatenate([np.arange(images) % self.folds for images in self.images])
        if self.patients:  # whole patients: the parts are theirs
            patient = part + self.folds * generator.integers(max(1, self.patients // self.folds), size=count)
            ease = generator.normal(0, 0.4, patient.max() + 1)[patient]
        else:
            patient, ease = np.full(count, -1), np.zeros(count)
        tested = 0 if fold == "final" else fold
        split = np.where(part == tested, "test", np.where(part == (tested + 1) % self.folds, "val", "train"))
        names = [f"{self.classes[k]}/{number:04d}.png" for number, k in enumerate(label)]
        return pd.DataFrame(
            {
                "id": names,
                "content_hash": [digest(f"{self.seed} {name}", 16) for name in names],
                "group": [f"P{p:02d}" if p >= 0 else "" for p in patient],
                "label": label,
                "subtype": [self.classes[k] for k in label],
                "split": split,
                "ease": ease + generator.normal(0, 1, count),
            }
        )


@dataclass(frozen=True)
class Spec:
    """One run. `quality` is how far the right class stands out: 0 guesses, 1 is fair, 3 is nearly right."""

    model: str = "convnext"
    fold: int | str = 0  # or `final`
    seed: int = 0
    quality: float = 1.5
    name: str = "mk11"
    row: str | None = None
    status: str = "finished"
    cells: Cells = field(default_factory=Cells)
    old: bool = False  # the format without data.set, data.folds, data.holdout and the analysis
    data_set: str = "5e7f00d5e7f00d00"
    marks: dict = field(default_factory=dict)
    config: dict = field(default_factory=dict)  # dotted keys over the defaults
    record: dict = field(default_factory=dict)  # fields of run.json over the defaults
    analysis: dict | None = None
    epochs: int = 6
    hardest: bool = False
    stage: str = "train"


def digest(words, length):
    return hashlib.sha256(words.encode()).hexdigest()[:length]
