"""A finished selection in drawn fields, read back from its run folder for pictures of the documentation."""

from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from mk11.data.images import read_rgb
from mk11.errors import UserError
from mk11.files import read_json
from mk11.selection.gallery.content import BOX, Picture
from mk11.selection.gallery.words import DROPPED, MISSED, SELECTED, UNSELECTED
from mk11.selection.regions import KEPT
from mk11.selection.scoring.scores import Matched, match_fields
from mk11.selection.scoring.truth import read_truth

CROP = ["crop_x0", "crop_y0", "crop_x1", "crop_y1"]
FALSE = "false"  # label of a kept region that is no drawn cell


class Finished:
    """The run folder of a `select.py fields=synthetic`.

    Raises:
        UserError: Its fields have no table of drawn cells.
    """

    def __init__(self, folder: Path) -> None:
        record = read_json(folder / "run.json")
        self.filter = str(record["choices"]["filter"])
        self.root = Path(record["fields"]["root"])
        if not (self.root / "boxes.csv").is_file():
            raise UserError(f"{folder} must be a selection in drawn fields, but {self.root} has no boxes.csv")
        self.regions = pd.read_parquet(folder / "regions.parquet")
        self.candidates = pd.read_parquet(folder / "candidates.parquet")
        self.prototypes = pd.DataFrame(read_json(folder / "summary.json")["purity"]["prototypes"])

    @cached_property
    def matched(self) -> Matched:
        """Kept regions beside drawn cells, by names of fields without suffix."""
        truth = read_truth(self.root / "boxes.csv", images=None, kinds=None)
        bare = self.candidates.assign(field=[Path(name).stem for name in self.candidates["field"]])
        return match_fields(bare, truth, fields=sorted(set(truth["field"])))

    def outlined(self, field: str) -> pd.DataFrame:
        """Box, state and label of each region and each missed cell of a field."""
        dropped = self.regions[(self.regions["field"] == field) & (self.regions["reason"] != KEPT)]
        cells, kept = (table[table["field"] == Path(field).stem] for table in self.matched)
        missed, states = cells[~cells["found"]], np.where(kept["admitted"], SELECTED, UNSELECTED)
        layers = [
            dropped.assign(state=DROPPED, label=""),
            missed.assign(state=MISSED, label=missed["kind"]),
            kept.assign(state=states, label=np.where(kept["true"], "", FALSE)),
        ]
        return pd.concat([layer[[*BOX, "state", "label"]] for layer in layers], ignore_index=True)

    def most_telling(self) -> str:
        """The field with most sorts of outlines; of these that with most mistakes."""
        rows = {str(field): self.outlined(str(field)) for field in self.regions["field"].unique()}
        return max(sorted(rows), key=lambda field: _telling(rows[field]))

    def pixels(self, field: str) -> Picture:
        """Of a field."""
        return read_rgb(self.root / field)

    def crop(self, row: int) -> Picture:
        """Of a candidate, as far as it lies in its field."""
        about = self.candidates.iloc[row]
        x0, y0, x1, y1 = (max(0, int(about[edge])) for edge in CROP)
        return np.ascontiguousarray(self.pixels(str(about["field"]))[y0:y1, x0:x1])


def _telling(outlined: pd.DataFrame) -> tuple[int, int]:
    """Sorts of outlines in a field, and mistakes."""
    mistakes = outlined["label"] != ""
    return outlined["state"].nunique() + int((outlined["label"] == FALSE).any()), int(mistakes.sum())
