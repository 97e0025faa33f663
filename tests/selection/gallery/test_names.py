"""Who may know the names of fields and patients."""

import pytest

from mk11.selection.gallery.names import Names

FIELDS, GROUPS = ["ward/Jane Doe/0012.png", "12.png"], ["Jane Doe", "P7", "3", ""]


@pytest.fixture
def hidden():
    return Names(identify=False, fields=FIELDS, groups=GROUPS)


def test_fields_and_groups_have_pseudonyms_that_stay_the_same(hidden):
    assert hidden.field("12.png").startswith("image-")
    assert hidden.group("P7").startswith("group-")
    assert hidden.field("12.png") == Names(identify=False, fields=[], groups=[]).field("12.png")
    assert hidden.group("") == ""


def test_names_within_a_sentence_are_replaced_and_the_rest_stays(hidden):
    told = hidden.sentence("Jane Doe is held out: see ward/Jane Doe/0012.png, and P7 but not P77 or 12.pngs")
    assert "Jane" not in told
    assert hidden.field("ward/Jane Doe/0012.png") in told
    assert hidden.group("P7") in told
    assert told.endswith("but not P77 or 12.pngs")


def test_a_short_number_is_a_group_only_where_a_word_says_so(hidden):
    assert hidden.sentence("fold 3 of 5") == "fold 3 of 5"
    assert hidden.sentence("patient 3 is held out") == f"patient {hidden.group('3')} is held out"


def test_real_names_are_shown_when_asked_for():
    shown = Names(identify=True, fields=FIELDS, groups=GROUPS)
    assert (shown.field("12.png"), shown.group("P7")) == ("12.png", "P7")
    assert shown.sentence("Jane Doe of 12.png") == "Jane Doe of 12.png"
