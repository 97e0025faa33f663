"""`pool=selection`: which selection it stands for, and that it is made first and once."""

import sys

import pytest
from conftest import ROOT, composed
from hydra.core.hydra_config import HydraConfig

from mk11.cli.stages import ensure
from mk11.errors import UserError
from mk11.files import read_json

SELECT = (
    "filter=paper",
    "filter.illumination=none",
    "filter.ranges.purple={hue:[100,160],saturation:[50,255],value:[0,255]}",
    "filter.limits.min_side_px=12",
    "filter.noise=40",
    "encoder.architecture=test_resnet",
    "encoder.weights=none",
    "encoder.image_size=32",
    "gallery.field_px=64",
    "gallery.crop_px=24",
    "selection=all",
)


@pytest.fixture
def staged(disc_fields):
    """Overrides of a pre-training on a selection."""

    def make(*more):
        words = ",".join(f"'{word}'" for word in (*SELECT, *more))
        return (
            "pool=selection",
            f"select.fields={disc_fields}",
            f"select.overrides=[{words}]",
            "epochs=1",
            "batch_size=4",
            "health.every=0",
            "monitor=loss",
        )

    return make


@pytest.fixture
def in_this_process(monkeypatch):
    """Run `select.py` here rather than in a process of its own; the command lines are kept."""
    from mk11.cli.selection.script import select

    commands = []

    def run(watch):
        commands.append(list(watch.command))
        overrides = [word for word in watch.command[2:] if not word.startswith("hydra.")]
        before = HydraConfig.instance().cfg
        select(composed("select", *overrides), script=ROOT / "select.py")
        HydraConfig.instance().cfg = before
        return 0

    monkeypatch.setattr(ensure, "supervise", run)
    return commands


def test_the_stage_is_of_the_same_data_fold_and_seed(pretrain_job, staged):
    stage = pretrain_job(*staged(), "fold=1", "seed=3", "data.um_per_pixel=0.25").selection
    assert (stage.cfg.fold, stage.cfg.seed) == (1, 3)
    assert stage.cfg.data.um_per_pixel == 0.25
    assert stage.row == "all"
    assert stage.folder.path.parts[-4:-1] == ("select", "fields", "all")


def test_each_fold_has_a_selection_of_its_own(pretrain_job, staged):
    folders = {pretrain_job(*staged(), f"fold={fold}").selection.folder.path for fold in (0, 1, 2)}
    assert len(folders) == 3


def test_a_pre_training_is_named_before_its_selection_is_there(pretrain_job, staged):
    one, other = pretrain_job(*staged()), pretrain_job(*staged("duplicates=0"))
    assert one.identity == pretrain_job(*staged()).identity
    assert one.identity != other.identity
    assert not one.selection.manifest.exists()
    mixed = pretrain_job(*staged(), "pool=mixed", "pool.manifests=[stage:select]")
    assert mixed.identity not in (one.identity, other.identity)


def test_the_selection_is_made_first_and_once(pretrain_in_process, staged, in_this_process, capsys):
    _, job = pretrain_in_process(*staged())
    assert "stage:select comes first: python select.py fields=folder" in capsys.readouterr().out
    (command,) = in_this_process
    assert command[:2] == [sys.executable, str(ROOT / "select.py")]
    record = read_json(job.folder.record)
    (told,) = record["pool"]["selections"]
    assert told["identity"] == job.selection.identity
    assert told["fields"]["fingerprint"] == job.selection.fields.fingerprint
    assert record["pool"]["counts"]["manifests"] == job.selection.value()
    pretrain_in_process(*staged(), "seed=0", "ssl.mask_ratio=0.5")
    assert len(in_this_process) == 1
    assert "stage:select is " in capsys.readouterr().out


def test_the_plan_tells_what_comes_first(pretrain_in_process, pretrain_job, staged, capsys):
    pretrain_in_process(*staged(), "dry=true")
    folder = pretrain_job(*staged()).selection.folder.path
    assert f"stage:select comes first: {folder}" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("override", "told"),
    [
        ("select.overrides=[3]", r"select\.overrides must be a list of key=value"),
        ("select.overrides=['budget=0']", r"select must describe a selection, but in it budget must be"),
        ("select.overrides=['selection=best']", r"Could not find 'selection/best'"),
    ],
)
def test_a_mistake_in_the_stage_is_told(pretrain_job, staged, override, told):
    job = pretrain_job(*staged(), override)
    with pytest.raises(UserError, match=told):
        job.check()
