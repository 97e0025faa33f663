"""The plan's picture: crops exactly as the network gets them, augmented and not."""

import math
import time
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from torch import Tensor

from mk11.data.dataset import CellImages
from mk11.data.loader import CellLoaders
from mk11.data.transforms.paper import Paper
from mk11.data.transforms.resize import FixedScale, ShortSide
from mk11.files import replacing

CROPS = 32  # of each kind
COLUMNS = 8
BAR_UM = 10.0


def draw_crops(loaders: CellLoaders, path: Path) -> float:
    """Write 32 training crops, augmented, and the same 32 cells as evaluation sees them, with scale bars.

    Returns:
        Seconds that one process takes to prepare a training image.
    """
    augmented = CellImages(loaders.fold, "train", loaders.train_transform, loaders.seed)
    plain = CellImages(loaders.fold, "train", loaders.eval_transform, loaders.seed)
    order = torch.randperm(len(plain), generator=torch.Generator().manual_seed(loaders.seed))
    chosen = order[:CROPS].tolist()
    start = time.perf_counter()
    training = [augmented[position]["image"] for position in chosen]
    seconds = (time.perf_counter() - start) / len(chosen)
    evaluated = [plain[position] for position in chosen]
    rows = loaders.fold.table.iloc[[int(item["index"]) for item in evaluated]]
    scales = [
        seen_um_per_pixel(loaders.eval_transform.resize, (int(height), int(width)), float(um_per_pixel))
        for height, width, um_per_pixel in rows[["height", "width", "um_per_pixel"]].to_numpy()
    ]
    figure = Figure(figsize=(8.5, 9.6), layout="constrained")
    halves = figure.add_gridspec(2, 1)
    upper, lower = (figure.add_subfigure(half) for half in (halves[0], halves[1]))
    upper.suptitle(f"training: augmented; bar {BAR_UM:g} µm where the scale is known", fontsize=10)
    for axes, image, scale in zip(_grid(upper), training, scales, strict=False):
        _show(axes, image)
        if not isinstance(loaders.train_transform, Paper):  # a random resized crop has a scale of its own
            _bar(axes, scale)
    lower.suptitle(f"evaluation, the same cells; bar {BAR_UM:g} µm where the scale is known", fontsize=10)
    for axes, item, subtype, scale in zip(_grid(lower), evaluated, rows["subtype"], scales, strict=False):
        _show(axes, item["image"])
        axes.set_title(subtype, fontsize=6, pad=1, parse_math=False)
        _bar(axes, scale)
    with replacing(path) as temporary:
        figure.savefig(temporary, format="png", dpi=150)
    return seconds


def seen_um_per_pixel(policy: ShortSide | FixedScale, shape: tuple[int, int], um_per_pixel: float) -> float:
    """Micrometres a pixel of the network's input covers, for an image of (height, width); NaN: unknown."""
    if isinstance(policy, FixedScale):
        return policy.target_um_per_pixel
    return um_per_pixel * min(shape) / policy.short_side


def _grid(figure: SubFigure) -> list[Axes]:
    axes = np.ravel(figure.subplots(CROPS // COLUMNS, COLUMNS))
    for each in axes:
        each.set_axis_off()
    return list(axes)


def _show(axes: Axes, image: Float[Tensor, "3 size size"]) -> None:
    """Show an image stretched to its own span: the network sees relative colours only."""
    pixels = image.permute(1, 2, 0).numpy()
    low, high = np.percentile(pixels, (0.5, 99.5))
    axes.imshow(np.clip((pixels - low) / max(high - low, 1e-6), 0, 1), interpolation="nearest")


def _bar(axes: Axes, um_per_pixel: float) -> None:
    if not math.isnan(um_per_pixel):
        bottom = axes.get_ylim()[0]
        axes.plot(
            [3, 3 + BAR_UM / um_per_pixel],
            [bottom - 4] * 2,
            color="black",
            linewidth=1.5,
            solid_capstyle="butt",
        )
