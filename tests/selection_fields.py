"""Small smear fields: discs in the colours of the tests' cells, and where they lie."""

import csv

import numpy as np
from PIL import Image

COLOURS = {"blast": (90, 40, 140), "granular": (170, 110, 190), "naked": (60, 60, 110)}
SPOTS = ((26, 26), (70, 30), (30, 74), (78, 76))


def make_disc_fields(root, *, count=6, seed=0, groups=("P0", "P1", "P2", "P3", "P4", "P5")):
    """Fields of 100 px with four discs each, boxes.csv, and fields.csv with their patients."""
    root.mkdir(parents=True)
    generator = np.random.default_rng(seed)
    boxes, known = [], []
    for number in range(count):
        picture = np.full((100, 100, 3), (225, 215, 225), float)
        for x, y in SPOTS:
            kind, radius = str(generator.choice([*COLOURS])), int(generator.integers(9, 15))
            rows, columns = np.ogrid[:100, :100]
            picture[(rows - y) ** 2 + (columns - x) ** 2 < radius**2] = COLOURS[kind]
            box = (x - radius + 1, y - radius + 1, x + radius, y + radius)
            boxes.append((f"field{number}.png", *box, kind))
        noisy = (picture + generator.normal(0, 8, picture.shape)).clip(0, 255).astype(np.uint8)
        Image.fromarray(noisy).save(root / f"field{number}.png")
        known.append((f"field{number}.png", groups[number % len(groups)]))
    for name, header, rows in (
        ("boxes.csv", ("field", "x0", "y0", "x1", "y1", "kind"), boxes),
        ("fields.csv", ("field", "group"), known),
    ):
        with open(root / name, "w", newline="") as handle:
            csv.writer(handle).writerows([header, *rows])
    return root
