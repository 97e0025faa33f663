"""A single cell as amounts of stain: cytoplasm with its granules and holes, and the nucleus in it."""

from dataclasses import dataclass, replace

import cv2
import numpy as np
from jaxtyping import Float

from mk11.data.synthetic.anatomy import UM_PER_PIXEL, Anatomy
from mk11.data.synthetic.nucleus import Nucleus, draw_nucleus
from mk11.data.synthetic.stain import BASOPHILIC, GRANULE, NUCLEAR, PINK, Amounts
from mk11.data.synthetic.texture import Plane, discs, filled, noise, outline, soft_step


@dataclass(frozen=True)
class DrawnCell:
    """A square patch around a cell.

    Attributes:
        amounts: (5, side, side) stains.
        cover: from 0 to 1, where the cell hides what lies under it.
        body: from 0 to 1, the cell without extensions; of a naked nucleus, the nucleus.
        nucleus: from 0 to 1.
        radius: pixels, of the body.
    """

    amounts: Amounts
    cover: Plane
    body: Plane
    nucleus: Plane
    radius: float


def draw_cell(anatomy: Anatomy, generator: np.random.Generator) -> DrawnCell:
    """Draw one cell at `UM_PER_PIXEL`."""
    radius = anatomy.diameter / 2 / UM_PER_PIXEL
    reach = 1.75 if anatomy.proplatelets else 1.35
    side = 2 * int(radius * reach) + 9
    nucleus = draw_nucleus(anatomy, generator, side, radius)
    if anatomy.naked:
        return _naked(anatomy, nucleus, generator, radius)
    points = outline(generator, radius, anatomy.wobble)
    body = filled(points, side)
    extensions = discs(_extensions(anatomy, points, generator), side)
    cover = cv2.GaussianBlur(np.maximum(body, extensions), (0, 0), 0.8)
    nucleus = replace(nucleus, mask=nucleus.mask * soft_step(body, 0.5, 0.5))
    amounts = _cytoplasm(anatomy, cover, nucleus.mask, generator)
    amounts *= 1 - nucleus.mask
    amounts[NUCLEAR] = _chromatin(anatomy, nucleus, generator)
    amounts[BASOPHILIC] += 0.15 * nucleus.mask
    return DrawnCell(amounts, cover, body, nucleus.mask, radius)


def _naked(anatomy: Anatomy, nucleus: Nucleus, generator: np.random.Generator, radius: float) -> DrawnCell:
    """A nucleus with at most some wisps of cytoplasm around it."""
    shape = nucleus.mask.shape
    amounts = np.zeros((5, *shape), np.float32)
    halo = cv2.GaussianBlur(nucleus.mask, (0, 0), 0.16 * radius + 1) * (1 - nucleus.mask)
    wisps = halo * soft_step(noise(generator, shape, 6), 1.2 - 2 * anatomy.wisps, 1.0)
    amounts[PINK] = 1.2 * wisps
    amounts[GRANULE] = 0.5 * wisps * soft_step(noise(generator, shape, 1.2), 0.5, 1.0)
    amounts[NUCLEAR] = _chromatin(anatomy, nucleus, generator)
    return DrawnCell(amounts, nucleus.mask, nucleus.mask, nucleus.mask, radius)


def _extensions(
    anatomy: Anatomy, points: Float[np.ndarray, "points 2"], generator: np.random.Generator
) -> Float[np.ndarray, "discs 3"]:
    """Proplatelets and blebs as strings of discs that start on the outline."""
    strings = [np.zeros((0, 3))]
    for _ in range(anatomy.proplatelets):
        strings.append(_proplatelet(points[generator.integers(len(points))], generator))
    for _ in range(anatomy.blebs):
        start = points[generator.integers(len(points))]
        strings.append(np.array([[*start, generator.uniform(0.5, 1.4) / UM_PER_PIXEL]]))
    return np.concatenate(strings)


def _proplatelet(
    start: Float[np.ndarray, " 2"], generator: np.random.Generator
) -> Float[np.ndarray, "discs 3"]:
    """A curved, tapering process with platelet-sized beads, 3 to 11 um long."""
    steps = 24
    length = min(generator.uniform(3, 11), 0.7 * float(np.hypot(*start)) * UM_PER_PIXEL) / UM_PER_PIXEL
    along = np.linspace(0, 1, steps)
    turn = np.arctan2(start[1], start[0]) + generator.normal(0, 0.4) + generator.normal(0, 1.0) * along
    path = start + np.cumsum(np.column_stack([np.cos(turn), np.sin(turn)]), axis=0) * length / steps
    beads = 0.4 * np.cos(2 * np.pi * (generator.uniform(1, 2.5) * along + generator.uniform()))
    width = (generator.uniform(0.9, 1.8) * (1 - 0.5 * along) + beads) / UM_PER_PIXEL
    return np.column_stack([path, np.maximum(width, 1.2)])


