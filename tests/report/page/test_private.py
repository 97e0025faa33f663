"""Who may know the names of patients, images and folders."""

import csv
from dataclasses import replace

import pytest
from page_findings import findings
from run_folders import write_run, write_runs

from mk11.report.names import Names
from mk11.report.page import write_page
from mk11.report.page.details import details
from mk11.report.page.runs import grouped
from mk11.report.tables.write import write_tables
from mk11.runs.configurations import group_runs
from mk11.runs.folder import RunFolder
from mk11.runs.ledger import find_runs


def test_names_of_patients_and_images_are_pseudonyms_unless_asked_for(tmp_path):
    write_runs(tmp_path / "runs", models={"vit": 1.0}, folds=range(2), hardest=True)
    failed = write_run(tmp_path / "runs", model="vit", fold=2, status="failed")
    (failed / "error.txt").write_text("OSError: cannot read 'blast/0007.png' of the data")
    (found,) = group_runs(find_runs([tmp_path / "runs"])[0])
    page = tmp_path / "index.html"
    told = {}
    for identify in (False, True):
        content = findings([found], warnings=["unreadable: blast/0007.png"])
        write_page(page, content, figures={}, published=(), identify=identify, heading="Report")
        told[identify] = page.read_text()
    assert "blast/0007.png" in told[True]
    assert ">P0" in told[True]
    assert str(tmp_path) in told[True]
    for real in (".png", ">P0", str(tmp_path)):
        assert real not in told[False]
    assert "group-" in told[False]
    assert "image-" in told[False]


def test_names_of_images_in_sentences_are_replaced_and_the_rest_stays():
    hidden = Names(identify=False, runs=[])
    text = "leak: 'MMK/patient 7/0012.png' and /data/x/CELL_3.TIFF (test) in fold 2, see run.json"
    shown = hidden.sentence(text)
    assert "0012.png" not in shown
    assert "CELL_3" not in shown
    assert "patient 7" not in shown
    assert shown.endswith("(test) in fold 2, see run.json")
    assert Names(identify=True, runs=[]).sentence(text) == text
    assert hidden.patient("") == ""


LEAK = (
    "mk11.errors.UserError: no image or group may be on two sides of a fold, but in fold 2 1 group leak:\n"
    "  MMK/Jane Doe/0012 (train) and MMK/Jane Doe/0013 (test)\n(data.on_leak=warn goes on)"
)


@pytest.fixture
def leaking(tmp_path):
    """Two finished runs of known patients, and one that failed and names some."""
    write_runs(tmp_path / "runs", models={"vit": 1.0}, folds=range(2))
    overrides = ["data.path=/home/clinic/P01/cells", "+note=of P01", "experiment=mk11/vit"]
    failed = write_run(
        tmp_path / "runs", model="vit", fold=2, status="failed", record={"overrides": overrides}
    )
    (failed / "error.txt").write_text(f"in P01, at {failed}/x.py and /home/clinic/secret/y.py\n{LEAK}")
    return find_runs([tmp_path / "runs"])[0]


def test_an_error_names_no_group_and_no_folder_of_the_machine(leaking, tmp_path):
    names = Names(identify=False, runs=leaking)
    ((_, found),) = details(grouped(group_runs(leaking), leaking), names)
    error = next(one.error for one in found if one.error)
    for real in ("P01", "Jane Doe", "0012", str(tmp_path), "clinic"):
        assert real not in error
    assert f"in {names.patient('P01')}, at train/mk11/vit/fold2-" in error
    assert ".../y.py" in error
    assert f"  {names.image('MMK/Jane Doe/0012')} (train) and " in error
    assert "in fold 2 1 group leak" in error
    real = Names(identify=True, runs=leaking)
    ((_, found),) = details(grouped(group_runs(leaking), leaking), real)
    assert LEAK in next(one.error for one in found if one.error)


def test_the_table_of_runs_names_no_group_and_no_folder_of_the_machine(leaking, tmp_path):
    found = findings(group_runs(leaking), compared=[], runs=leaking)
    lines = {}
    for identify in (False, True):
        names = Names(identify=identify, runs=leaking)
        write_tables(found, tmp_path / "out", (), as_published=False, names=names)
        text = (tmp_path / "out" / "runs.csv").read_text()
        assert (str(tmp_path) in text) == ("P01" in text) == identify
        lines[identify] = list(csv.DictReader(text.splitlines()))[-1]
    assert lines[False]["folder"] == f"train/mk11/vit/{leaking[-1].folder.path.name}"
    patient = Names(identify=False, runs=leaking).patient("P01")
    assert lines[False]["overrides"] == f"data.path=.../cells +note=of {patient} experiment=mk11/vit"
    assert "data.path=/home/clinic/P01/cells" in lines[True]["overrides"]


def test_a_group_that_is_a_short_number_is_told_from_a_fold(leaking):
    names = Names(identify=False, runs=leaking)
    vars(names)["_known"] = ([], ["12"])
    hidden = names.patient("12")
    told = names.sentence("fold 12 lacks patient 12, 'MMK/12', data.only=12 and 120 more in 12.5 s")
    assert told == (
        f"fold 12 lacks patient {hidden}, 'MMK/{hidden}', data.only={hidden} and 120 more in 12.5 s"
    )


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('File "/home/Dr Who/a b/x.py", line 3', 'File ".../x.py", line 3'),
        ("from ~/data/cells and ../old/cells", "from .../cells and .../cells"),
        ("see https://example.org/a/b, 1/2 of mk11/vit", "see https://example.org/a/b, 1/2 of mk11/vit"),
        ("read file:///mnt/clinic/x", "read .../x"),
    ],
)
def test_only_paths_of_the_machine_are_cut(text, told):
    assert Names(identify=False, runs=[]).sentence(text) == told


def test_a_run_that_was_copied_elsewhere_is_told_by_its_last_part(leaking, tmp_path):
    elsewhere = replace(leaking[0], folder=RunFolder(tmp_path / "Jane Doe" / "copy"))
    assert Names(identify=False, runs=[elsewhere]).path(elsewhere.folder.path) == "copy"
