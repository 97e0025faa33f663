"""One image file as RGB pixels, whatever its format, depth or suffix."""

import hashlib
from io import BytesIO
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from mk11.errors import UserError

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff")
WITH_ALPHA = frozenset({"RGBA", "LA", "PA", "La", "RGBa"})
NO_COLOUR_SCALE = frozenset({"I", "F"})  # 32-bit numbers: nothing says which value is white


class UnreadableImage(UserError):  # noqa: N818  says what it is about, not that it is an error
    """An image file that cannot be decoded; `reason` says why."""

    def __init__(self, path: Path, reason: str) -> None:
        self.reason = reason
        super().__init__(f"{path} must be a whole PNG, JPEG, BMP or TIFF image, but is not: {reason}")


def read_rgb(path: Path) -> UInt8[np.ndarray, "height width 3"]:
    """Pixels of an image file; the content decides about its format, not the suffix.

    Grey, palette and 16-bit images become 8-bit RGB; what is transparent becomes white.

    Raises:
        UnreadableImage: missing, truncated, or no image.
    """
    try:
        return decode_rgb(path.read_bytes())
    except Exception as error:  # decoders raise OSError, SyntaxError, struct.error and more on broken files
        raise UnreadableImage(path, reason(error)) from error


def decode_rgb(encoded: bytes) -> UInt8[np.ndarray, "height width 3"]:
    """Pixels of an encoded image (Pillow: unlike OpenCV it raises on truncated files)."""
    with Image.open(BytesIO(encoded)) as picture:
        picture.load()
        return np.asarray(_to_rgb(picture))


def _to_rgb(picture: Image.Image) -> Image.Image:
    if picture.mode in NO_COLOUR_SCALE:
        raise ValueError(f"pixels of mode {picture.mode} have no defined white")
    if picture.mode.startswith("I;16"):
        # The high byte, as Pillow itself takes it from 16-bit colour.
        return Image.fromarray((np.asarray(picture) >> 8).astype(np.uint8)).convert("RGB")
    if picture.mode in WITH_ALPHA or "transparency" in picture.info:
        rgba = picture.convert("RGBA")
        white = Image.new("RGBA", rgba.size, "white")
        return Image.alpha_composite(white, rgba).convert("RGB")
    return picture.convert("RGB")


def reason(error: Exception) -> str:
    """A decoder's complaint on one line."""
    return " ".join(str(error).split()) or type(error).__name__


def content_hash(image: UInt8[np.ndarray, "height width 3"]) -> str:
    """32 hex digits over shape and pixels: equal for equal pictures, however they are encoded."""
    digest = hashlib.blake2b(repr(image.shape).encode(), digest_size=16)
    digest.update(image.tobytes())
    return digest.hexdigest()
