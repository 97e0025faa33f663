"""Masked, predicted and true images side by side, in the colours of the slide."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, UInt8
from PIL import Image, ImageDraw
from torch import Tensor

from mk11.files import replacing
from mk11.ssl.method import Pictures

GAP = 4  # px between images
TITLE = 16  # px
LEGIBLE = 112  # px
TITLES = ("masked", "predicted", "true")
PAPER, INK = (255, 255, 255), (40, 40, 40)


def write_sheet(path: Path, pictures: Pictures, *, mean: Sequence[float], std: Sequence[float]) -> None:
    """A PNG with a row for each image: what the encoder saw, what was predicted, what was there."""
    columns = [enlarged(as_bytes(images, mean=mean, std=std)) for images in pictures]
    count, height, width, _ = columns[0].shape
    size = (3 * (width + GAP) + GAP, TITLE + count * (height + GAP))
    sheet = Image.new("RGB", size, PAPER)
    pen = ImageDraw.Draw(sheet)
    for place, (title, images) in enumerate(zip(TITLES, columns, strict=True)):
        left = GAP + place * (width + GAP)
        pen.text((left, 2), title, fill=INK)
        for number, image in enumerate(images):
            sheet.paste(Image.fromarray(image), (left, TITLE + number * (height + GAP)))
    with replacing(path) as temporary:
        sheet.save(temporary, format="PNG")


def enlarged(images: UInt8[np.ndarray, "batch height width 3"]) -> UInt8[np.ndarray, "batch rows columns 3"]:
    """Small images with each pixel repeated, so that people can see them."""
    factor = max(1, -(-LEGIBLE // images.shape[2]))
    return images.repeat(factor, axis=1).repeat(factor, axis=2)


def image_grid(
    images: Float[Tensor, "batch 3 height width"],
    *,
    columns: int,
    mean: Sequence[float],
    std: Sequence[float],
) -> Image.Image:
    """Images row by row on white paper."""
    tiles = as_bytes(images, mean=mean, std=std)
    count, height, width, _ = tiles.shape
    rows = -(-count // columns)
    grid = Image.new("RGB", (GAP + columns * (width + GAP), GAP + rows * (height + GAP)), PAPER)
    for number, tile in enumerate(tiles):
        row, column = divmod(number, columns)
        grid.paste(Image.fromarray(tile), (GAP + column * (width + GAP), GAP + row * (height + GAP)))
    return grid


def as_bytes(
    images: Float[Tensor, "batch 3 height width"], *, mean: Sequence[float], std: Sequence[float]
) -> UInt8[np.ndarray, "batch height width 3"]:
    """Normalised images as grey levels 0 to 255 of red, green and blue; what lies beyond is cut off."""
    scale, shift = (torch.tensor(list(values))[:, None, None] for values in (std, mean))
    levels = (images.float().cpu() * scale + shift).clamp(0, 1) * 255
    return levels.round().to(torch.uint8).permute(0, 2, 3, 1).contiguous().numpy()
