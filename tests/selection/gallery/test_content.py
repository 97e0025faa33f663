"""What the gallery's config may say."""

from dataclasses import fields

import pytest

from mk11.errors import UserError
from mk11.selection.gallery import GalleryLimits

VALUES = {key.name: 50 for key in fields(GalleryLimits)}


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("fields", -1),
        ("fields", 2.5),
        ("seed", None),
        ("crop_px", 8),
        ("field_px", 31),
        ("quality", 0),
        ("quality", 101),
    ],
)
def test_a_value_that_a_key_cannot_hold_is_refused_by_name(key, value):
    with pytest.raises(UserError, match=rf"^gallery\.{key} must be .* but is {value}$"):
        GalleryLimits(**{**VALUES, key: value})


def test_no_fields_and_no_thumbnails_is_a_choice():
    assert GalleryLimits(**{**VALUES, "fields": 0, "map_thumbnails": 0}).fields == 0
