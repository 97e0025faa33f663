"""From a row of the report back to the fields that its encoder's images were found in."""

import csv

import pytest
from run_folders import write_run

from mk11.files import write_json
from mk11.report.lineage import steps_before
from mk11.report.names import Names
from mk11.report.page.details import details
from mk11.report.page.runs import grouped
from mk11.report.tables.write import write_tables
from mk11.runs.configurations import group_runs
from mk11.runs.ledger import find_runs

FIELDS = {"name": "fields", "root": "/clinic/P01/fields", "fingerprint": "f1e1d5", "count": 1200}
SELECTED = {
    "manifest": "/runs/select/fields/activessf/fold0-seed0-5e1ec7ed/selected.parquet",
    "content_hash": "7ab1e",
    "model": "activessf",
    "fields": FIELDS,
    "encoder": {"name": "resnet50, weights imagenet"},
}
NOT_OURS = {"manifest": "/clinic/by_hand.csv", "content_hash": "ab0b0"}


@pytest.fixture
def chain(tmp_path):
    """A training that began from a pre-training on two manifests; only one is a selection's."""

    def make(*, stage=True, selections=(SELECTED, NOT_OURS), place="runs"):
        root = tmp_path / place
        pool = {"counts": {"used": 1234}, "selections": list(selections)}
        before = write_run(root, stage="pretrain", model="mae", record={"pool": pool})
        write_json(before / "encoder.json", {"content_hash": "c0de"})
        named = {"stage": str(before)} if stage else {}
        weights = "stage:pretrain" if stage else str(before / "encoder.safetensors")
        lineage = {"weights": weights, "weights_hash": "c0de", **named}
        write_run(root, model="vit", record={"lineage": lineage})
        return root, before

    return make


def training(root):
    (run,) = [run for run in find_runs([root])[0] if run.stage == "train"]
    return run


@pytest.mark.parametrize("stage", [True, False])
def test_the_way_leads_back_to_the_fields(chain, stage):
    root, before = chain(stage=stage)
    steps = steps_before(training(root))
    assert [step.what for step in steps] == ["pre-training", "selection", "fields", "selection"]
    assert (steps[0].place, steps[0].told) == (before, "mae on 1,234 images")
    assert steps[1].told == "activessf by features of resnet50, weights imagenet, table 7ab1e"
    assert (str(steps[2].place), steps[2].told) == (FIELDS["root"], "1,200 of fields, state f1e1d5")
    assert steps[3].told == "not made by select.py, table ab0b0"


def test_runs_that_were_moved_together_still_find_one_another(chain, tmp_path):
    root, before = chain()
    moved = root.rename(tmp_path / "elsewhere")
    assert steps_before(training(moved))[0].place == moved / before.relative_to(root)


def test_an_encoder_that_was_made_anew_is_told(chain):
    root, before = chain()
    write_json(before / "encoder.json", {"content_hash": "0ther"})
    assert steps_before(training(root))[0].told.endswith("; its encoder was made anew since this run")


def test_a_run_without_a_stage_or_with_a_damaged_one_has_no_steps(chain, tmp_path):
    write_run(tmp_path / "plain", model="vit")
    assert steps_before(training(tmp_path / "plain")) == []
    root, before = chain(selections=())
    assert len(steps_before(training(root))) == 1
    (before / "run.json").write_text("{")
    assert steps_before(training(root)) == []


@pytest.mark.parametrize("identify", [False, True])
def test_page_and_table_tell_it_and_hide_names_unless_asked(chain, findings_of, tmp_path, identify):
    root, _ = chain()
    run = training(root)
    names = Names(identify=identify, runs=[run])
    ((_, (one,)),) = details(grouped(group_runs([run]), [run]), names)
    told = [value for name, value in one.facts if name == "Lineage"]
    write_tables(findings_of(root), tmp_path / "out", (), as_published=False, names=names)
    (line,) = csv.DictReader((tmp_path / "out" / "runs.csv").read_text().splitlines())
    for text in ("; ".join(told), "; ".join((line["pre-training"], line["selection"], line["fields"]))):
        assert "fold0-seed0-5e1ec7ed, activessf by features of resnet50" in text
        assert "1,200 of fields, state f1e1d5" in text
        assert ("clinic" in text) == identify


@pytest.fixture
def findings_of(found_in):
    """What a report would find in a folder."""
    return lambda root: found_in(root, cache=root / "cache.json", intervals=False)
