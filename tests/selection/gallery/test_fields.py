"""Outlines of regions, and what they tell."""

import pandas as pd
import pytest

from mk11.selection.gallery.fields import field_views
from mk11.selection.gallery.names import Names
from mk11.selection.gallery.pictures import Shot


@pytest.fixture
def view(make):
    """One field as shown: `view("P1/a.png")`."""

    def one(field, content=None, **changes):
        content = content or make(**changes)
        names = Names(identify=False, fields=content.fields["id"], groups=content.fields["group"])
        shot = Shot(uri="data:,", height=120, width=160, um_per_pixel=0.5)
        kinds = pd.Series(["some"], index=pd.Index([field], name="field"))
        return field_views(content, kinds=kinds, pictures={field: shot}, names=names)[0]

    return one


def test_an_outline_lies_where_its_box_lies(view):
    first = view("P1/a.png").outlines[0]  # from (4, 30) to (24, 50) of 160 x 120
    assert first.style.startswith("left:2.50%;top:25.00%;width:12.50%;height:16.67%;")
    assert first.about == "10 \N{MULTIPLICATION SIGN} 10 \N{MICRO SIGN}m"


def test_every_region_tells_what_became_of_it(view):
    outlines = view("P1/b.png").outlines
    assert [one.state for one in outlines] == ["selected", "selected", "unselected", "dropped"]
    assert outlines[0].words == "selected, prototype 1, distance 12.10 (threshold 15.00), rank 1"
    assert (
        outlines[2].words
        == "not selected: beyond the threshold, prototype 1, distance 16.30 (threshold 15.00)"
    )
    assert outlines[3].words == "dropped: smaller than 7 um"


def test_only_the_largest_dropped_regions_are_outlined_and_the_others_are_counted(view):
    shown = view("P2/d.png")
    assert [one.style[:9] for one in shown.outlines] == ["left:47.5", "left:62.5", "left:77.5"]
    assert shown.left_out == "3 smaller dropped regions not outlined"
    assert shown.counts == "6 dropped by the filter"


def test_a_kept_region_that_the_selection_never_saw_says_so(view, make):
    seen = make().candidates.iloc[1:]
    assert view("P1/a.png", candidates=seen).outlines[0].words == "kept, not offered to the selection"


def test_missed_cells_stand_among_the_regions_with_their_reason(view, marked):
    shown = view("P1/b.png", content=marked())
    states = [one.state for one in shown.outlines]
    assert states == ["selected", "selected", "unselected", "missed", "dropped"]
    missed = shown.outlines[3]
    assert missed.words == "missed: dropped: smaller than 7 um"
    assert missed.about.endswith("m, truly blast")
    assert shown.counts.endswith("1 dropped by the filter, 1 missed by the filter")
    assert shown.listed == "4 regions, 1 missed cell"


def test_a_region_tells_what_it_truly_is(view, marked):
    told = [one.about.partition("m, ")[2] for one in view("P2/c.png", content=marked()).outlines]
    assert told == ["truly MMK", "no marked cell"]


def test_a_reason_does_not_give_a_patient_away(view, make):
    told = make().candidates.assign(reason="P2 is held out")
    words = [one.words for one in view("P2/c.png", candidates=told).outlines]
    assert all("P2" not in text for text in words)
    assert all("group-" in text for text in words)


def test_a_field_without_regions_is_shown_as_such(view):
    shown = view("P3/e.png")
    assert shown.outlines == []
    assert shown.counts == "no region found"
