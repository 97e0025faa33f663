"""Figures that the report has drawn: where on the page they belong, and what they show in words."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mk11.report.figures.looks import file_stem
from mk11.report.page.words import title
from mk11.runs.configurations import Configuration

GENERAL = {
    "overview": "Each configuration's mean over folds, with its folds.",
    "class_pr_auc": "PR-AUC of each subtype, mean and spread over folds.",
    "class_size": "PR-AUC of each subtype against its number of images: the long tail.",
}
OF_ONE = {
    "confusion": "What each subtype was taken for, over all folds.",
    "precision_recall": "Precision and recall of each subtype: mean over folds, and their range.",
    "reliability": "Whether the network is right as often as it is sure, before and after tempering.",
    "coverage_risk": "Share of mistakes when only the most certain images are kept.",
    "learning": "Loss and metrics by epoch: the mean over folds, and their range.",
}


@dataclass(frozen=True)
class Picture:
    """An SVG file and what it shows; `words` are for those who do not see it."""

    path: Path
    words: str
    caption: str


@dataclass(frozen=True)
class Plate:
    """The pictures of one configuration."""

    configuration: Configuration
    pictures: list[Picture]


def general(figures: Mapping[str, Path], configurations: Sequence[Configuration]) -> list[Picture]:
    """The figures of several configurations, in the order given, with what none of the others claims."""
    own = {f"{kind}-{file_stem(c.key)}" for c in configurations for kind in OF_ONE}
    pairs = {
        f"difference-{file_stem(a.key)}-{file_stem(b.key)}": f"Confusion of {a.label} less that of {b.label}."
        for a in configurations
        for b in configurations
    }
    captions = {name: pairs.get(name) or _caption(name) for name in figures if name not in own}
    return [Picture(figures[name], caption, caption) for name, caption in captions.items()]


def plates(figures: Mapping[str, Path], configurations: Sequence[Configuration]) -> list[Plate]:
    """The figures of one configuration, for each that has any."""
    found = [
        Plate(
            c,
            [
                Picture(path, f"{caption} {c.label}.", caption)
                for kind, caption in OF_ONE.items()
                if (path := figures.get(f"{kind}-{file_stem(c.key)}"))
            ],
        )
        for c in configurations
    ]
    return [plate for plate in found if plate.pictures]


def _caption(name: str) -> str:
    return GENERAL.get(name.partition("-")[0], title(name))
