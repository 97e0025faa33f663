"""timm's RandAugment on arrays: its own draws, with the slow operations done faster."""

from collections.abc import Callable
from functools import partial

import cv2
import numpy as np
import torch
from jaxtyping import Float, UInt8
from PIL import Image
from timm.data import auto_augment
from timm.data.auto_augment import RandAugment

RAMP = Image.fromarray(np.arange(256, dtype=np.uint8)[None])  # every grey level once
NO_MAP = np.empty(0)  # OpenCV's second map: not needed where the first holds both coordinates
TRUNCATION_SLACK = 1e-4  # grey levels: Pillow truncates a double; a float32 sum of 5 may be 4.99999


def on_arrays(rand_augment: RandAugment) -> RandAugment:
    """The same RandAugment for uint8 arrays (height, width, 3) in place of Pillow images.

    Choice of operations, their probabilities and magnitudes remain timm's; only what `aug_fn` does is
    replaced, for every operation of its increasing and its plain list.
    """
    for op in rand_augment.ops:
        op.aug_fn = _REPLACED.get(op.aug_fn) or partial(_by_pillow, op.aug_fn)
    return rand_augment


def _by_pillow(
    op: Callable[..., Image.Image], image: UInt8[np.ndarray, "height width 3"], *level: float, **how: object
) -> UInt8[np.ndarray, "height width 3"]:
    """The operation itself."""
    return np.array(op(Image.fromarray(image), *level, **how))


def _by_table(
    op: Callable[..., Image.Image], image: UInt8[np.ndarray, "height width 3"], *level: float, **how: object
) -> UInt8[np.ndarray, "height width 3"]:
    """An operation that treats each value by itself: done once on the 256 levels, then looked up."""
    return cv2.LUT(image, np.array(op(RAMP, *level, **how))[0])


def posterize(image: Image.Image, bits: int, **how: object) -> Image.Image:
    """Keep the `bits` highest bits; 0 leaves black, as older Pillow did, where Pillow 13 raises an error."""
    if bits < 1:
        return Image.new(image.mode, image.size)
    return auto_augment.posterize(image, bits, **how)


def shear_x(image: UInt8[np.ndarray, "height width 3"], factor: float, **how: object) -> np.ndarray:
    """Row y takes from `factor` * (y + 1/2) pixels to its right."""
    return shift_rows(image, factor * (np.arange(image.shape[0]) + 0.5), how["fillcolor"])


def shear_y(image: UInt8[np.ndarray, "height width 3"], factor: float, **how: object) -> np.ndarray:
    """Column x takes from `factor` * (x + 1/2) pixels below."""
    return cv2.transpose(shear_x(cv2.transpose(image), factor, **how))


def translate_x(image: UInt8[np.ndarray, "height width 3"], share: float, **how: object) -> np.ndarray:
    """Every row takes from `share` of the width to its right."""
    return shift_rows(image, np.full(image.shape[0], share * image.shape[1]), how["fillcolor"])


def translate_y(image: UInt8[np.ndarray, "height width 3"], share: float, **how: object) -> np.ndarray:
    """Every column takes from `share` of the height below."""
    return cv2.transpose(translate_x(cv2.transpose(image), share, **how))


def shift_rows(
    image: UInt8[np.ndarray, "height width 3"], shifts: Float[np.ndarray, " height"], fill: object
) -> UInt8[np.ndarray, "height width 3"]:
    """Pillow's bicubic affine transform where it only moves rows: out[y, x] = in[y, x + shifts[y]].

    Pillow weighs 4 x 4 neighbours of each pixel in double precision. With y unmoved three of the four rows
    weigh nothing, and the four weights in x are the same along a row: a filter of four taps. Beyond the edge
    the last pixel is repeated for the taps, and pixels whose centre lies outside are `fill`, as in Pillow.
    """
    height, width, _ = image.shape
    whole = np.floor(shifts)
    taps = torch.from_numpy(_neighbours(image, whole.astype(np.int16))).view(height, -1).float()
    weights = torch.from_numpy(cubic_weights(shifts - whole))
    moved = taps[:, : 3 * width] * weights[0]  # (height, width * 3)
    for tap in (1, 2, 3):
        moved.addcmul_(taps[:, 3 * tap : 3 * (tap + width)], weights[tap])
    levels = moved.add_(TRUNCATION_SLACK).clamp_(0, 255).to(torch.uint8)
    return _filled(levels.view(image.shape).numpy(), shifts, fill)


def cubic_weights(part: Float[np.ndarray, " rows"]) -> Float[np.ndarray, "4 rows 1"]:
    """Cubic convolution of Pillow's transforms (a = -1), `part` in [0, 1) of the way from tap 1 to 2."""
    square, cube = part**2, part**3
    weights = [
        -part + 2 * square - cube,
        1 - 2 * square + cube,
        part + square - cube,
        cube - square,
    ]
    return np.stack(weights)[..., None].astype(np.float32)


def _neighbours(
    image: UInt8[np.ndarray, "height width 3"], whole: np.ndarray
) -> UInt8[np.ndarray, "height columns 3"]:
    """Row y from column whole[y] - 1 on, width + 3 pixels, the edge repeated."""
    height, width, _ = image.shape
    source = np.empty((height, width + 3, 2), np.int16)  # (column, row) to take
    source[..., 0] = whole[:, None] + np.arange(-1, width + 2, dtype=np.int16)
    source[..., 1] = np.arange(height, dtype=np.int16)[:, None]
    return cv2.remap(image, source, NO_MAP, cv2.INTER_NEAREST, borderMode=cv2.BORDER_REPLICATE)


def _filled(
    image: UInt8[np.ndarray, "height width 3"], shifts: Float[np.ndarray, " height"], fill: object
) -> UInt8[np.ndarray, "height width 3"]:
    """`image` with `fill` wherever the centre of the pixel taken lies outside."""
    width = image.shape[1]
    first = np.ceil(-0.5 - shifts).astype(np.int16)[:, None]  # the first column whose centre lies inside
    columns = np.arange(width, dtype=np.int16)
    outside = ((columns < first) | (columns >= first + width)).view(np.uint8)
    colour = np.broadcast_to(np.tile(np.array(fill, np.uint8), (width, 1)), image.shape)
    return cv2.copyTo(np.ascontiguousarray(colour), outside, image)


_REPLACED = {
    auto_augment.invert: partial(_by_table, auto_augment.invert),
    auto_augment.solarize: partial(_by_table, auto_augment.solarize),
    auto_augment.solarize_add: partial(_by_table, auto_augment.solarize_add),
    auto_augment.brightness: partial(_by_table, auto_augment.brightness),
    auto_augment.posterize: partial(_by_table, posterize),
    auto_augment.shear_x: shear_x,
    auto_augment.shear_y: shear_y,
    auto_augment.translate_x_rel: translate_x,
    auto_augment.translate_y_rel: translate_y,
}
