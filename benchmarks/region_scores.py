"""Stage 1 scored on the real fields of three laboratories, within and across them, beside the paper's rule.

python benchmarks/region_scores.py [--shared ../shared/data] [--seed 0] [--draws 0]

A seeded draw takes 20 fields of BCCD, 15 of TXL PBC and 15 of Raabin to learn from; all others are scored.
Across laboratories the rule is learnt from one laboratory's marked fields and adapted to the other's fields
of the draw without their marks. As labelled, and corrected by region_corrections.csv. `--draws 20` instead
scores the rules of as many draws, each within its laboratory, and prints their median and the lowest.
"""

import argparse
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate
from omegaconf import DictConfig

from mk11.data.images import content_hash, read_rgb
from mk11.selection.field_regions import field_seed
from mk11.selection.filters.adapting import Adaptation, adapt_rule
from mk11.selection.filters.describe import in_words
from mk11.selection.filters.examples import Example
from mk11.selection.filters.fitted import FittedFilter
from mk11.selection.filters.learning import learn_rule
from mk11.selection.filters.smallest import with_sound_limit
from mk11.selection.regions import Region, RegionFilter
from mk11.selection.scoring.corrections import corrected, read_corrections, without_unsure
from mk11.selection.scoring.scores import Matched, match_fields, scores
from mk11.selection.scoring.truth import read_truth

HERE = Path(__file__).resolve().parent
FIGURES = ("recall", "precision", "overlap")


@dataclass(frozen=True)
class Laboratory:
    """Fields of one laboratory, and which of them are learnt from."""

    name: str
    images: Path
    truth: pd.DataFrame
    learnt_from: int
    seed: int

    @cached_property
    def fields(self) -> dict[str, np.ndarray]:
        """Pixels by name."""
        return {file.stem: read_rgb(file) for file in sorted(self.images.iterdir())}

    @cached_property
    def split(self) -> tuple[list[str], list[str]]:
        """Names of the fields learnt from, and of those scored."""
        names = sorted(self.fields)
        order = [names[number] for number in np.random.default_rng(self.seed).permutation(len(names))]
        return order[: self.learnt_from], order[self.learnt_from :]

    def examples(self, *, marked: bool) -> list[Example]:
        """Fields learnt from, with their marks or without."""
        boxes = {name: rows[["x0", "y0", "x1", "y1"]] for name, rows in self.truth.groupby("field")}
        none = np.zeros((0, 4))
        return [
            Example(self.fields[name], boxes[name].to_numpy(float) if marked and name in boxes else none)
            for name in self.split[0]
        ]


def laboratories(shared: Path, seed: int) -> list[Laboratory]:
    """The three, with their white cells as truth."""
    bccd = read_truth(shared / "bccd/voc", images=None, kinds=["WBC"])
    found = [Laboratory("bccd", shared / "bccd/images", bccd, 20, seed)]
    for name, folder in (("txl", "txl_pbc"), ("raabin", "txl_raabin")):
        images = shared / folder / "images"
        truth = read_truth(shared / folder / "labels", images=images, kinds=["0"])
        found.append(Laboratory(name, images, truth, 15, seed))
    return found


def kept_regions(finder: RegionFilter, laboratory: Laboratory, names: Sequence[str]) -> pd.DataFrame:
    """Kept regions of some fields."""
    rows = []
    for name in names:
        image = laboratory.fields[name]
        seed = field_seed(0, content_hash(image))
        rows += [(name, *one) for one in finder.find(image, um_per_pixel=None, seed=seed) if one.kept]
    return pd.DataFrame(rows, columns=["field", *Region._fields])


