"""The table macro."""

from html.parser import HTMLParser

import pytest
from jinja2 import Environment

from mk11.page import Cell, Column, Table, make_environment


class Fields(HTMLParser):
    """Texts of the fields by row, and the attributes of each."""

    def __init__(self, text):
        super().__init__()
        self.rows, self.attributes, self.inside, self.table = [], [], False, {}
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        if tag == "table":
            self.table = dict(attrs)
        elif tag == "tr":
            self.rows.append([])
            self.attributes.append([])
        elif tag in ("td", "th"):
            self.rows[-1].append("")
            self.attributes[-1].append(dict(attrs))
            self.inside = True

    def handle_endtag(self, tag):
        if tag in ("td", "th"):
            self.inside = False

    def handle_data(self, data):
        if self.inside:
            self.rows[-1][-1] += data


def drawn(table):
    environment: Environment = make_environment()
    return Fields(
        environment.from_string('{% from "macros.html" import table %}{{ table(t) }}').render(t=table)
    )


def small(**changes):
    columns = (Column("Name"), Column("<b>", hint='a "hint"', numeric=True), Column("Word"))
    rows = [[Cell("a<i>", link="there"), Cell("1.5", order=1.5), Cell("good", kind="good")]]
    return Table("t", "Caption", columns, rows, **changes)


def test_every_text_stands_in_its_field():
    assert drawn(small()).rows == [["Name", "<b>", "Word"], ["a<i>", "1.5", "good"]]


def test_numbers_sort_by_their_value_and_missing_ones_by_none():
    columns = (Column("Name"), Column("Value", numeric=True))
    rows = [[Cell("a"), Cell("12.00 ± 1.00", order=0.12)], [Cell("b"), Cell("none")]]
    table = drawn(Table("t", "", columns, rows))
    assert [attrs[1].get("data-order") for attrs in table.attributes[1:]] == ["0.12", ""]


def test_text_never_stands_in_an_attribute_that_the_table_library_reads_as_markup():
    read = drawn(small())
    found = {name for row in read.attributes for attrs in row for name in attrs if name.startswith("data-")}
    assert found == {"data-order"}


@pytest.mark.parametrize(("changes", "filters"), [({}, False), ({"filters": True}, True)])
def test_a_short_table_has_a_filter_only_when_asked_for(changes, filters):
    assert ("data-filtered" in drawn(small(**changes)).table) == filters


def test_a_row_of_another_length_is_a_mistake():
    with pytest.raises(AssertionError, match="t has 1 columns"):
        Table("t", "", (Column("a"),), [[Cell("1"), Cell("2")]])
