"""The page's tables of results, before they are a page."""

from dataclasses import replace

from page_findings import compared, configuration, findings, texts

from mk11.report.page import closely
from mk11.report.page.classes import across
from mk11.report.page.figures import general, plates
from mk11.report.page.further import further
from mk11.report.page.others import others
from mk11.report.page.overview import results
from mk11.report.published import published_sources
from mk11.report.rows import row_of
from mk11.report.tables.optimism import optimism_gap
from mk11.report.tables.summary import summary_table
from mk11.report.tables.words import points


def test_the_overview_has_the_best_first_and_incomplete_rows_not_bold(tmp_path):
    rows = [configuration(tmp_path, n, level=level) for n, level in enumerate([0.3, 0.6, 0.5])]
    rows.append(configuration(tmp_path, 3, level=0.9, failed={2}))
    table = results(findings(rows))
    assert [row[0].text for row in table.rows] == ["mk11/model1", "mk11/model2", "mk11/model0", "mk11/model3"]
    assert [any(cell.best for cell in row) for row in table.rows] == [True, False, False, False]
    assert table.rows[3][1].text == "4 of 5"
    assert table.columns[2].title == "F1, macro"


def test_the_gap_is_what_the_published_way_adds(tmp_path):
    tables = {table.name: table for table in further([row_of(configuration(tmp_path, 0, level=0.5))])}
    table = tables["as-published"]
    assert [cell.text for cell in table.rows[0][1:3]] == ["51.20 ± 0.16", "+1.00"]


def test_configurations_with_other_classes_have_a_table_of_their_own(tmp_path):
    two = configuration(tmp_path, 2, classes=("lymphocyte", "blast"))
    rows = [row_of(c) for c in (configuration(tmp_path, 0), two, configuration(tmp_path, 1))]
    found = across(rows)
    assert [one.classes for one in found] == [("blast", "granular", "naked"), ("lymphocyte", "blast")]
    assert [[len(table.rows) for table in one.tables] for one in found] == [[2, 2], [1, 1]]
    names = [table.name for one in found for table in one.tables]
    assert len(set(names)) == len(names)


def test_figures_stand_with_their_configuration_or_with_all(tmp_path):
    one, other = configuration(tmp_path, 0), configuration(tmp_path, 1)
    names = ["overview", f"difference-{one.key}-{other.key}", f"confusion-{one.key}", "class_size-2", "odd"]
    figures = {name: tmp_path / f"{name}.svg" for name in names}
    captions = {picture.path.stem: picture.caption for picture in general(figures, [one, other])}
    assert list(captions) == ["overview", f"difference-{one.key}-{other.key}", "class_size-2", "odd"]
    assert (
        captions[f"difference-{one.key}-{other.key}"]
        == f"Confusion of {one.label} less that of {other.label}."
    )
    (plate,) = plates(figures, [one, other])
    assert plate.configuration is one
    assert one.label in plate.pictures[0].words


def test_compared_rows_and_the_best_are_shown_closely(tmp_path):
    many = [configuration(tmp_path, n, level=0.3 + n / 100) for n in range(20)]
    close = {row.label for row in closely(findings(many, compared=[compared(many[0], many[1])]))}
    assert len(close) == 8
    assert {"mk11/model0", "mk11/model1", "mk11/model19", "mk11/model14"} <= close


LEAK = {"leaks": {"groups": {"count": 1, "first": [["a (train)", "b (test)"]]}}}


def bold(table):
    return [row[0].text for row in table.rows if any(cell.best for cell in row)]


def test_a_row_with_a_mark_that_others_lack_is_neither_first_nor_bold(tmp_path):
    marked = configuration(tmp_path, 0, level=0.9, marks=LEAK)
    rows = [marked, *(configuration(tmp_path, n, level=n / 10) for n in (1, 2))]
    table = results(findings(rows))
    assert [row[0].text for row in table.rows] == ["mk11/model2", "mk11/model1", "mk11/model0"]
    assert bold(table) == ["mk11/model2"]
    for subtypes in across([row_of(one) for one in rows])[0].tables:
        assert bold(subtypes) == ["mk11/model2"]
    groups = {table.name: table for table in further([row_of(one) for one in rows])}["class-groups"]
    assert bold(groups) == ["mk11/model2"]


def test_what_the_page_prints_bold_is_what_the_tables_print_bold(tmp_path):
    rows = [configuration(tmp_path, n, level=level) for n, level in enumerate((0.5, 0.50001, 0.4))]
    rows.append(configuration(tmp_path, 3, level=0.9, marks=LEAK))
    found = findings(rows)
    (part,) = summary_table(found, (), as_published=False).parts
    theirs = {row[0].text for row in part.rows if any(cell.bold for cell in row)}
    assert set(bold(results(found))) == theirs == {"mk11/model0", "mk11/model1"}


def test_a_row_alone_on_its_data_is_not_the_best_of_anything(tmp_path):
    assert bold(results(findings([configuration(tmp_path, 0)]))) == []


def test_the_gap_is_over_the_folds_that_have_both(tmp_path):
    one = configuration(tmp_path, 0, level=0.5)
    del one.runs[4].metrics["best_validation"]["accuracy"]
    row = row_of(one)
    table = {table.name: table for table in further([row])}["as-published"]
    assert table.rows[0][2].text == points(optimism_gap(row, "accuracy").mean) == "+1.00"


def test_published_figures_stand_apart_and_none_is_bold(tmp_path):
    eleven = tuple(name for name in next(iter(published_sources()[1].rows)).per_class)
    found = others(published_sources(), [configuration(tmp_path, 0, classes=eleven).classes])
    overall, classes = found.tables
    assert overall.caption.startswith("Other people's data")
    assert ["ConvNeXt (tiny)", published_sources()[0].title, "best validation epoch", "79.23 ± 0.79"] in [
        row[:4] for row in texts(overall)
    ]
    assert len(overall.rows) == sum(len(source.rows) for source in published_sources())
    assert texts(classes)[0][:2] == ["ResNet", "98.02 ± 1.12"]
    assert bold(overall) == bold(classes) == []
    assert len(found.notes) == sum(len(source.notes) for source in published_sources())
    assert others((), [eleven]).tables == []


def test_classes_are_said_to_be_grouped_by_what_was_counted(tmp_path):
    row = replace(row_of(configuration(tmp_path, 0)), grouped_by="test images")
    table = {table.name: table for table in further([row])}["class-groups"]
    assert table.caption.startswith("Classes by their number of test images.")


def test_a_final_figure_has_the_marks_of_its_own_runs(tmp_path):
    row = replace(row_of(configuration(tmp_path, 0, marks=LEAK)), final={"accuracy": 0.5}, final_marks=[])
    tables = {table.name: table for table in further([row])}
    assert (tables["final"].rows[0][0].note, tables["as-published"].rows[0][0].note) == ("", "(marked)")
