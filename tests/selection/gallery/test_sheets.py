"""Pictures for the documentation, from a run folder of drawn fields."""

import numpy as np
import pandas as pd
import pytest
from PIL import Image, ImageDraw

from mk11.errors import UserError
from mk11.files import write_json
from mk11.selection.gallery.content import BOX
from mk11.selection.gallery.finished import CROP, Finished
from mk11.selection.gallery.pens import LINES, PAPER, in_palette, labels
from mk11.selection.gallery.sheets import prototypes_sheet, regions_sheet

FIELDS = {"a.png": "ad", "b.png": "aakd", "c.png": "kk"}


@pytest.fixture
def folder(make, tmp_path):
    """A finished selection; one cell of b.png was missed, and its last kept region is none."""
    content = make(fields=FIELDS)
    root, run = tmp_path / "fields", tmp_path / "run"
    root.mkdir()
    for field in FIELDS:
        Image.fromarray(content.field(field)).save(root / field)
    missed = pd.DataFrame([("b.png", 110, 80, 150, 110, "MMK")], columns=["field", *BOX, "kind"])
    found = content.candidates[["field", *BOX]].drop(index=3).assign(kind="blast")
    pd.concat([found, missed]).to_csv(root / "boxes.csv", index=False)
    run.mkdir()
    write_json(run / "run.json", {"choices": {"filter": "fitted"}, "fields": {"root": str(root)}})
    write_json(
        run / "summary.json", {"purity": {"prototypes": content.prototypes.fillna(0).to_dict("records")}}
    )
    content.regions.to_parquet(run / "regions.parquet")
    crops = {crop: content.candidates[edge] for crop, edge in zip(CROP, BOX, strict=True)}
    content.candidates.assign(**crops).to_parquet(run / "candidates.parquet")
    return run


def has(sheet, state):
    colour = LINES[state][0]
    return bool((np.asarray(sheet.convert("RGB")) == colour).all(axis=2).any())


def test_a_field_s_regions_and_missed_cells_are_read_back(folder):
    rows = Finished(folder).outlined("b.png")
    assert sorted(zip(rows["state"], rows["label"], strict=True)) == [
        ("dropped", ""), ("missed", "MMK"), ("selected", ""), ("selected", ""), ("unselected", "false")
    ]  # fmt: skip


def test_the_field_with_most_to_tell_is_shown_with_all_that_became_of_its_regions(folder):
    run = Finished(folder)
    assert run.most_telling() == "b.png"
    sheet = regions_sheet([run, run])
    assert sheet.width == 1000
    field = sheet.crop((0, 26, 1000, 586))  # without words and legend
    assert all(has(field, state) for state in LINES)


def test_every_prototype_has_a_row_of_crops(folder):
    run = Finished(folder)
    sheet = prototypes_sheet(run)
    rows = [sheet.crop((132, top, 1000, top + 64)) for top in (26, 26 + 97, 26 + 2 * 97)]
    assert [has(row, "selected") for row in rows] == [True, True, False]
    assert [has(row, "unselected") for row in rows] == [True, True, False]
    assert run.crop(0).shape == (20, 20, 3)


def test_a_selection_in_other_than_drawn_fields_is_refused(folder, tmp_path):
    (tmp_path / "fields" / "boxes.csv").unlink()
    with pytest.raises(UserError, match=r"must be a selection in drawn fields"):
        Finished(folder)


def test_a_label_stands_where_there_is_room():
    sheet = Image.new("RGB", (200, 120), PAPER)
    # The first has room above it; the second is at the edge, with a box on its right: its label goes left.
    boxes = [("MMK", (20, 60, 50, 90), "missed"), ("S-MK", (100, 2, 130, 30), "missed")]
    labels(ImageDraw.Draw(sheet), [*boxes, ("", (134, 0, 180, 40), "missed")], sheet.size)
    inked = (np.asarray(sheet) != PAPER).any(axis=2)
    assert inked[36:58, 18:60].any()
    assert inked[0:24, 50:96].any()
    assert not inked[0:50, 98:].any()


def test_rare_colours_keep_theirs_beside_much_ground():
    pixels = np.random.default_rng(0).integers(200, 256, (200, 200, 3)).astype(np.uint8)
    pixels[:4, :4] = (80, 20, 120)
    shown = np.asarray(in_palette(Image.fromarray(pixels)).convert("RGB"))
    assert np.abs(shown[2, 2].astype(int) - (80, 20, 120)).max() <= 8
