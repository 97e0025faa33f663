"""Mistakes as they are shown."""

import pytest

from mk11.selection.gallery.mistakes import drawn_mistakes
from mk11.selection.gallery.names import Names
from mk11.selection.gallery.pictures import View, load_pictures
from mk11.selection.gallery.sights import sorts_of, told_mistakes, views_of


@pytest.fixture
def shown(marked):
    """Both sorts with their pictures: `shown(identify=True)`."""

    def sorts(**changes):
        content = marked(**changes)
        mistakes = drawn_mistakes(content)
        views = views_of(content, mistakes)
        wanted = {view for of in views for view in of.values()}
        pictures = load_pictures(content, rows=[], fields=[], views=wanted).views
        names = Names(identify=content.identify, fields=content.fields["id"], groups=content.fields["group"])
        return sorts_of(content, mistakes, views=views, pictures=pictures, names=names)

    return sorts


def test_a_missed_cell_is_outlined_with_its_kind_and_the_dropped_region(shown):
    missed, _ = shown(identify=True)
    first, second = missed.sights
    assert (first.title, first.why, first.field) == ("blast", "dropped: smaller than 7 um", "P1/b.png")
    assert ("missed", True) in [(box.state, box.subject) for box in first.boxes]
    assert "dropped" in [box.state for box in first.boxes]
    # From (10, 10) to (40, 60), in a square of 100 px that begins in the corner of the field.
    assert [tuple(box) for box in second.boxes] == [
        ("missed", "left:10.00%;top:10.00%;width:30.00%;height:50.00%", True)
    ]


def test_a_false_region_is_shown_with_its_neighbours(shown):
    _, false = shown()
    (sight,) = false.sights
    assert sight.title == "not selected"
    assert [(box.state, box.subject) for box in sight.boxes] == [
        ("unselected", False), ("unselected", True), ("marked", False)
    ]  # fmt: skip


def test_a_view_holds_the_marked_cells_that_a_false_region_touches(marked):
    content = marked()
    cells = content.truth.cells
    cells.loc[cells["field"] == "P2/c.png", ["x0", "y0", "x1", "y1"]] = [40, 20, 100, 110]
    *_, false = views_of(content, drawn_mistakes(content))
    assert list(false.values()) == [View("P2/c.png", 28, 20, 100, 110)]


def test_fields_have_pseudonyms(shown):
    fields = [sight.field for sort in shown() for sight in sort.sights]
    assert all(field.startswith("image-") for field in fields)


def test_what_is_shown_of_how_many_is_told(shown):
    assert [sort.hint for sort in shown()] == ["all 2", "all 1"]


def test_totals_are_told_in_words(make, marked):
    assert told_mistakes(make()) == ""
    assert told_mistakes(marked()) == (
        "Of 7 cells marked in 4 fields the filter missed 2. Of 6 regions that it kept there 1 is no marked"
        " cell, 0 of them selected."
    )
