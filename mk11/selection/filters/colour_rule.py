"""A colour rule: how much more often each colour occurs inside cells than outside, as a table."""

import base64
import binascii
import hashlib
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8

from mk11.errors import UserError
from mk11.files import read_json, write_json

BITS = 5  # of each of red, green and blue
STEP = 32  # steps of the table for evidence 1
NEUTRAL = 128  # the step of evidence 0: as often inside as outside
VERSION = 1

Table = UInt8[np.ndarray, "32768"]


@dataclass(frozen=True, kw_only=True)
class ColourRule:
    """What was learnt from examples.

    `table`: evidence of each colour code, log(share inside cells / share outside) * STEP + NEUTRAL, for
    fields whose ground is white (`illumination.white_point`).
    """

    table: Table
    cell_px: float  # px of the examples' fields: median side of a cell's box, sqrt(width * height)
    smallest_px: float  # px, the smallest whole example's
    cell_um: float | None  # um; None: the examples' scale is unknown
    contrast: float  # optical density in green of nuclei / of stained cells in general
    provenance: Mapping[str, Any]

    @property
    def hash(self) -> str:
        """16 hex digits over what decides about regions."""
        sizes = f"{VERSION} {self.cell_px} {self.smallest_px} {self.cell_um}".encode()
        return hashlib.blake2b(sizes + self.table.tobytes(), digest_size=8).hexdigest()

    def scale(self, um_per_pixel: float | None, *, cell_side: int) -> float:
        """By what a field is resampled so that a typical cell is `cell_side` px wide."""
        if self.cell_um is not None and um_per_pixel is not None:
            return cell_side * um_per_pixel / self.cell_um
        return cell_side / self.cell_px

    def save(self, path: Path) -> None:
        """Write as JSON, whole or not at all."""
        told = {
            "version": VERSION,
            **{name: getattr(self, name) for name in ("cell_px", "smallest_px", "cell_um", "contrast")},
            "hash": self.hash,
            "provenance": dict(self.provenance),
            "table": base64.b64encode(zlib.compress(self.table.tobytes(), 9)).decode(),
        }
        write_json(path, told)

    @classmethod
    def load(cls, path: Path) -> "ColourRule":
        """Read what `save` wrote.

        Raises:
            UserError: No such file, or another content.
        """
        if not path.is_file():
            raise UserError(f"filter.rule must be the file of a fitted colour rule, but {path} is not there")
        told = read_json(path)
        try:
            table = np.frombuffer(zlib.decompress(base64.b64decode(told["table"])), np.uint8)
            sizes = {name: told[name] for name in ("cell_px", "smallest_px", "cell_um", "contrast")}
            rule = cls(table=table, **sizes, provenance=told["provenance"])
            whole = rule.hash == told["hash"] and len(table) == 1 << 3 * BITS
        except (KeyError, TypeError, binascii.Error, zlib.error) as error:
            raise UserError(
                f"{path} must be a colour rule as this program writes it, but is not: {error}"
            ) from error
        if not whole:
            raise UserError(
                f"{path} must be a colour rule unchanged since it was written, but its hash differs"
            )
        return rule
