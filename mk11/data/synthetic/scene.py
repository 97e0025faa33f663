"""What surrounds a cell: red cells, platelets, dirt; and the picture taken of it all."""

from functools import lru_cache

import cv2
import numpy as np
from jaxtyping import Float32, UInt8

from mk11.data.synthetic.anatomy import UM_PER_PIXEL
from mk11.data.synthetic.cell import DrawnCell
from mk11.data.synthetic.stain import BASOPHILIC, GRANULE, HAEMOGLOBIN, PINK, Amounts, Patient, transmitted
from mk11.data.synthetic.texture import Plane, filled, noise, outline, soft_step

RED_CELLS = 48  # different ones
RED_CELL_SIDE = 48  # pixels
RED_CELL_RADIUS = 18.0  # pixels on that canvas


@lru_cache(maxsize=1)
def red_cells() -> tuple[Plane, ...]:
    """Thickness of some red cells: a rim around a paler middle."""
    generator = np.random.default_rng(2)
    return tuple(_red_cell(generator) for _ in range(RED_CELLS))


def _red_cell(generator: np.random.Generator) -> Plane:
    disc = filled(outline(generator, RED_CELL_RADIUS, 0.045), RED_CELL_SIDE)
    depth = cv2.distanceTransform((disc > 0.5).astype(np.uint8), cv2.DIST_L2, 5) / RED_CELL_RADIUS
    pallor = generator.uniform(0.15, 0.75)
    middle = soft_step(depth, 0.35, generator.uniform(0.3, 0.6))
    thickness = (0.65 + 0.35 * soft_step(depth, 0, 0.15)) * (1 - pallor * middle)
    return cv2.GaussianBlur(disc * thickness, (0, 0), 1.0)


