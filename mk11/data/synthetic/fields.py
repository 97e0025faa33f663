"""Drawn smear fields: several cells of different kinds among red cells, and where each of them lies."""

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import UInt8

from mk11.data.synthetic.anatomy import BYSTANDERS, SUBTYPES, UM_PER_PIXEL, draw_anatomy
from mk11.data.synthetic.cell import DrawnCell, draw_cell
from mk11.data.synthetic.cells import PATIENTS, nth_patient
from mk11.data.synthetic.files import build_folder, in_processes, write_png
from mk11.data.synthetic.scene import Scene
from mk11.data.synthetic.stain import Patient
from mk11.errors import UserError

WIDTH, HEIGHT = 1280, 960
MEGAKARYOCYTES = (3, 7)  # of a field, both ends included
OTHERS = (3, 10)
ATTEMPTS = 40  # to find room for a cell
PATIENT, FIELD = (
    1,
    3,
)  # what a random generator is for: [seed, purpose, number]; patients are those of cells.py


class Box(NamedTuple):
    """Where a nucleated cell lies: pixels, x1 and y1 excluded; `kind` is a subtype or a bystander."""

    x0: int
    y0: int
    x1: int
    y1: int
    kind: str


@dataclass(frozen=True)
class Placed:
    """A cell, what it is, and its centre in pixels of the field."""

    kind: str
    cell: DrawnCell
    x: int
    y: int

    @property
    def box(self) -> Box:
        """Box of what the cell covers."""
        x0, y0, x1, y1 = _extent(self.cell)
        return Box(self.x + x0, self.y + y0, self.x + x1, self.y + y1, self.kind)


def generate_fields(root: Path, *, count: int, seed: int) -> None:
    """Draw `count` fields into `root`: field_00000.png, ..., fields.csv and boxes.csv.

    boxes.csv has a row for each nucleated cell: field, x0, y0, x1, y1 (pixels, x1 and y1 excluded), kind.
    fields.csv has field, group (patient) and um_per_pixel. Bit-identical for a seed, whatever the number of
    processes; the folder is whole or absent.

    Raises:
        UserError: count is not above 0, or `root` holds something else.
    """
    if count < 1:
        raise UserError(f"count must be at least 1, but is {count}")
    with build_folder(Path(root), complete="boxes.csv") as folder:
        if folder is None:
            return
        tasks = [(str(folder), seed, number) for number in range(count)]
        boxes = in_processes(_draw_to_file, tasks, title="drawing fields", chunk=1)
        names = [f"field_{number:05d}.png" for number in range(count)]
        groups = [_patient_of(seed, number).name for number in range(count)]
        pd.DataFrame({"field": names, "group": groups, "um_per_pixel": UM_PER_PIXEL}).to_csv(
            folder / "fields.csv", index=False
        )
        rows = [(name, *box) for name, found in zip(names, boxes, strict=True) for box in found]
        table = pd.DataFrame(rows, columns=["field", "x0", "y0", "x1", "y1", "kind"])
        table.to_csv(folder / "boxes.csv", index=False)


def draw_field(seed: int, number: int) -> tuple[UInt8[np.ndarray, "height width 3"], list[Box]]:
    """Field `number` of the drawing with this seed, and the boxes of its nucleated cells."""
    generator = np.random.default_rng([seed, FIELD, number])
    scene = Scene(HEIGHT, WIDTH, _patient_of(seed, number))
    placed = [one for kind in _kinds(generator) if (one := _place(kind, scene, generator)) is not None]
    scene.scatter_red_cells(generator)
    scene.scatter_platelets(generator, int(generator.poisson(40)))
    scene.scatter_dirt(generator, int(generator.poisson(6)))
    for one in placed:
        scene.add(one.cell, one.x, one.y)
    return scene.photographed(generator), [one.box for one in placed]


def _patient_of(seed: int, number: int) -> Patient:
    """Whose field it is: one of the patients of the drawn cells with this seed."""
    patient = np.random.default_rng([seed, FIELD, number, 0]).integers(PATIENTS)
    return nth_patient(int(patient), seed=seed)


def _kinds(generator: np.random.Generator) -> list[str]:
    """Kinds of a field's nucleated cells, megakaryocytes first: they need most room."""
    megakaryocytes = generator.choice(list(SUBTYPES), size=generator.integers(*MEGAKARYOCYTES, endpoint=True))
    others = generator.choice(list(BYSTANDERS), size=generator.integers(*OTHERS, endpoint=True))
    return [str(kind) for kind in (*megakaryocytes, *others)]


def _place(kind: str, scene: Scene, generator: np.random.Generator) -> Placed | None:
    """A cell of `kind`, wholly inside the field, where there is room; None if none is found."""
    kinds = SUBTYPES.get(kind) or (BYSTANDERS[kind],)
    anatomy = draw_anatomy(kinds[generator.integers(len(kinds))], generator, size=scene.patient.size)
    cell = draw_cell(anatomy, generator)
    x0, y0, x1, y1 = _extent(cell)  # about the centre
    for _ in range(ATTEMPTS):
        x, y = generator.uniform(-x0, WIDTH - x1), generator.uniform(-y0, HEIGHT - y1)
        if scene.is_free(x, y, 1.1 * cell.radius, overlap=0.0):
            scene.taken.append((x, y, 1.1 * cell.radius))
            return Placed(kind, cell, round(x), round(y))
    return None


def _extent(cell: DrawnCell) -> tuple[int, int, int, int]:
    """Smallest box (x0, y0, x1, y1) about a cell and its extensions, from the middle of its patch."""
    rows, columns = np.nonzero(cell.cover > 0.5)
    middle = (cell.cover.shape[0] - 1) // 2
    x0, x1 = int(columns.min()) - middle, int(columns.max()) + 1 - middle
    y0, y1 = int(rows.min()) - middle, int(rows.max()) + 1 - middle
    return x0, y0, x1, y1


def _draw_to_file(task: tuple[str, int, int]) -> list[Box]:
    folder, seed, number = task
    picture, boxes = draw_field(seed, number)
    write_png(Path(folder) / f"field_{number:05d}.png", picture)
    return boxes
