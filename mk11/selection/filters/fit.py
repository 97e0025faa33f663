"""The fitted filter from a config: a stored rule, or one learnt now from labelled boxes or crops."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from mk11.data.images import IMAGE_SUFFIXES, read_rgb
from mk11.errors import UserError
from mk11.selection.filters.adapting import Adaptation, adapt_rule
from mk11.selection.filters.colour_rule import ColourRule
from mk11.selection.filters.examples import Example, crop_example
from mk11.selection.filters.fitted import FittedFilter
from mk11.selection.filters.learning import learn_rule
from mk11.selection.filters.limits import Limits
from mk11.selection.filters.segmentation import Segmentation
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

    def read(self) -> list[Example]:
        """The examples drawn.

        Raises:
            UserError: None are named, or they are not there.
        """
        if self.crops is not None:
            files = self._drawn(images_below(Path(self.crops)))
            return [
                crop_example(read_rgb(file), margin=self.margin, um_per_pixel=self.um_per_pixel)
                for file in files
            ]
        if self.fields is None or self.truth is None or not Path(self.truth).exists():
            raise UserError(
                "filter=fitted learns from labelled examples: give filter.examples.crops (a folder of crops),"
                " filter.examples.fields and filter.examples.truth (fields and boxes of their cells), or"
                f" filter.rule (a stored rule); filter.examples.truth is {self.truth}"
            )
        return self._marked(Path(self.fields), Path(self.truth))

    def _marked(self, fields: Path, truth: Path) -> list[Example]:
        table = read_truth(truth, images=fields, kinds=self.kinds)
        boxes = {str(field): rows for field, rows in table.groupby("field")[["x0", "y0", "x1", "y1"]]}
        files = self._drawn([file for file in images_below(fields) if file.stem in boxes])
        scales = scales_of(fields)
        return [
            Example(
                read_rgb(file), boxes[file.stem].to_numpy(float), scales.get(file.stem, self.um_per_pixel)
            )
            for file in files
        ]

    def _drawn(self, files: Sequence[Path]) -> list[Path]:
        order = np.random.default_rng(self.seed).permutation(len(files))[: self.count]
        return [files[number] for number in sorted(order)]


def fitted_filter(
    *, rule: str | None, examples: ExampleFiles, adapt_to: str | None, adaptation: Adaptation,
    segmentation: Segmentation, limits: Limits, min_evidence: float, smallest_share: float, noise: float,
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
    """
    learnt = ColourRule.load(Path(rule)) if rule else learn_rule(examples.read(), settings=segmentation)
    fitted = FittedFilter(
        rule=learnt, segmentation=segmentation, limits=limits, min_evidence=min_evidence,
        smallest_share=smallest_share, noise=noise,
    )  # fmt: skip
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
