import pytest

from mk11.errors import UserError
from mk11.selection.filters.limits import Limits

NONE = dict.fromkeys(("min_side_px", "min_side_um", "min_diameter_px", "min_diameter_um"))


def limits(**given):
    return Limits(**{**NONE, "min_fill": 0.0, "keep_border": True, **given})


def reason(of, *, sides=(80, 80), area=5000.0, fill=0.8, at_border=False, um_per_pixel=None):
    return of.reason(sides=sides, area=area, fill=fill, at_border=at_border, um_per_pixel=um_per_pixel)


def test_the_papers_limits_keep_70_px_and_seven_tenths():
    paper = limits(min_side_px=70, min_fill=0.7)
    assert reason(paper, sides=(70, 70), fill=0.7) == ""
    assert reason(paper, sides=(69, 200)) == "small"
    assert reason(paper, fill=0.69) == "sparse"


def test_micrometres_stand_for_pixels_where_the_scale_is_known():
    both = limits(min_side_px=70, min_side_um=6)
    assert reason(both, sides=(30, 30), um_per_pixel=0.253) == ""  # 7.6 um
    assert reason(both, sides=(30, 30)) == "small"


def test_a_micromegakaryocyte_passes_six_um_and_fails_the_papers_70_px():
    eleven_um = (43, 43)  # px at 0.253 um/pixel
    assert reason(limits(min_side_um=6), sides=eleven_um, um_per_pixel=0.253) == ""
    assert reason(limits(min_side_px=70), sides=eleven_um, um_per_pixel=0.253) == "small"


def test_a_diameter_is_that_of_a_disc_of_the_same_area():
    assert reason(limits(min_diameter_px=10), area=78.6) == ""
    assert reason(limits(min_diameter_px=10), area=78.4) == "small"


def test_the_border_is_a_switch():
    assert reason(limits(), at_border=True) == ""
    assert reason(limits(keep_border=False), at_border=True) == "border"


def test_micrometres_without_a_scale_are_told():
    with pytest.raises(UserError, match=r"min_side_um is 6 um, but the scale of the fields is unknown"):
        reason(limits(min_side_um=6))


@pytest.mark.parametrize("wrong", [{"min_fill": 1.2}, {"min_side_px": -1}])
def test_impossible_limits_are_refused(wrong):
    with pytest.raises(UserError, match="must be"):
        limits(**wrong)
