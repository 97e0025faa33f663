"""White blood cells of real smear fields: a small labelled set, and a pool of three laboratories' fields.

python benchmarks/white_cells.py OUT [--shared ../shared/data]

OUT/cells: the cells of BCCD in four class folders, with the ground that `crop` shows about regions; fields
with several cells or a cell of unknown type are left out, basophils too (three). `group` is the field.
OUT/fields: the fields of BCCD, TXL PBC and Raabin, with `fields.csv` and the boxes of all white cells.
docs/activessf.md tells what is made of these.
"""

import argparse
import shutil
from pathlib import Path

import cv2
import pandas as pd

from mk11.data.images import read_rgb
from mk11.selection.crops import CropShape
from mk11.selection.regions import Region
from mk11.selection.scoring.truth import read_truth

TYPES = ("NEUTROPHIL", "EOSINOPHIL", "LYMPHOCYTE", "MONOCYTE")
SHAPE = CropShape(margin=0.3, square=True, target_um_per_pixel=None)  # the default of conf/crop
POOLS = {"bccd": ("voc", "WBC"), "txl_pbc": ("labels", "0"), "txl_raabin": ("labels", "0")}


def main(out: Path, shared: Path) -> None:
    """Write both folders."""
    boxes = [write_fields(out / "fields", shared, name) for name in POOLS]
    pd.concat(boxes).to_csv(out / "fields/boxes.csv", index=False)
    fields = sorted(path.name for path in (out / "fields").glob("*.*") if path.suffix != ".csv")
    groups = [Path(name).stem for name in fields]
    pd.DataFrame({"field": fields, "group": groups}).to_csv(out / "fields/fields.csv", index=False)
    cells = write_cells(out / "cells", out / "fields", boxes[0], types(shared / "bccd/wbc_labels.csv"))
    cells.to_csv(out / "cells/cells.csv", index=False)
    print(f"{len(fields)} fields, {sum(map(len, boxes))} white cells; of known type and alone:")
    print(cells["subtype"].value_counts().to_string())


def write_fields(out: Path, shared: Path, pool: str) -> pd.DataFrame:
    """Copy a laboratory's fields, its name before theirs; returns the boxes of its white cells."""
    out.mkdir(parents=True, exist_ok=True)
    images = shared / pool / "images"
    for file in sorted(images.iterdir()):
        shutil.copyfile(file, out / f"{pool}-{file.name}")
    marks, kind = POOLS[pool]
    boxes = read_truth(shared / pool / marks, images=images, kinds=[kind])
    return boxes.assign(field=pool + "-" + boxes["field"], kind="WBC")


def types(table: Path) -> dict[str, str]:
    """Cell type by field, of fields with a single type."""
    told = pd.read_csv(table)
    told = told[told["Category"].isin(TYPES)]
    return {f"bccd-BloodImage_{int(row.Image):05d}": str(row.Category) for row in told.itertuples()}


def write_cells(out: Path, fields: Path, boxes: pd.DataFrame, known: dict[str, str]) -> pd.DataFrame:
    """Cut the cells of fields with one cell of one known type; returns the table of them."""
    rows = []
    for field, marked in boxes.groupby("field"):
        files = list(fields.glob(f"{field}.*"))
        if len(marked) != 1 or field not in known or not files:
            continue
        image = read_rgb(files[0])
        box = SHAPE.box(around(marked.iloc[0]), width=image.shape[1], height=image.shape[0])
        pixels, _ = SHAPE.cut(image, box, um_per_pixel=None)
        path = Path(known[str(field)]) / f"{field}.png"
        (out / path).parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(out / path), pixels[..., ::-1])
        rows.append((str(path), known[str(field)], field))
    return pd.DataFrame(rows, columns=["path", "subtype", "group"])


def around(box: pd.Series) -> Region:
    """A marked box as a region; only its corners count here."""
    corners = {corner: int(box[corner]) for corner in ("x0", "y0", "x1", "y1")}
    return Region(
        **corners, area=0, fill=1.0, mean_red=0, mean_green=0, mean_blue=0, at_border=False, reason=""
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--shared", type=Path, default=Path("../shared/data"))
    options = parser.parse_args()
    main(options.out, options.shared)
