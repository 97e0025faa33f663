"""Thumbnails: their colours, their size, their scale, and how often a field is fetched."""

import math
from base64 import b64decode
from dataclasses import replace
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from mk11.selection.gallery.pictures import Shot, View, load_pictures, webp_uri

PURPLE = (96, 40, 140)


def decoded(uri):
    kind, _, content = uri.partition(";base64,")
    assert kind == "data:image/webp"
    return np.asarray(Image.open(BytesIO(b64decode(content))).convert("RGB"))


def test_purple_stays_purple():
    pixels = decoded(webp_uri(np.full((20, 20, 3), PURPLE, np.uint8), longest=20, quality=80))
    assert np.abs(pixels.astype(int) - PURPLE).max() <= 6


@pytest.mark.parametrize(
    ("size", "shown"), [((40, 80), (10, 20)), ((80, 40), (20, 10)), ((8, 6), (8, 6)), ((1, 90), (1, 20))]
)
def test_large_pictures_are_made_smaller_and_small_ones_stay(size, shown):
    uri = webp_uri(np.zeros((*size, 3), np.uint8), longest=20, quality=80)
    assert decoded(uri).shape == (*shown, 3)


def test_a_bar_is_as_long_as_its_micrometres():
    shot = Shot(uri="", height=100, width=80, um_per_pixel=0.5)  # 40 um wide
    assert shot.bar(10) == pytest.approx(25)
    assert shot.share == pytest.approx(80)
    assert shot.bar(38) is None
    assert replace(shot, um_per_pixel=math.nan).bar(10) is None


def test_whoever_remembers_the_last_field_decodes_each_once(make):
    content, asked = make({f"f{k}.png": "aak" for k in range(4)}), []
    places = content.candidates["field"]

    def crop(row):
        asked.append(places[row])
        return content.crop(row)

    def field(name):
        asked.append(name)
        return content.field(name)

    rows = [11, 0, 5, 3, 1, 10, 5]
    load_pictures(replace(content, crop=crop, field=field), rows=rows, fields={"f3.png", "f1.png"}, views=[])
    changes = [name for before, name in zip([None, *asked], asked, strict=False) if name != before]
    assert changes == ["f0.png", "f1.png", "f3.png"]
    assert len(asked) == 6 + 2


def test_a_field_that_is_not_shown_is_not_fetched(make):
    content = replace(make(), field=lambda name: pytest.fail(f"{name} was fetched"))
    pictures = load_pictures(content, rows=[2], fields=set(), views=[])
    assert list(pictures.crops) == [2]
    assert pictures.fields == {}


def test_a_box_lies_in_its_picture_by_per_cent():
    shot = Shot(uri="", height=50, width=200, um_per_pixel=0.5)
    assert shot.place(20, 5, 60, 15) == "left:10.00%;top:10.00%;width:20.00%;height:20.00%"


@pytest.mark.parametrize(
    ("box", "corner", "size"),
    [
        ((70, 50, 90, 80), (50, 35), (60, 60)),  # twice its longer side, about its middle
        ((0, 0, 10, 10), (0, 0), (48, 48)),  # at least 48 px, and moved into the field
        ((130, 90, 160, 120), (100, 60), (60, 60)),
        ((0, 0, 160, 120), (0, 0), (160, 120)),  # no larger than the field
    ],
)
def test_a_view_is_a_square_about_its_box_inside_the_field(make, box, corner, size):
    view = View("P1/a.png", *box)
    cut = load_pictures(make(), rows=[], fields=set(), views=[view]).views[view]
    assert (cut.x0, cut.y0) == corner
    assert (cut.shot.width, cut.shot.height) == size


def test_a_view_shows_what_lies_there(make):
    # The region of 20 px from (4, 30) in the middle of what is cut from (0, 16), 48 px wide.
    view = View("P1/a.png", 4, 30, 24, 50)
    pixels = decoded(load_pictures(make(), rows=[], fields=set(), views=[view]).views[view].shot.uri)
    assert np.abs(pixels[24, 14].astype(int) - PURPLE).max() <= 12
    assert pixels[4, 4].min() > 200
