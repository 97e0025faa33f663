"""Thumbnails: their colours, their size, their scale, and how often a field is fetched."""

import math
from base64 import b64decode
from dataclasses import replace
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from mk11.selection.gallery.pictures import Shot, load_pictures, webp_uri

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
    load_pictures(replace(content, crop=crop, field=field), rows=rows, fields={"f3.png", "f1.png"})
    changes = [name for before, name in zip([None, *asked], asked, strict=False) if name != before]
    assert changes == ["f0.png", "f1.png", "f3.png"]
    assert len(asked) == 6 + 2


def test_a_field_that_is_not_shown_is_not_fetched(make):
    content = replace(make(), field=lambda name: pytest.fail(f"{name} was fetched"))
    pictures = load_pictures(content, rows=[2], fields=set())
    assert list(pictures.crops) == [2]
    assert pictures.fields == {}
