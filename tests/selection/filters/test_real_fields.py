"""The filters on real smear fields: what docs/activessf.md says of them must stay so."""

import cv2
import pandas as pd
import pytest
from conftest import composed
from hydra.utils import instantiate

from mk11.data.images import content_hash, read_rgb
from mk11.selection.regions import Region
from mk11.selection.scoring.scores import match_fields, scores
from mk11.selection.scoring.truth import read_truth

EVERY = 8  # field of BCCD is scored; examples are drawn from the others
pytestmark = pytest.mark.shared


@pytest.fixture(scope="module")
def fields(shared):
    """Some fields of BCCD by name."""
    cv2.setNumThreads(1)
    files = sorted((shared / "data/bccd/images").iterdir())
    return {file.stem: read_rgb(file) for file in files[::EVERY]}


@pytest.fixture
def score(shared, fields):
    """Figures of a filter on these fields."""
    truth = read_truth(shared / "data/bccd/voc", images=None, kinds=["WBC"])

    def figures(finder):
        rows = [
            (name, *region)
            for name, image in fields.items()
            for region in finder.find(image, um_per_pixel=None, seed=0)
            if region.kept
        ]
        regions = pd.DataFrame(rows, columns=["field", *Region._fields])
        return scores(match_fields(regions, truth, fields=list(fields)), fields=len(fields))

    return figures


@pytest.fixture
def learnt(shared, fields):
    """filter=fitted, learnt from twenty of the other fields."""
    place = shared / "data/bccd"
    settings = (f"filter.examples.truth={place / 'voc'}", "filter.examples.kinds=[WBC]")

    def finder(seed):
        overrides = (f"fields.root={place / 'images'}", *settings, f"filter.examples.seed={seed}")
        cfg = composed("select", "filter=fitted", "fields=folder", *overrides)
        return instantiate(cfg.filter, held_out=[content_hash(image) for image in fields.values()])

    return finder


@pytest.mark.parametrize("seed", [0, 1, 36])  # 36 draws a field in which a platelet is marked as a cell
def test_a_rule_learnt_from_twenty_real_fields_finds_the_white_cells_of_others(learnt, score, seed):
    found = score(learnt(seed))
    assert found["recall"] > 0.95
    assert found["precision"] > 0.9
    assert found["overlap"] > 0.8


def test_the_published_rule_misses_most_white_cells_of_another_scanner(score):
    cfg = composed("select", "filter=paper", "fields=folder", "fields.root=none")
    assert score(instantiate(cfg.filter))["recall"] < 0.3
