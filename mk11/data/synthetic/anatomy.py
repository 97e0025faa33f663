"""What each kind of cell looks like, in micrometres: the eleven MK-11 subtypes and the cells around them."""

from dataclasses import dataclass, fields, replace

import numpy as np

Range = tuple[float, float]

UM_PER_PIXEL = 0.253  # MK-11's scanner, 40x


@dataclass(frozen=True)
class Kind:
    """Ranges (low, high); each cell of the kind draws its own values evenly from them.

    Attributes:
        diameter: um, of the disc that has the area of the cell's body (of the nucleus, if it is naked).
        limits: um, what the definition of the kind allows, whatever a patient's cells tend to.
        nucleus: nuclear area as a share of the cell's.
        arrangement: of the lobes: round, lobed (a cluster), wreath (a ring) or separate (round nuclei).
        lobes: how many, both ends included.
        indentation: dents in the outline of the nucleus, 0 smooth, 1 deep.
        chromatin: 0 fine and even, 1 coarse clumps.
        density: depth of the nucleus' stain, 1 = usual.
        nucleoli: how many pale spots in the nucleus.
        basophilia: 0 mature pink to lilac, 1 deep blue cytoplasm.
        granules: fine azurophil granules, 0 none, 1 packed.
        clusters: share of the cytoplasm under dense clumps of granules.
        depletion: share of the cytoplasm that lost its granules and its colour.
        vacuoles: how many.
        proplatelets: how many long beaded extensions.
        blebs: how many short buds on the outline.
        wisps: cytoplasm left around a naked nucleus, 0 none; negative: the cell has its whole cytoplasm.
        wobble: irregularity of the outline.
    """

    diameter: Range
    nucleus: Range
    limits: Range = (0.0, 100.0)
    arrangement: tuple[str, ...] = ("round",)
    lobes: Range = (1, 1)
    indentation: Range = (0.0, 0.3)
    chromatin: Range = (0.5, 1.0)
    density: Range = (0.85, 1.15)
    nucleoli: Range = (0, 0)
    basophilia: Range = (0.0, 0.25)
    granules: Range = (0.25, 0.65)
    clusters: Range = (0.0, 0.12)
    depletion: Range = (0.0, 0.2)
    vacuoles: Range = (0, 3)
    proplatelets: Range = (0, 0)
    blebs: Range = (0, 2)
    wisps: Range = (-1.0, -1.0)
    wobble: Range = (0.03, 0.08)


COUNTED = ("lobes", "nucleoli", "vacuoles", "proplatelets", "blebs")


@dataclass(frozen=True)
class Anatomy:
    """One cell: a value for each range of its `Kind`."""

    diameter: float
    nucleus: float
    arrangement: str
    lobes: int
    indentation: float
    chromatin: float
    density: float
    nucleoli: int
    basophilia: float
    granules: float
    clusters: float
    depletion: float
    vacuoles: int
    proplatelets: int
    blebs: int
    wisps: float
    wobble: float

    @property
    def naked(self) -> bool:
        """Whether the nucleus has shed its cytoplasm."""
        return self.wisps >= 0


GRANULAR = Kind(
    diameter=(22, 46), nucleus=(0.2, 0.45), arrangement=("lobed",), lobes=(3, 8), basophilia=(0.0, 0.3),
    granules=(0.4, 1.0), clusters=(0.2, 0.65), vacuoles=(0, 2),
)  # fmt: skip
AGRANULAR = replace(GRANULAR, granules=(0.0, 0.15), clusters=(0.0, 0.0), depletion=(0.0, 0.35))
CYTOPLASM = Kind(
    diameter=(18, 42), nucleus=(0.2, 0.48), arrangement=("round", "lobed", "lobed"), lobes=(2, 6),
    granules=(0.1, 0.6), clusters=(0.0, 0.2),
)  # fmt: skip

