import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from mk11.data.__main__ import main
from mk11.data.show import TILE, class_bar, montage, round_length, save


@pytest.fixture
def images(tmp_path):
    """Two classes of black squares: 20 px at 0.5 um and 40 px at 0.25 um per pixel, both 10 um."""
    rows = []
    for name, side, scale in (("coarse", 20, 0.5), ("fine", 40, 0.25)):
        path = tmp_path / f"{name}.png"
        Image.fromarray(np.zeros((side, side, 3), np.uint8)).save(path)
        rows.append((name, str(path), name, side, side, scale))
    return pd.DataFrame(rows, columns=["id", "path", "subtype", "width", "height", "um_per_pixel"])


def sheet_of(figure):
    return np.asarray(figure.axes[0].images[0].get_array())


def test_cells_of_one_size_look_one_size_whatever_their_pixels(images):
    sheet = sheet_of(montage(images, ("coarse", "fine"), examples=3, seed=0, title=""))
    black = (sheet == 0).all(axis=-1)
    assert black[:TILE].sum() == black[TILE:].sum() == TILE * TILE


def test_without_a_scale_pixels_are_the_scale(images):
    figure = montage(images.assign(um_per_pixel=np.nan), ("coarse", "fine"), examples=1, seed=0, title="")
    black = (sheet_of(figure) == 0).all(axis=-1)
    assert black[TILE:].sum() == 4 * black[:TILE].sum()
    assert [text.get_text() for text in figure.axes[0].texts] == ["coarse\n1", "fine\n1", "20 px"]


def test_the_scale_bar_is_as_long_as_it_says(images):
    figure = montage(images, ("coarse", "fine"), examples=1, seed=0, title="")
    (line,) = figure.axes[0].lines
    assert figure.axes[0].texts[-1].get_text() == "5 µm"
    assert np.ptp(line.get_xdata()) == pytest.approx(5 / 10 * TILE)


@given(st.floats(0.01, 10_000))
def test_scale_bars_have_round_lengths_that_fit(frame):
    length = round_length(frame)
    assert 0.2 * frame < length <= 0.6 * frame * 1.001
    assert f"{length:.0e}"[0] in "125"


def test_bars_stand_in_the_order_of_the_classes():
    figure = class_bar(pd.Series({"b": 3, "a": 1200}), "two")
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == ["b", "a"]
    assert [bar.get_width() for bar in figure.axes[0].patches] == [3, 1200]
    assert "1,200" in [text.get_text() for text in figure.axes[0].texts]


def test_equal_figures_are_equal_files(images, tmp_path):
    for name in "xy":
        save(montage(images, ("coarse", "fine"), examples=1, seed=0, title="t"), tmp_path / name)
    for suffix in (".png", ".svg"):
        assert (tmp_path / f"x{suffix}").read_bytes() == (tmp_path / f"y{suffix}").read_bytes()


def test_a_folder_is_shown_with_one_command(class_folders, tmp_path, capsys):
    out = tmp_path / "out"
    assert (
        main(["show", str(class_folders), "--out", str(out), "data.cache=false", "--um-per-pixel", "0.2"])
        == 0
    )
    files = {out / f"{stem}{suffix}" for stem in ("class_bar", "montage") for suffix in (".png", ".svg")}
    assert set(capsys.readouterr().out.split()) == set(map(str, files))
    assert all(file.stat().st_size > 1000 for file in files)
    assert "cells: 24 images, 3 subtypes" in (out / "montage.svg").read_text()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["nowhere"], "DATA must be a folder or a name"),
        (["mk11", "data.rot=x"], "KEY=VALUE must be keys of conf/data"),
        (["mk11", "data.threads=0"], "data.threads must be a whole number of at least 1, but is 0"),
        (["mk11", "data.columns=abc"], "data.columns must give path, subtype"),
    ],
)
def test_a_mistake_is_told_in_one_sentence(arguments, told, capsys):
    assert main(["show", *arguments]) == 2
    assert told in capsys.readouterr().err


def test_an_unknown_option_is_refused(class_folders, capsys):
    with pytest.raises(SystemExit):
        main(["show", str(class_folders), "--colour"])
    assert "unrecognized arguments: --colour" in capsys.readouterr().err
