"""Drawn data sets: whole or absent, the same for a seed, as ordinary class folders."""

from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pandas as pd
import pytest

from mk11.data.synthetic import cells, files
from mk11.data.synthetic.anatomy import COUNTS, SUBTYPES, UM_PER_PIXEL
from mk11.data.synthetic.cells import draw_picture, generate, listing
from mk11.data.synthetic.stain import draw_patient
from mk11.errors import UserError

SMALL = 0.001  # ten of each subtype


def contents(folder):
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    root = tmp_path_factory.mktemp("drawn") / "cells"
    generate(root, scale=SMALL, seed=0)
    return root


def picture_of(patient, subtype="N-MK"):
    stain = draw_patient(np.random.default_rng([0, patient]), name="")
    return draw_picture(subtype, stain, np.random.default_rng(5))[0]


def test_the_same_seed_draws_the_same_bytes(drawn, tmp_path):
    generate(tmp_path / "again", scale=SMALL, seed=0)
    assert contents(tmp_path / "again") == contents(drawn)


def test_two_processes_draw_the_same_bytes_as_one(drawn, tmp_path, monkeypatch):
    monkeypatch.setattr(files, "WORTH_A_PROCESS", 1)
    monkeypatch.setattr(files, "cores", lambda: 2)
    generate(tmp_path / "again", scale=SMALL, seed=0)
    assert contents(tmp_path / "again") == contents(drawn)


def test_another_seed_draws_other_cells(drawn, tmp_path):
    generate(tmp_path / "other", scale=SMALL, seed=1)
    assert not set(contents(tmp_path / "other").values()) & set(contents(drawn).values())


def test_a_folder_for_each_subtype_holds_what_the_table_says(drawn):
    table = pd.read_csv(drawn / "cells.csv")
    assert list(table.columns) == ["path", "subtype", "group", "um_per_pixel"]
    assert sorted(table["path"]) == sorted(str(p.relative_to(drawn)) for p in drawn.rglob("*.png"))
    assert (table["path"].str.split("/").str[0] == table["subtype"]).all()
    assert (table["subtype"].value_counts() == 10).all()
    assert (table["um_per_pixel"] == UM_PER_PIXEL).all()


def test_every_picture_is_rgb_and_no_two_are_equal(drawn):
    pictures = [cv2.imread(str(path), cv2.IMREAD_UNCHANGED) for path in drawn.rglob("*.png")]
    assert {(picture.ndim, picture.shape[2]) for picture in pictures} == {(3, 3)}
    assert len({picture.tobytes() for picture in pictures}) == 11 * 10
    sides = [min(picture.shape[:2]) for picture in pictures]
    assert min(sides) >= 50
    assert max(sides) <= 330


@pytest.mark.parametrize("scale", [0.2, 1.0])
def test_counts_are_those_of_mk11_times_scale(scale):
    counts = listing(scale=scale, seed=0)["subtype"].value_counts()
    assert dict(counts) == {subtype: max(10, round(count * scale)) for subtype, count in COUNTS.items()}


def test_seventy_patients_differ_in_their_mix_of_subtypes():
    table = listing(scale=1.0, seed=0)
    mix = pd.crosstab(table["group"], table["subtype"])
    assert sorted(mix.index) == [f"P{number:02d}" for number in range(1, 71)]
    shares = mix.div(mix.sum(axis=1), axis=0)
    assert (shares.std() / shares.mean() > 0.3).all()


def test_one_cell_looks_different_in_another_patient():
    first, second = picture_of(patient=0), picture_of(patient=1)
    assert np.array_equal(first, picture_of(patient=0))
    assert np.abs(np.median(first, axis=(0, 1)) - np.median(second, axis=(0, 1))).max() > 3


def test_pictures_of_one_subtype_differ_in_size_around_the_cell():
    generator = np.random.default_rng(0)
    patient = draw_patient(generator, name="")
    drawn = [draw_picture("N-MK", patient, generator) for _ in range(60)]
    margins = [min(picture.shape[:2]) / (2 * cell.radius) for picture, cell in drawn]
    assert min(margins) < 1.3
    assert max(margins) > 1.8


def test_an_interrupted_drawing_leaves_nothing(tmp_path, monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(cells, "write_png", interrupted)
    with pytest.raises(KeyboardInterrupt):
        generate(tmp_path / "cells", scale=SMALL, seed=0)
    assert not [path for path in tmp_path.rglob("*") if not path.name.endswith(".lock")]


def test_what_a_killed_process_left_is_swept_away(tmp_path, drawn):
    (tmp_path / ".cells.drawing" / "MMK").mkdir(parents=True)
    (tmp_path / ".cells.drawing" / "MMK" / "half.png").write_bytes(b"half")
    generate(tmp_path / "cells", scale=SMALL, seed=0)
    assert contents(tmp_path / "cells") == contents(drawn)
    assert not (tmp_path / ".cells.drawing").exists()


def test_runs_that_start_at_once_draw_once(tmp_path, drawn, monkeypatch):
    drawings = []
    monkeypatch.setattr(cells, "listing", lambda **how: drawings.append(how) or listing(**how))
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(lambda _: generate(tmp_path / "cells", scale=SMALL, seed=0), range(3)))
    assert len(drawings) == 1
    assert contents(tmp_path / "cells") == contents(drawn)


def test_a_complete_folder_is_left_alone(tmp_path):
    (tmp_path / "cells.csv").write_text("of an earlier run")
    generate(tmp_path, scale=SMALL, seed=0)
    assert contents(tmp_path) == {"cells.csv": b"of an earlier run"}


def test_a_folder_with_other_files_is_refused(tmp_path):
    (tmp_path / "mine.png").write_bytes(b"")
    with pytest.raises(UserError, match=r"must be empty or absent .* holds files without cells\.csv"):
        generate(tmp_path, scale=SMALL, seed=0)


@pytest.mark.parametrize("scale", [0, -1.0])
def test_a_scale_that_draws_nothing_is_refused(tmp_path, scale):
    with pytest.raises(UserError, match=f"data.scale must be above 0, but is {scale}"):
        generate(tmp_path / "cells", scale=scale, seed=0)


def test_subtypes_are_the_folders_of_mk11():
    assert list(SUBTYPES) == list(COUNTS)
    assert sum(COUNTS.values()) == 7204
