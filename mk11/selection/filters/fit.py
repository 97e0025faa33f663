"""The fitted filter from a config: a stored rule, or one learnt now from labelled boxes or crops."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import pandas as pd

from mk11.data.images import IMAGE_SUFFIXES, content_hash, read_rgb
from mk11.errors import UserError
from mk11.selection.filters.adapting import Adaptation, adapt_rule
from mk11.selection.filters.colour_rule import ColourRule
from mk11.selection.filters.examples import Example, Picture, crop_example
from mk11.selection.filters.fitted import FittedFilter
from mk11.selection.filters.learning import learn_rule
from mk11.selection.filters.limits import Limits
from mk11.selection.filters.segmentation import Segmentation
from mk11.selection.filters.smallest import with_sound_limit
from mk11.selection.scoring.truth import read_truth


@dataclass(frozen=True, kw_only=True)
class ExampleFiles:
    """Where labelled examples lie: fields with `truth`, or a folder of `crops`; `count` of them are drawn."""

    fields: str | None
    truth: str | None
    kinds: Sequence[str] | None
    crops: str | None
    margin: float
    count: int
    seed: int
    um_per_pixel: float | None

    def read(self, *, held_out: Collection[str]) -> list[Example]:
        """The examples drawn.

        Args:
            held_out: Content hashes of pictures that nothing may be learnt from.

        Raises:
            UserError: None are named, they are not there, or all are held out.
        """
        if self.crops is not None:
            drawn = self._drawn(images_below(Path(self.crops)), held_out)
            return [
                crop_example(image, margin=self.margin, um_per_pixel=self.um_per_pixel) for _, image in drawn
            ]
        if self.fields is None or self.truth is None or not Path(self.truth).exists():
            raise UserError(
                "filter=fitted learns from labelled examples: give filter.examples.crops (a folder of crops),"
                " filter.examples.fields and filter.examples.truth (fields and boxes of their cells), or"
                f" filter.rule (a stored rule); filter.examples.truth is {self.truth}"
            )
        return self._marked(Path(self.fields), Path(self.truth), held_out)

    def _marked(self, fields: Path, truth: Path, held_out: Collection[str]) -> list[Example]:
        table = read_truth(truth, images=fields, kinds=self.kinds)
        boxes = {str(field): rows for field, rows in table.groupby("field")[["x0", "y0", "x1", "y1"]]}
        drawn = self._drawn([file for file in images_below(fields) if file.stem in boxes], held_out)
        scales = scales_of(fields)
        return [
            Example(image, boxes[file.stem].to_numpy(float), scales.get(file.stem, self.um_per_pixel))
            for file, image in drawn
        ]

    def _drawn(self, files: Sequence[Path], held_out: Collection[str]) -> list[tuple[Path, Picture]]:
        """The first `count` in a drawn order that may be seen, by name."""
        order = np.random.default_rng(self.seed).permutation(len(files))
        drawn = list(islice(_seen((files[number] for number in order), held_out), self.count))
        if files and not drawn:
            raise UserError(
                f"filter.examples must be pictures of patients to train on, but all {len(files)} are of the"
                " fold's validation and test patients"
            )
        return sorted(drawn, key=lambda one: one[0])


def _seen(files: Iterator[Path], held_out: Collection[str]) -> Iterator[tuple[Path, Picture]]:
    for file in files:
        image = read_rgb(file)
        if content_hash(image) not in held_out:
            yield file, image


def fitted_filter(
    *, rule: str | None, examples: ExampleFiles, adapt_to: str | None, adaptation: Adaptation,
    segmentation: Segmentation, limits: Limits, min_evidence: float, smallest_share: float, noise: float,
    held_out: Collection[str],
) -> FittedFilter:  # fmt: skip
    """The filter that conf/filter/fitted.yaml describes.

    Args:
        rule: File of a stored rule; it stands for the examples.
        examples: What else the rule is learnt from.
        adapt_to: Folder of fields without labels of another laboratory, to which the rule is adapted.
        adaptation: How.
        segmentation: From evidence to cells.
        limits: What a region must be.
        min_evidence: Mean evidence of a region, below which it is dropped.
        smallest_share: Smallest diameter, of the smallest example's; where limits name none that applies.
        noise: Area below which a region is not even listed, of a typical cell's box.
        held_out: Content hashes of pictures of the fold's validation and test patients: no examples.
    """
    shown = [] if rule else examples.read(held_out=held_out)
    learnt = ColourRule.load(Path(rule)) if rule else learn_rule(shown, settings=segmentation)
    fitted = FittedFilter(
        rule=learnt, segmentation=segmentation, limits=limits, min_evidence=min_evidence,
        smallest_share=smallest_share, noise=noise,
    )  # fmt: skip
    fitted = with_sound_limit(fitted, shown)
    if adapt_to is None:
        return fitted
    folder = Path(adapt_to)
    scales, files = scales_of(folder), images_below(folder)[: examples.count]
    none = np.zeros((0, 4))
    fields = [Example(read_rgb(file), none, scales.get(file.stem, examples.um_per_pixel)) for file in files]
    return adapt_rule(fitted, fields, adaptation=adaptation)


def images_below(folder: Path) -> list[Path]:
    """Image files below a folder, by name; hidden folders are left out.

    Raises:
        UserError: There are none.
    """
    found = [
        path
        for path in sorted(folder.rglob("*"))
        if path.suffix.lower() in IMAGE_SUFFIXES and not any(part.startswith(".") for part in path.parts[1:])
    ]
    if not found:
        raise UserError(f"{folder} must hold images to learn a colour rule from, but holds none")
    return found


def scales_of(folder: Path) -> dict[str, float]:
    """Um per pixel of each field, by name without suffix, where the folder's fields.csv tells it."""
    if not (folder / "fields.csv").is_file():
        return {}
    table = pd.read_csv(folder / "fields.csv", dtype={"field": str})
    if "um_per_pixel" not in table:
        return {}
    known = table.dropna(subset=["um_per_pixel"])
    return {
        Path(field).stem: float(um) for field, um in zip(known["field"], known["um_per_pixel"], strict=True)
    }
