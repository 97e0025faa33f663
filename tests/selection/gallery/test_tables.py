"""Counts of the tables against counts by hand."""

from mk11.selection.gallery.names import Names
from mk11.selection.gallery.tables import kinds_table, prototypes_table, reasons_table


def texts(table):
    return [[cell.text for cell in row] for row in table.rows]


def test_every_region_ends_in_one_row_of_the_reasons(make):
    content = make()
    table = reasons_table(content, Names(identify=True, fields=[], groups=[]))
    assert [row[:3] for row in texts(table)] == [
        ["smaller than 7 um", "dropped by the filter", "8"],
        ["beyond the threshold", "not selected", "3"],
        ["none: selected", "selected", "3"],
    ]
    assert sum(row[2].order for row in table.rows) == len(content.regions)


def test_a_prototype_s_row_leads_to_its_crops(make):
    first, _, rare = prototypes_table(make()).rows
    assert first[0].link == "prototype-0"
    assert [cell.text for cell in first[1:5]] == ["blast", "90\N{NO-BREAK SPACE}%", "50", "15.00"]
    assert (rare[2].text, rare[2].order) == ("", None)
    assert (rare[7].text, rare[7].order) == ("", None)


def test_a_strategy_without_prototypes_has_no_such_table(make):
    assert prototypes_table(make(prototypes=make().prototypes.iloc[:0])) is None


def test_recall_of_each_kind_is_told_where_cells_are_marked_the_worst_first(make, marked):
    assert kinds_table(make()) is None
    space = "\N{NO-BREAK SPACE}"
    assert texts(kinds_table(marked())) == [
        ["blast", "2", "0", f"0{space}%", "0"],
        ["MMK", "5", "5", f"100{space}%", "3"],
    ]
