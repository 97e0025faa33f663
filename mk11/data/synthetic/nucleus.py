"""Nuclei: one round body, a cluster of lobes, a wreath, or several separate ones."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from mk11.data.synthetic.anatomy import Anatomy
from mk11.data.synthetic.texture import Plane, noise, soft_step

GOLDEN_ANGLE = np.pi * (3 - 5**0.5)
BENDS = (3, 6, 12, 20)  # pixels: grains of the noise that bends outlines
ROOM = 0.9  # of the cell's radius: how far out a nucleus may reach
NEVER = -1e3  # pixels outside
GAP = 0.3  # mean radii between two separate nuclei

Circles = Float[np.ndarray, "lobes 3"]
Radii = Float[np.ndarray, " lobes"]


@dataclass(frozen=True)
class Nucleus:
    """`mask`, `creases` where lobes meet, and `rim` along the outline, each from 0 to 1."""

    mask: Plane
    creases: Plane
    rim: Plane


def draw_nucleus(anatomy: Anatomy, generator: np.random.Generator, side: int, radius: float) -> Nucleus:
    """Nucleus of a cell of `radius` pixels on a square canvas, somewhere inside the cell."""
    circles = _lobes(anatomy, generator)
    share = 1.0 if anatomy.naked else anatomy.nucleus
    reach = np.hypot(circles[:, 0], circles[:, 1]) + circles[:, 2]
    scale = np.sqrt(share * np.pi * radius**2 / _area(circles))
    if not anatomy.naked:
        scale = min(scale, ROOM * radius / reach.max())
    circles = circles * scale
    spare = max(0.0, ROOM * radius - reach.max() * scale - _bend(anatomy, circles))
    angle, step = generator.uniform(0, 2 * np.pi), spare * generator.uniform(0, 1)
    circles[:, :2] += step * np.array([np.cos(angle), np.sin(angle)])
    return _rendered(circles, anatomy, generator, side)


def _lobes(anatomy: Anatomy, generator: np.random.Generator) -> Circles:
    """Lobes (x, y, radius) around 0, radii about 1."""
    count = anatomy.lobes
    place = {"round": _cluster, "lobed": _cluster, "wreath": _wreath, "separate": _scattered}
    radii = generator.uniform(0.8, 1.15, count)
    centres = place[anatomy.arrangement](generator, radii)
    circles = np.column_stack([centres, radii])
    circles[:, :2] -= circles[:, :2].mean(axis=0)
    return circles


def _cluster(generator: np.random.Generator, radii: Radii) -> Float[np.ndarray, "lobes 2"]:
    """Packed as seeds of a sunflower, so that neighbours overlap."""
    order = np.arange(len(radii))
    distance = 0.82 * np.sqrt(order + 0.4)
    angle = GOLDEN_ANGLE * order + generator.uniform(0, 2 * np.pi)
    centres = distance[:, None] * np.column_stack([np.cos(angle), np.sin(angle)])
    return centres + generator.normal(0, 0.15, (len(radii), 2))


def _wreath(generator: np.random.Generator, radii: Radii) -> Float[np.ndarray, "lobes 2"]:
    """On a ring with a gap, neighbours overlapping."""
    count = len(radii)
    step = 2 * np.pi * generator.uniform(0.75, 1.0) / count
    angle = step * np.arange(count) + generator.uniform(0, 2 * np.pi) + generator.normal(0, 0.1 * step, count)
    ring = 1.25 / (2 * np.sin(step / 2)) * generator.normal(1, 0.08, count)
    return ring[:, None] * np.column_stack([np.cos(angle), np.sin(angle)])


def _scattered(generator: np.random.Generator, radii: Radii) -> Float[np.ndarray, "lobes 2"]:
    """Apart from each other: the gap between two is at least GAP radii."""
    centres = np.zeros((len(radii), 2))
    for lobe in range(1, len(radii)):
        spread = 1.3
        centres[lobe] = generator.normal(0, spread, 2)
        while (
            np.linalg.norm(centres[:lobe] - centres[lobe], axis=1) < radii[:lobe] + radii[lobe] + GAP
        ).any():
            spread *= 1.01
            centres[lobe] = generator.normal(0, spread, 2)
    return centres


def _area(circles: Circles) -> float:
    """Area of the union of `circles`, on a coarse grid."""
    if len(circles) == 1:
        return float(np.pi * circles[0, 2] ** 2)
    reach = (np.abs(circles[:, :2]).max(axis=1) + circles[:, 2]).max()
    grid = np.linspace(-reach, reach, 48)
    squared = (grid[:, None, None] - circles[:, 1]) ** 2 + (grid[None, :, None] - circles[:, 0]) ** 2
    covered = (squared < circles[:, 2] ** 2).any(axis=-1)
    return float(covered.mean() * (2 * reach) ** 2)


def _bend(anatomy: Anatomy, circles: Circles) -> float:
    """By how many pixels noise shifts outlines, as a standard deviation."""
    return float(circles[:, 2].mean() * (0.05 + 0.25 * anatomy.indentation))


def _rendered(circles: Circles, anatomy: Anatomy, generator: np.random.Generator, side: int) -> Nucleus:
    """Lobes as distances to their outlines (pixels, positive inside), bent by noise and joined smoothly.

    The distance to a circle's outline is close to (r^2 - d^2) / 2r near it; where the two largest are
    equal, two lobes meet.
    """
    size = float(circles[:, 2].mean())
    bend = _bend(anatomy, circles)
    axis = np.arange(side, dtype=np.float32) - (side - 1) / 2
    grain = min(BENDS, key=lambda grain: abs(grain - 0.55 * size))
    x = axis[None] + np.float32(bend) * noise(generator, (side, side), grain)
    y = axis[:, None] + np.float32(bend) * noise(generator, (side, side), grain)
    first = np.full((side, side), NEVER, np.float32)
    second = first.copy()
    for centre_x, centre_y, radius in circles.astype(np.float32):
        inside = (radius**2 - (x - centre_x) ** 2 - (y - centre_y) ** 2) / (2 * radius)
        second = np.maximum(second, np.minimum(first, inside))
        first = np.maximum(first, inside)
    if anatomy.arrangement != "separate":
        first = first + np.maximum(0.3 * size - (first - second), 0) ** 2 / (1.2 * size)
    mask = soft_step(first, -0.6, 1.2)
    creases = (1 - soft_step(first - second, 0, 0.22 * size)) * soft_step(second, 0.05 * size, 0.3 * size)
    return Nucleus(mask, creases, mask * (1 - soft_step(first, 0.5, 3.0)))
