"""Small fields with dark squares on a light ground, and a filter that finds them."""

import numpy as np
import pandas as pd
import pytest
from dark_filter import DarkFilter
from PIL import Image

from mk11.data.images import content_hash
from mk11.selection.crops import CropShape
from mk11.selection.field_regions import Search

SHAPE = CropShape(margin=0.0, square=False, target_um_per_pixel=None)


@pytest.fixture
def make_fields(tmp_path):
    """Write fields with dark squares (x, y, side), and list them as `mk11.data.fields` does."""

    def make(*squares):
        rows = []
        for number, inside in enumerate(squares):
            generator = np.random.default_rng(number)
            picture = generator.integers(200, 256, (40, 60, 3), dtype=np.uint8)
            for x, y, side in inside:
                picture[y : y + side, x : x + side] = generator.integers(10, 60, (side, side, 3))
            path = tmp_path / f"field{number}.png"
            Image.fromarray(picture).save(path)
            known = {"id": path.name, "path": str(path), "content_hash": content_hash(picture)}
            rows.append({**known, "um_per_pixel": np.nan, "group": f"P{number}"})
        return pd.DataFrame(rows)

    return make


@pytest.fixture
def search():
    """Keeps squares of 5 px and more."""
    return Search(filter=DarkFilter(least=5), crop=SHAPE, seed=0)
