"""`select.py` from end to end, in this process, on a few small fields."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal
from PIL import Image

from mk11.cli.selection import run as selection_run
from mk11.data.images import content_hash, read_rgb
from mk11.data.pool import Pool
from mk11.files import read_json
from mk11.runs.configurations import group_runs
from mk11.runs.ledger import find_runs
from mk11.selection import field_regions
from mk11.selection.features import FeatureStore


def manifest(job):
    return pd.read_parquet(job.manifest)


def candidates(job):
    return pd.read_parquet(job.folder.path / "candidates.parquet")


def test_fields_become_a_manifest_of_crops(select_in_process, capsys):
    selected, job = select_in_process("selection=all")
    table = manifest(job)
    assert selected == len(table) > 0
    for row in table.itertuples():
        assert content_hash(read_rgb(job.folder.path / row.path)) == row.content_hash
    assert {"group", "um_per_pixel", "field", "x0", "prototype", "distance", "threshold", "rank"} <= set(
        table
    )
    assert job.folder.status() == "finished"
    printed = capsys.readouterr().out
    assert "6 fields -> 24 regions -> 24 kept" in printed
    assert "filter against 24 marked cells in 6 fields: recall 1.000, precision 1.000" in printed
    assert "next: python pretrain.py ssl=mae pool=selection" in printed


def test_the_folder_tells_of_every_field_and_region(select_in_process):
    _, job = select_in_process("filter.limits.min_side_px=20", "budget=2")
    regions = pd.read_parquet(job.folder.path / "regions.parquet")
    assert set(regions["reason"]) == {"", "small"}
    assert len(pd.read_parquet(job.folder.path / "fields.parquet")) == 6
    summary = read_json(job.folder.path / "summary.json")
    kept = int((regions["reason"] == "").sum())
    assert summary["steps"] == {
        "fields": 6,
        "regions": len(regions),
        "kept": kept,
        "eligible": int((candidates(job)["prototype"] >= 0).sum()),
        "selected": int(candidates(job)["admitted"].sum()),
    }
    assert summary["reasons"]["filter"] == {"small": len(regions) - kept}
    assert "Missed cells and false regions" in (job.folder.path / "gallery.html").read_text()


def test_the_ledger_knows_selections(select_in_process):
    _, job = select_in_process("selection=all")
    select_in_process("selection=random", "budget=3")
    runs, problems = find_runs([Path(job.cfg.runs)])
    assert problems == []
    assert [(run.stage, run.model, run.status) for run in runs] == [
        ("select", "all", "finished"),
        ("select", "random", "finished"),
    ]
    assert len(group_runs(runs)) == 2


def test_no_region_of_a_held_out_patient_is_selected(select_in_process):
    for fold in (0, 1, 2):
        _, job = select_in_process("selection=all", f"fold={fold}")
        held_out = job.data.held_out(fold).groups
        told = candidates(job)
        assert set(told.loc[told["reason"] == "held-out patient", "group"]) == held_out
        assert not set(manifest(job)["group"]) & held_out
        assert "transductive" not in job.folder.read()


def test_regions_of_unknown_patients_are_told(select_in_process, disc_fields, tmp_path, capsys):
    unknown = tmp_path / "unknown"
    unknown.mkdir()
    for path in disc_fields.glob("*.png"):
        (unknown / path.name).write_bytes(path.read_bytes())
    _, job = select_in_process("selection=all", f"fields.root={unknown}", "fields.truth=null")
    told = read_json(job.folder.path / "summary.json")["transductive"]
    assert told.startswith(f"unknown: {len(manifest(job))} of {len(manifest(job))} images")
    assert f"careful: transductive: {told}" in capsys.readouterr().out


def test_prototypes_see_the_training_split_alone(select_in_process, monkeypatch):
    asked = []
    of = FeatureStore.of

    def noted(store, hashes, scales, crops):
        asked.extend(hashes)
        return of(store, hashes, scales, crops)

    monkeypatch.setattr(FeatureStore, "of", noted)
    _, job = select_in_process("budget=2")
    table = job.fold.table
    assert set(table.loc[table["split"] == "train", "content_hash"]) <= set(asked)
    assert not set(table.loc[table["split"] != "train", "content_hash"]) & set(asked)


def test_folds_and_strategies_share_regions_and_features(select_in_process, monkeypatch):
    _, first = select_in_process("selection=all")
    looked, computed = [], []
    monkeypatch.setattr(field_regions.Search, "look", lambda *_: looked.append(1))
    monkeypatch.setattr(FeatureStore, "_compute", lambda *_: computed.append(1))
    _, other = select_in_process("selection=random", "budget=3")
    assert (looked, computed) == ([], [])
    assert other.regions_folder == first.regions_folder
    assert len(manifest(other)) == 3


def test_the_same_command_again_selects_nothing(select_in_process, monkeypatch, capsys):
    _, job = select_in_process("selection=all")
    monkeypatch.setattr(selection_run, "choose", None)
    before = manifest(job)
    select_in_process("selection=all")
    assert "finished already" in capsys.readouterr().out
    assert_frame_equal(manifest(job), before)


def test_an_interrupted_selection_goes_on_to_the_same_result(select_in_process, tmp_path, monkeypatch):
    whole, job = select_in_process("selection=all", f"runs={tmp_path / 'whole'}")
    with monkeypatch.context() as patch:
        patch.setattr(FeatureStore, "of", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            select_in_process("selection=all")
    again, resumed = select_in_process("selection=all")
    assert again == whole
    assert resumed.folder.status() == "finished"
    assert_frame_equal(manifest(resumed), manifest(job))


def test_equal_seeds_select_equally_whatever_the_order(select_in_process, tmp_path, disc_fields):
    _, one = select_in_process("selection=random", "budget=4")
    renamed = tmp_path / "renamed"
    renamed.mkdir()
    names = {path.name: f"{9 - number}.png" for number, path in enumerate(sorted(disc_fields.glob("*.png")))}
    for old, new in names.items():
        (renamed / new).write_bytes((disc_fields / old).read_bytes())
    known = pd.read_csv(disc_fields / "fields.csv")
    known.assign(field=known["field"].map(names)).to_csv(renamed / "fields.csv", index=False)
    changed = (f"fields.root={renamed}", "fields.truth=null", f"runs={tmp_path / 'elsewhere'}")
    _, other = select_in_process("selection=random", "budget=4", *changed)
    assert other.identity == one.identity
    assert set(manifest(other)["content_hash"]) == set(manifest(one)["content_hash"])


def test_a_pool_learns_from_what_was_selected(select_in_process):
    _, job = select_in_process("selection=all")
    keys = {"training": False, "folders": [], "um_per_pixel": None, "near_duplicates": None}
    pool = Pool(**keys, manifests=[str(job.manifest)])
    images = pool.gather(job.data, job.fold)
    assert set(images.table["content_hash"]) == set(manifest(job)["content_hash"])
    assert images.transductive is None


def test_a_fitted_filter_leaves_what_it_has_learnt(select_in_process, capsys):
    learnt = ("filter=fitted", "filter.segmentation.cell_side=24", "filter.limits.min_diameter_um=null")
    _, job = select_in_process("selection=all", *learnt)
    assert "filter accepts hue" in capsys.readouterr().out
    assert np.asarray(Image.open(job.folder.path / "accepted_colours.png")).std() > 0
    rule = job.folder.path / "colour_rule.json"
    _, again = select_in_process("selection=all", *learnt, f"filter.rule={rule}", "duplicates=21")
    boxes = ["field", "x0", "y0", "x1", "y1", "reason"]
    found, expected = (pd.read_parquet(one.folder.path / "regions.parquet")[boxes] for one in (again, job))
    assert_frame_equal(found, expected)


def test_an_encoder_that_saw_held_out_images_is_refused(pretrain_in_process, select_in_process, capsys):
    _, trained = pretrain_in_process("epochs=1", "fold=1", "health.every=0", "monitor=loss")
    own = ("encoder=run", f"encoder.run={trained.folder.path}", "encoder.architecture=null")
    with pytest.raises(SystemExit):
        select_in_process(*own, "encoder.image_size=null")
    assert "encoder must not have seen the fold's held-out images" in capsys.readouterr().err


def test_a_selection_that_admits_nothing_is_no_result(select_in_process, capsys):
    bounds = ("bounds=fixed", "lower=1e-9", "upper=2e-9")
    with pytest.raises(SystemExit):
        select_in_process(*(f"selection.thresholds.{word}" for word in bounds))
    told = capsys.readouterr().err
    assert "selection=activessf must admit regions, but none of " in told
    assert "thresholds are 1.14e-09 to 1.29e-09" in told


def test_unreadable_fields_are_listed(select_in_process, disc_fields, tmp_path, capsys):
    damaged = tmp_path / "damaged"
    damaged.mkdir()
    for path in disc_fields.iterdir():
        if path.is_file():
            (damaged / path.name).write_bytes(path.read_bytes())
    (damaged / "broken.png").write_bytes(b"no image")
    _, job = select_in_process("selection=all", f"fields.root={damaged}")
    assert "unreadable, left out: broken.png" in capsys.readouterr().out
    assert list(read_json(job.folder.path / "summary.json")["unreadable"]) == ["broken.png"]
    with pytest.raises(SystemExit):
        select_in_process("selection=all", f"fields.root={damaged}", "fields.on_bad_image=error")
    assert "fields.on_bad_image=skip leaves them out" in capsys.readouterr().err


def test_a_classifier_of_the_training_crops_tells_uncertainty(select_in_process):
    _, job = select_in_process("selection=entropy", "budget=5")
    assert sorted(manifest(job)["rank"]) == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("how", ["shards", "none"])
def test_crops_may_be_written_otherwise(select_in_process, how):
    _, job = select_in_process("selection=all", f"crops={how}")
    assert "path" not in manifest(job)
    assert (job.folder.path / "shards" / "000000.tar").exists() == (how == "shards")


def test_dry_prints_the_plan_and_selects_nothing(select_in_process, capsys, monkeypatch):
    monkeypatch.setattr(selection_run, "regions_of", None)
    _, job = select_in_process("dry=true")
    printed = capsys.readouterr().out
    assert "fields: 6 in" in printed
    assert str(job.folder.path) in printed
    assert not job.folder.record.exists()


@pytest.mark.parametrize(
    ("override", "told"),
    [
        ("selection=random", "budget must be a number of crops for selection=random, but is null"),
        ("budget=0", "budget must be a whole number of at least 1, but is 0"),
        ("duplicates=145", "duplicates must be a whole number from 0 to 144, but is 145"),
        ("crops=jpg", "crops must be one of png, shards, none, but is jpg"),
        ("fold=all", "fold must be one fold or final"),
        ("encoder.architecture=no_such_net", "must name a network that timm knows"),
        ("encoder.run=/no/run", "encoder must have a run or an architecture, one of both"),
        (
            "filter.limits.min_side_px=200",
            "filter=paper must leave regions to select from, but it keeps 0 of",
        ),
        ("score=maybe", "score must be one of auto, false, true"),
        ("gallery.quality=101", "gallery.quality must be at most 100"),
        ("crop.margin=-1", "crop.margin must be a number of at least 0"),
        ("fields.truth=nowhere.csv", "nowhere.csv must be a CSV"),
    ],
)
def test_a_mistake_is_told_in_one_sentence(override, told, select_in_process, capsys):
    with pytest.raises(SystemExit):
        select_in_process(override)
    error = capsys.readouterr().err
    assert told in error
    assert "Traceback" not in error


def test_the_score_can_be_demanded_and_switched_off(select_in_process, capsys):
    with pytest.raises(SystemExit):
        select_in_process("fields.truth=null", "score=true")
    assert "fields.truth must name the marked cells for score=true" in capsys.readouterr().err
    _, job = select_in_process("score=false", "selection=all")
    assert read_json(job.folder.path / "summary.json")["score"] is None


def test_what_changes_the_selection_changes_its_identity(select_job):
    first = select_job()
    for other in ("seed=1", "budget=5", "crop.margin=0.2", "filter.bits=4", "duplicates=0", "fold=1"):
        assert select_job(other).identity != first.identity, other
    for same in ("workers=2", "gallery.fields=3", "identify=true", "name=other", "encoder.batch_size=8"):
        assert select_job(same).identity == first.identity, same
    assert np.unique([first.identity, select_job("selection=all").identity]).size == 2
