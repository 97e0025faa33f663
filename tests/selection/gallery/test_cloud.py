"""Where candidates stand on the map."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from mk11.selection.gallery.cloud import WIDTH, _placed, cloud, point_rows, spot_rows


def dots(path):
    return [tuple(map(float, place)) for place in re.findall(r"M(-?[\d.]+) (-?[\d.]+)h0", path)]


def test_every_candidate_is_drawn_once_as_a_dot_or_with_a_picture(make):
    content = make()
    spots = spot_rows(content)[:2]
    drawn = cloud(content, spots)
    assert len(dots(drawn.selected)) + len(dots(drawn.others)) + len(drawn.spots) == len(content.candidates)


def test_half_of_the_pictures_are_of_selected_ones(make):
    content = make({f"f{k}.png": "aakk" for k in range(6)})
    chosen = content.candidates.loc[spot_rows(content)]
    assert chosen["admitted"].sum() == 4
    assert len(chosen) == 8


def test_where_one_side_is_short_the_other_takes_its_pictures(make):
    content = make({"f0.png": "akkkkk", "f1.png": "kkkk"})
    chosen = content.candidates.loc[spot_rows(content)]
    assert (chosen["admitted"].sum(), len(chosen)) == (1, 8)


def test_arrow_keys_go_prototype_by_prototype_and_from_near_to_far(make):
    content = make()
    chosen = content.candidates.loc[spot_rows(content), ["prototype", "distance"]]
    assert list(chosen.itertuples(index=False)) == sorted(chosen.itertuples(index=False))


def test_a_candidate_without_a_place_is_left_out(make):
    content = make()
    content.positions[1] = np.nan
    assert 1 not in point_rows(content)
    assert cloud(content, spot_rows(content)).words.startswith("5 of 6 candidates")


def test_without_positions_there_is_no_map(make):
    assert spot_rows(make(positions=None)) == []
    assert cloud(make(positions=None), []) is None


@given(arrays(float, (5, 2), elements=st.floats(-1e3, 1e3).map(lambda value: round(value, 2))))
def test_both_axes_have_one_scale_and_all_lies_inside(positions):
    places, height = _placed(positions)
    assert (places >= -1e-6).all()
    assert (places <= np.array([WIDTH, height]) + 1e-6).all()
    apart = np.linalg.norm(positions - positions[0], axis=1)
    drawn = np.linalg.norm(places - places[0], axis=1)
    assert drawn * apart.max() == pytest.approx(apart * drawn.max(), rel=1e-6, abs=1e-3)


def test_up_on_the_map_is_a_larger_second_component():
    places, _ = _placed(np.array([[0.0, 0.0], [0.0, 1.0]]))
    assert places[1, 1] < places[0, 1]