class Scene:
    """A part of a smear, `height` x `width` pixels, as amounts of stain."""

    def __init__(self, height: int, width: int, patient: Patient) -> None:
        self.amounts: Amounts = np.zeros((5, height, width), np.float32)
        self.patient = patient
        self.taken: list[tuple[float, float, float]] = []  # (x, y, radius) of what has its place

    def is_free(self, x: float, y: float, radius: float, overlap: float) -> bool:
        """Whether a disc has room, where discs may overlap by a share of the sum of their radii."""
        if not self.taken:
            return True
        taken = np.array(self.taken)
        apart = np.hypot(taken[:, 0] - x, taken[:, 1] - y)
        return bool((apart > (1 - overlap) * (taken[:, 2] + radius)).all())

    def add(self, cell: DrawnCell, x: float, y: float) -> None:
        """Lay a cell over what is there, centred at (x, y); parts outside the scene are cut off."""
        here, there = _windows(cell.cover.shape, self.amounts.shape[1:], x, y)
        self.amounts[:, *there] *= 1 - 0.85 * cell.cover[here]
        self.amounts[:, *there] += cell.amounts[:, *here]

    def add_stain(self, stain: int, patch: Plane, x: float, y: float) -> None:
        """Add one stain at (x, y)."""
        here, there = _windows(patch.shape, self.amounts.shape[1:], x, y)
        self.amounts[stain, *there] += patch[here]

    def scatter_red_cells(self, generator: np.random.Generator) -> None:
        """Red cells where there is room; some overlap."""
        _, height, width = self.amounts.shape
        area = (height + 30) * (width + 30) * UM_PER_PIXEL**2
        for _ in range(generator.poisson(self.patient.crowding * area / 1000)):
            radius = self.patient.red_cell_radius * generator.normal(1, 0.06) / UM_PER_PIXEL
            x, y = generator.uniform(-15, width + 15), generator.uniform(-15, height + 15)
            if self.is_free(x, y, radius, 0.12 if generator.uniform() < 0.8 else 0.45):
                self.taken.append((x, y, 0.9 * radius))
                self._red_cell(x, y, radius, generator)

    def _red_cell(self, x: float, y: float, radius: float, generator: np.random.Generator) -> None:
        patch = red_cells()[generator.integers(RED_CELLS)]
        side = round(RED_CELL_SIDE * radius / RED_CELL_RADIUS)
        down, right = generator.choice((-1, 1), size=2)
        patch = cv2.resize(np.ascontiguousarray(patch[::down, ::right]), (side, side))
        self.add_stain(HAEMOGLOBIN, patch, x, y)

    def scatter_platelets(self, generator: np.random.Generator, count: int) -> None:
        """Platelets of 1.5 to 3 um: pale bodies with granules in the middle."""
        _, height, width = self.amounts.shape
        for _ in range(count):
            radius = generator.uniform(0.7, 1.6) / UM_PER_PIXEL
            side = 2 * int(radius * 1.4) + 7
            body = cv2.GaussianBlur(filled(outline(generator, radius, 0.15), side), (0, 0), 0.8)
            x, y = generator.uniform(0, width), generator.uniform(0, height)
            if self.is_free(x, y, radius, 0.0):
                self.add_stain(PINK, 0.8 * body, x, y)
                self.add_stain(
                    GRANULE, 0.7 * body * soft_step(noise(generator, body.shape, 1.2), -0.3, 1), x, y
                )

    def scatter_dirt(self, generator: np.random.Generator, count: int) -> None:
        """Precipitated stain (dark dots) and blue smudges."""
        _, height, width = self.amounts.shape
        for _ in range(count):
            smudge = generator.uniform() < 0.4
            radius = generator.uniform(3, 9) if smudge else generator.uniform(0.8, 2.2)
            side = 2 * int(radius * 1.6) + 7
            spot = cv2.GaussianBlur(filled(outline(generator, radius, 0.2), side), (0, 0), 0.2 * radius + 0.5)
            strength = generator.uniform(0.15, 0.5) if smudge else generator.uniform(0.5, 1.5)
            stain = BASOPHILIC if smudge else GRANULE
            self.add_stain(stain, strength * spot, generator.uniform(0, width), generator.uniform(0, height))

    def photographed(self, generator: np.random.Generator) -> UInt8[np.ndarray, "height width 3"]:
        """The picture: uneven light, blur, noise of the sensor, and what JPEG leaves."""
        light = transmitted(self.amounts, self.patient)
        light *= _uneven(light.shape[:2], generator)[..., None]
        light = cv2.GaussianBlur(light, (0, 0), self.patient.blur * generator.uniform(0.8, 1.4))
        light += _sensor_noise(light.shape[:2], generator)
        picture = np.clip(light, 0, 255).astype(np.uint8)
        quality = int(generator.integers(70, 97))
        _, encoded = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])
        return np.asarray(cv2.imdecode(encoded, cv2.IMREAD_COLOR))


def _windows(
    patch: tuple[int, ...], scene: tuple[int, ...], x: float, y: float
) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
    """Rows and columns of a patch centred at (x, y) that lie in the scene, and where they lie there."""
    here, there = [], []
    for size, limit, centre in zip(patch, scene, (y, x), strict=True):
        start = round(centre - (size - 1) / 2)
        low, high = max(start, 0), min(start + size, limit)
        high = max(high, low)
        here.append(slice(low - start, high - start))
        there.append(slice(low, high))
    return (here[0], here[1]), (there[0], there[1])


def _uneven(shape: tuple[int, int], generator: np.random.Generator) -> Plane:
    """Brightness that falls off towards one side, by at most a tenth."""
    down, right = generator.uniform(-0.05, 0.05, 2)
    rows, columns = (np.linspace(-1, 1, size, dtype=np.float32) for size in shape)
    return (1 + np.float32(down) * rows[:, None] + np.float32(right) * columns[None]).astype(np.float32)


def _sensor_noise(
    shape: tuple[int, int], generator: np.random.Generator
) -> Float32[np.ndarray, "height width 3"]:
    """Noise of 1 to 3 grey levels."""
    strength = np.float32(generator.uniform(1.0, 3.0))
    return cv2.merge([strength * noise(generator, shape, 0.5) for _ in range(3)])