def _cytoplasm(anatomy: Anatomy, cover: Plane, nucleus: Plane, generator: np.random.Generator) -> Amounts:
    """Thin at the rim; blue where it is young, pink where ripe, with granules, pale zones and vacuoles."""
    shape = cover.shape
    amounts = np.zeros((5, *shape), np.float32)
    depth = cv2.distanceTransform((cover > 0.5).astype(np.uint8), cv2.DIST_L2, 3)
    thickness = cover * (0.55 + 0.45 * soft_step(depth, 0, 0.25 * float(depth.max()) + 1))
    pale = anatomy.depletion * soft_step(noise(generator, shape, 12), 1.0 - 2 * anatomy.depletion, 0.8)
    thickness *= (1 - 0.6 * pale) * (1 + 0.10 * noise(generator, shape, 3))
    amounts[PINK] = (1.1 - 0.7 * anatomy.basophilia) * thickness
    amounts[BASOPHILIC] = (
        (0.12 + 0.95 * anatomy.basophilia) * thickness * (1 + 0.15 * noise(generator, shape, 1.5))
    )
    granules = _granules(anatomy, generator, shape) * soft_step(depth, 1, 5)  # the outermost rim is clear
    amounts[GRANULE] = granules * (1 - 0.9 * pale) * thickness
    return amounts * (1 - 0.9 * _vacuoles(anatomy, cover * (1 - nucleus), generator))


def _granules(anatomy: Anatomy, generator: np.random.Generator, shape: tuple[int, int]) -> Plane:
    """Fine dots everywhere, and dense ones in clumps."""
    fine = soft_step(noise(generator, shape, 0.8), 1.7 - 1.6 * anatomy.granules, 1.2)
    if anatomy.clusters == 0:
        return 0.55 * fine
    clumps = soft_step(noise(generator, shape, 6), 1.6 - 2.2 * anatomy.clusters, 0.5)
    coarse = 0.35 + 0.65 * soft_step(noise(generator, shape, 1.2), -0.3, 1.2)
    return np.maximum(0.55 * fine, 0.9 * clumps * coarse)


def _vacuoles(anatomy: Anatomy, room: Plane, generator: np.random.Generator) -> Plane:
    """Round holes of 1 to 4 um, centred where there is cytoplasm."""
    side = room.shape[0]
    places = np.argwhere(room > 0.9)
    if anatomy.vacuoles == 0 or len(places) == 0:
        return np.zeros_like(room)
    chosen = places[generator.integers(len(places), size=anatomy.vacuoles)][:, ::-1] - (side - 1) / 2
    radius = generator.uniform(0.5, 2.0, anatomy.vacuoles) / UM_PER_PIXEL
    return cv2.GaussianBlur(discs(np.column_stack([chosen, radius]), side), (0, 0), 0.9)


def _chromatin(anatomy: Anatomy, nucleus: Nucleus, generator: np.random.Generator) -> Plane:
    """Fine and even in young cells, in coarse clumps in ripe ones; pale nucleoli; lighter folds."""
    shape = nucleus.mask.shape
    clumps = anatomy.chromatin * 0.24 * noise(generator, shape, 3)
    fine = (0.10 + 0.06 * anatomy.chromatin) * noise(generator, shape, 1.2)
    level = (0.72 + 0.22 * anatomy.chromatin) * anatomy.density
    amount = level * np.maximum(1 + clumps + fine, 0.35) * (1 - 0.4 * nucleus.creases + 0.12 * nucleus.rim)
    if anatomy.nucleoli:
        amount *= 1 - 0.35 * _nucleoli(anatomy, nucleus.mask, generator)
    return amount * nucleus.mask


def _nucleoli(anatomy: Anatomy, mask: Plane, generator: np.random.Generator) -> Plane:
    """Pale round spots of 1 to 2 um inside the nucleus."""
    side = mask.shape[0]
    places = np.argwhere(mask > 0.9)
    if len(places) == 0:
        return np.zeros_like(mask)
    chosen = places[generator.integers(len(places), size=anatomy.nucleoli)][:, ::-1] - (side - 1) / 2
    radius = generator.uniform(0.7, 1.3, anatomy.nucleoli) / UM_PER_PIXEL
    return cv2.GaussianBlur(discs(np.column_stack([chosen, radius]), side), (0, 0), 1.2)
