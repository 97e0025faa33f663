"""Wright-Giemsa as a physicist sees it: stains absorb, and light that passes fades exponentially."""

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float32

Amounts = Float32[np.ndarray, "5 height width"]  # how much of each stain lies at each pixel

NUCLEAR, BASOPHILIC, PINK, GRANULE, HAEMOGLOBIN = range(5)

# Optical density of one unit of each stain in red, green and blue, read off pictures of stained smears.
DENSITIES = np.array(
    [
        [0.82, 1.42, 0.50],
        [0.62, 0.47, 0.16],
        [0.17, 0.31, 0.13],
        [0.46, 0.95, 0.38],
        [0.10, 0.27, 0.26],
    ]
)
GLASS = np.array([238.0, 232.0, 236.0])


@dataclass(frozen=True)
class Patient:
    """What all cells of a patient share.

    Attributes:
        name: such as P07.
        densities: (5, 3) optical densities of this patient's stain.
        glass: (3,) colour of the empty slide.
        size: factor on diameters.
        crowding: red cells per 1000 um^2.
        red_cell_radius: um.
        blur: pixels, how far the slide lay out of focus.
    """

    name: str
    densities: np.ndarray
    glass: np.ndarray
    size: float
    crowding: float
    red_cell_radius: float
    blur: float


def draw_patient(generator: np.random.Generator, *, name: str) -> Patient:
    """A patient with a stain, a slide and a size of cells of their own."""
    strength = np.exp(generator.normal(0, 0.2))
    hue = np.exp(generator.normal(0, 0.11, (1, 3)) + generator.normal(0, 0.08, (5, 3)))
    each = np.exp(generator.normal(0, 0.15, (5, 1)))
    return Patient(
        name=name,
        densities=(DENSITIES * strength * hue * each).astype(np.float32),
        glass=np.minimum(GLASS + generator.normal(0, 4, 3) + generator.normal(0, 5), 253).astype(np.float32),
        size=float(np.clip(generator.normal(1, 0.05), 0.88, 1.12)),
        crowding=generator.uniform(1.0, 10.0),
        red_cell_radius=generator.uniform(3.3, 4.3),
        blur=generator.uniform(0.5, 1.1),
    )


def transmitted(amounts: Amounts, patient: Patient) -> Float32[np.ndarray, "height width 3"]:
    """Light that comes through, from 0 to 255 (Beer-Lambert).

    Sums are spelt out: a matrix product may differ in its last bits with the number of threads.
    """
    planes = []
    for glass, densities in zip(patient.glass, patient.densities.T, strict=True):
        density = amounts[0] * -densities[0]
        for amount, each in zip(amounts[1:], densities[1:], strict=True):
            density -= amount * each
        planes.append(cv2.exp(density) * glass)
    return cv2.merge(planes)