# Each cell of a subtype follows one of its kinds, all equally likely.
SUBTYPES: dict[str, tuple[Kind, ...]] = {
    "MK-blast": (
        Kind(
            diameter=(10, 20), nucleus=(0.6, 0.85), indentation=(0.0, 0.5), chromatin=(0.0, 0.4),
            density=(0.75, 1.05), nucleoli=(0, 3), basophilia=(0.5, 1.0), granules=(0.0, 0.2),
            clusters=(0, 0), depletion=(0.0, 0.1), blebs=(0, 6),
        ),
    ),
    "Pro-MK": (
        Kind(
            diameter=(15, 30), nucleus=(0.42, 0.7), arrangement=("round", "lobed"), lobes=(2, 3),
            indentation=(0.4, 1.0), chromatin=(0.1, 0.6), density=(0.75, 1.05), nucleoli=(0, 2),
            basophilia=(0.35, 0.85), granules=(0.05, 0.4), clusters=(0.0, 0.1), blebs=(0, 4),
        ),
    ),
    "G-MK": (GRANULAR, GRANULAR, GRANULAR, GRANULAR, AGRANULAR),
    "PP-MK": (
        Kind(
            diameter=(20, 42), nucleus=(0.2, 0.45), arrangement=("lobed",), lobes=(2, 7), granules=(0.3, 0.9),
            clusters=(0.0, 0.3), proplatelets=(4, 14), blebs=(2, 10), wobble=(0.08, 0.18),
        ),
    ),
    "NN-MK": (
        Kind(
            diameter=(11, 26), nucleus=(1, 1), arrangement=("round", "lobed", "lobed"), lobes=(2, 5),
            indentation=(0.1, 0.8), chromatin=(0.5, 1.0), density=(1.0, 1.4), wisps=(0.0, 0.6),
        ),
    ),
    "N-MK": (
        Kind(diameter=(17, 38), nucleus=(0.14, 0.4), indentation=(0.0, 0.5), basophilia=(0.0, 0.35)),
    ),
    "S-MK": (
        Kind(
            diameter=(10, 18), limits=(10, 18), nucleus=(0.25, 0.6), indentation=(0.0, 0.6),
            basophilia=(0.0, 0.4), blebs=(0, 4),
        ),
    ),
    "MMK": (
        Kind(
            diameter=(7, 11.9), limits=(6.5, 11.9), nucleus=(0.35, 0.75),
            arrangement=("round", "round", "lobed"), lobes=(2, 2), indentation=(0.0, 0.6),
            chromatin=(0.6, 1.0), density=(0.9, 1.25), basophilia=(0.0, 0.45), blebs=(0, 5),
        ),
    ),
    "MN-MK": (
        Kind(
            diameter=(20, 46), nucleus=(0.18, 0.4), arrangement=("separate",), lobes=(3, 7),
            indentation=(0.0, 0.2), basophilia=(0.0, 0.35),
        ),
    ),
    "HL-MK": (
        Kind(
            diameter=(40, 56), limits=(40, 60), nucleus=(0.25, 0.45), arrangement=("lobed", "wreath"),
            lobes=(9, 18), clusters=(0.0, 0.3),
        ),
    ),
    "CA-MK": (
        replace(CYTOPLASM, vacuoles=(6, 24)),
        replace(CYTOPLASM, depletion=(0.6, 1.0), granules=(0.0, 0.4)),
        replace(CYTOPLASM, basophilia=(0.55, 1.0), granules=(0.0, 0.3), clusters=(0.0, 0.0)),
    ),
}  # fmt: skip

COUNTS = {
    "MK-blast": 692, "Pro-MK": 506, "G-MK": 1954, "PP-MK": 660, "NN-MK": 623, "N-MK": 548, "S-MK": 513,
    "MMK": 573, "MN-MK": 647, "HL-MK": 141, "CA-MK": 347,
}  # fmt: skip

BYSTANDERS: dict[str, Kind] = {
    "erythroblast": Kind(
        diameter=(8, 13), nucleus=(0.3, 0.6), chromatin=(0.8, 1.0), density=(1.2, 1.5),
        basophilia=(0.1, 0.8), granules=(0, 0), clusters=(0, 0), depletion=(0, 0), blebs=(0, 0),
        indentation=(0, 0.1), wobble=(0.01, 0.04),
    ),
    "granulocyte": Kind(
        diameter=(11, 15), nucleus=(0.25, 0.4), arrangement=("lobed", "wreath"), lobes=(3, 5),
        chromatin=(0.7, 1.0), density=(1.1, 1.4), basophilia=(0.0, 0.1), granules=(0.3, 0.6), blebs=(0, 0),
        wobble=(0.02, 0.05),
    ),
    "lymphocyte": Kind(
        diameter=(7, 11), nucleus=(0.65, 0.88), chromatin=(0.6, 0.9), density=(1.1, 1.4),
        basophilia=(0.4, 0.8), granules=(0.0, 0.1), clusters=(0, 0), blebs=(0, 0), wobble=(0.02, 0.05),
    ),
}  # fmt: skip


def draw_anatomy(kind: Kind, generator: np.random.Generator, *, size: float) -> Anatomy:
    """A cell of `kind`; `size` is the patient's factor on diameters, within the kind's limits."""
    values: dict[str, float | int | str] = {}
    for field in fields(Anatomy):
        if field.name != "arrangement":
            values[field.name] = generator.uniform(*getattr(kind, field.name))
    for name in COUNTED:
        low, high = getattr(kind, name)
        values[name] = int(generator.integers(low, high + 1))
    values["arrangement"] = kind.arrangement[generator.integers(len(kind.arrangement))]
    if values["arrangement"] == "round":
        values["lobes"] = 1
    values["diameter"] = float(np.clip(float(values["diameter"]) * size, *kind.limits))
    return Anatomy(**values)  # type: ignore[arg-type]
