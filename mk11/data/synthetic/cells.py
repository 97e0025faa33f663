"""Single-cell images of the eleven subtypes, drawn from a seed, as ordinary class folders."""

from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import UInt8

from mk11.data.synthetic.anatomy import BYSTANDERS, COUNTS, SUBTYPES, UM_PER_PIXEL, draw_anatomy
from mk11.data.synthetic.cell import DrawnCell, draw_cell
from mk11.data.synthetic.files import build_folder, in_processes, write_png
from mk11.data.synthetic.scene import Scene
from mk11.data.synthetic.stain import Patient, draw_patient
from mk11.errors import UserError

PATIENTS = 70
FEWEST = 10  # images of a class
MARGIN = (1.12, 2.2)  # side of the picture, in diameters of the cell
SIDES = (60, 300)  # pixels
LISTING, PATIENT, PICTURE = range(3)  # what a random generator is for: [seed, purpose, number]


def generate(root: Path, *, scale: float, seed: int) -> None:
    """Draw a data set into `root`: <subtype>/<patient>_<number>.png and cells.csv.

    Bit-identical for a seed, whatever the number of processes. The folder is whole or absent; runs that
    start at once wait for the first.

    Args:
        root: folder to make; one that holds cells.csv is left as it is.
        scale: 1 draws as many cells as MK-11 has; each class gets at least 10.
        seed: of everything that is random.

    Raises:
        UserError: scale is not above 0, or `root` holds something else.
    """
    if not scale > 0:
        raise UserError(f"data.scale must be above 0, but is {scale}")
    with build_folder(Path(root), complete="cells.csv") as folder:
        if folder is None:
            return
        table = listing(scale=scale, seed=seed)
        for subtype in SUBTYPES:
            (folder / subtype).mkdir()
        tasks = [
            (str(folder), seed, number, *row) for number, row in enumerate(table.itertuples(index=False))
        ]
        in_processes(_draw_to_file, tasks, title="drawing cells", chunk=16)
        table.drop(columns="patient").to_csv(folder / "cells.csv", index=False)


def listing(*, scale: float, seed: int) -> pd.DataFrame:
    """Which cell is whose: path, subtype, group, um_per_pixel and the patient's number."""
    generator = np.random.default_rng([seed, LISTING])
    share = generator.gamma(2.0, size=PATIENTS) * generator.gamma(1.0, size=(len(SUBTYPES), PATIENTS))
    rows: list[tuple[str, int]] = []
    for subtype, shares in zip(SUBTYPES, share, strict=True):
        count = max(FEWEST, round(COUNTS[subtype] * scale))
        patients = np.repeat(np.arange(PATIENTS), generator.multinomial(count, shares / shares.sum()))
        rows += [(subtype, int(patient)) for patient in patients]
    table = pd.DataFrame(rows, columns=["subtype", "patient"])
    table["group"] = [f"P{patient + 1:02d}" for patient in table["patient"]]
    numbers = [f"{number:05d}.png" for number in table.index]
    table.insert(0, "path", table["subtype"] + "/" + table["group"] + "_" + numbers)
    table["um_per_pixel"] = UM_PER_PIXEL
    return table[["path", "subtype", "group", "um_per_pixel", "patient"]]


@lru_cache(maxsize=PATIENTS)
def nth_patient(number: int, *, seed: int) -> Patient:
    """Patient `number` (from 0) of the drawing with this seed, named P01 and so on."""
    return draw_patient(np.random.default_rng([seed, PATIENT, number]), name=f"P{number + 1:02d}")


def draw_picture(
    subtype: str, patient: Patient, generator: np.random.Generator
) -> tuple[UInt8[np.ndarray, "height width 3"], DrawnCell]:
    """One cell of `subtype` near the middle of a picture that is 1.1 to 2.2 times as wide, and the cell."""
    kinds = SUBTYPES[subtype]
    kind = kinds[generator.integers(len(kinds))]
    cell = draw_cell(draw_anatomy(kind, generator, size=patient.size), generator)
    side = float(np.clip(2 * cell.radius * generator.uniform(*MARGIN), *SIDES))
    height, width = (round(side * generator.uniform(0.92, 1.08)) for _ in range(2))
    scene = Scene(height, width, patient)
    x, y = np.array([width, height]) / 2 + generator.uniform(-0.05, 0.05, 2) * side
    scene.taken.append((x, y, cell.radius))
    neighbours = _neighbours(scene, generator)
    scene.scatter_red_cells(generator)
    scene.scatter_platelets(generator, int(generator.poisson(side**2 / 15000)))
    scene.scatter_dirt(generator, int(generator.poisson(0.4)))
    for neighbour, at in neighbours:
        scene.add(neighbour, *at)
    scene.add(cell, x, y)
    return scene.photographed(generator), cell


def _neighbours(scene: Scene, generator: np.random.Generator) -> list[tuple[DrawnCell, tuple[float, float]]]:
    """Up to two nucleated cells of other kinds that find room, often cut off by the border."""
    _, height, width = scene.amounts.shape
    found = []
    for _ in range(generator.choice((0, 1, 2), p=(0.6, 0.3, 0.1))):
        kind = tuple(BYSTANDERS.values())[generator.integers(len(BYSTANDERS))]
        anatomy = draw_anatomy(kind, generator, size=scene.patient.size)
        radius = anatomy.diameter / 2 / UM_PER_PIXEL
        x, y = generator.uniform(-10, width + 10), generator.uniform(-10, height + 10)
        if scene.is_free(x, y, radius, overlap=0.05):
            scene.taken.append((x, y, radius))
            found.append((draw_cell(anatomy, generator), (x, y)))
    return found


def _draw_to_file(task: tuple[str, int, int, str, str, str, float, int]) -> None:
    folder, seed, number, path, subtype, _, _, patient = task
    generator = np.random.default_rng([seed, PICTURE, number])
    picture, _ = draw_picture(subtype, nth_patient(patient, seed=seed), generator)
    write_png(Path(folder) / path, picture)