def matched(finder: RegionFilter, laboratory: Laboratory) -> dict[str, Matched]:
    """Scored fields, as labelled and corrected."""
    names = laboratory.split[1]
    regions = kept_regions(finder, laboratory, names)
    wrong = read_corrections(HERE / "region_corrections.csv", data=laboratory.name)
    truth = corrected(laboratory.truth, wrong, kind="missed by the annotator")
    sure = without_unsure(regions, wrong)
    return {
        "as labelled": match_fields(regions, laboratory.truth, fields=names),
        "corrected": match_fields(sure, truth, fields=names),
    }


def told(finder: RegionFilter, laboratory: Laboratory, title: str) -> None:
    """Print a line of figures."""
    parts = []
    for name, match in matched(finder, laboratory).items():
        found = scores(match, fields=len(laboratory.split[1]))
        figures = in_row([found[key] for key in FIGURES])
        parts.append(f"{name} {figures} ({found['cells']} cells, {found['regions']} regions)")
    print(f"{title:<28}" + "   ".join(parts), flush=True)


def config(name: str) -> DictConfig:
    """A filter as `select.py` composes it; the scale of the fields is unknown."""
    with initialize_config_dir(str(HERE.parent / "conf"), version_base="1.3"):
        return compose("select", [f"filter={name}", "fields=folder", "fields.root=none"]).filter


def fitted_to(examples: Sequence[Example]) -> FittedFilter:
    """filter=fitted, learnt from these examples."""
    cfg = config("fitted")
    segmentation = instantiate(cfg.segmentation)
    fitted = FittedFilter(
        rule=learn_rule(examples, settings=segmentation), segmentation=segmentation,
        limits=instantiate(cfg.limits), min_evidence=cfg.min_evidence, smallest_share=cfg.smallest_share,
        noise=cfg.noise,
    )  # fmt: skip
    return with_sound_limit(fitted, examples)


def main(shared: Path, seed: int) -> None:
    """Print the table."""
    cv2.setNumThreads(1)
    paper, cfg = instantiate(config("paper")), config("fitted")
    adaptation: Adaptation = instantiate(cfg.adaptation)
    print("recall / precision / median box overlap")
    fitted = {}
    everyone = laboratories(shared, seed)
    for one in everyone:
        fitted[one.name] = fitted_to(one.examples(marked=True))
        rule, threshold = fitted[one.name].rule, cfg.segmentation.threshold
        print(f"{one.name}: {in_words(rule, threshold=threshold)}")
        told(fitted[one.name], one, f"fitted, {one.name}")
        told(paper, one, f"paper, {one.name}")
    for source in everyone:
        for target in everyone:
            if source is target:
                continue
            told(fitted[source.name], target, f"{source.name} -> {target.name}, as it is")
            adapted = adapt_rule(fitted[source.name], target.examples(marked=False), adaptation=adaptation)
            told(adapted, target, f"{source.name} -> {target.name}, adapted")


def main_draws(shared: Path, draws: int) -> None:
    """Print how figures within a laboratory differ between draws of the fields learnt from."""
    cv2.setNumThreads(1)
    found = defaultdict(list)
    for seed in range(draws):
        for one in laboratories(shared, seed):
            for name, match in matched(fitted_to(one.examples(marked=True)), one).items():
                told = scores(match, fields=len(one.split[1]))
                found[one.name, name].append([told[key] for key in FIGURES])
    print(f"recall / precision / median box overlap over {draws} draws: median, lowest")
    for (laboratory, name), figures in found.items():
        median, lowest = np.median(figures, axis=0), np.min(figures, axis=0)
        print(f"{laboratory:<8}{name:<13}{in_row(median)}   {in_row(lowest)}", flush=True)


def in_row(figures: Sequence[float | None]) -> str:
    """Three figures with strokes between; a share of nothing is a dash."""
    return " / ".join("  -  " if one is None else f"{one:.3f}" for one in figures)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shared", type=Path, default=HERE.parent.parent / "shared" / "data")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--draws", type=int, default=0)
    arguments = parser.parse_args()
    if arguments.draws:
        main_draws(arguments.shared, arguments.draws)
    else:
        main(arguments.shared, arguments.seed)
