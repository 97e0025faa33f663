"""`model.weights=stage:pretrain`: which run it stands for, and that it is made first and once."""

import sys
from pathlib import Path

import pytest
from conftest import ROOT, composed, small
from hydra.core.override_parser.overrides_parser import OverridesParser
from hypothesis import given
from hypothesis import strategies as st

from mk11.cli.job import Job
from mk11.cli.stages import ensure
from mk11.cli.stages.words import quoted
from mk11.errors import UserError
from mk11.files import read_json
from mk11.models.encoder_file import read_about

STAGED = (
    "model=mae_tiny", "model.options.depth=1", "model.weights=stage:pretrain", "pretrain.ssl=mae", "epochs=1",
    'pretrain.overrides=["ssl.decoder_depth=1","epochs=1","batch_size=16","image_size=32","health.every=0","monitor=loss"]',
)  # fmt: skip


@pytest.fixture
def job(cells, tmp_path):
    """A training that starts from an encoder to be pre-trained."""

    def make(*more):
        return Job.of(composed("train", *small(cells, tmp_path / "runs", *STAGED, *more)))

    return make


@pytest.fixture
def in_this_process(monkeypatch):
    """Run `pretrain.py` here rather than in a process of its own; the command lines are kept."""
    from mk11.cli.pretrain.script import pretrain

    commands = []

    def run(watch):
        commands.append(list(watch.command))
        overrides = [word for word in watch.command[2:] if not word.startswith("hydra.")]
        from hydra.core.hydra_config import HydraConfig

        before = HydraConfig.instance().cfg
        pretrain(composed("pretrain", *overrides), script=ROOT / "pretrain.py")
        HydraConfig.instance().cfg = before
        return 0

    monkeypatch.setattr(ensure, "supervise", run)
    return commands


def test_the_stage_is_of_the_same_data_fold_seed_and_network(job):
    staged = job("fold=1", "seed=3", "data.um_per_pixel=0.25").pretraining
    assert (staged.cfg.fold, staged.cfg.seed) == (1, 3)
    assert staged.cfg.data.um_per_pixel == 0.25
    assert staged.cfg.model.options.depth == 1
    assert (staged.row, staged.cfg.epochs) == ("mae", 1)
    assert staged.folder.path.parts[-4:-1] == ("pretrain", "folder", "mae")


def test_the_stage_has_the_trainings_image_size_unless_told_otherwise(job):
    assert job("image_size=48").pretraining.cfg.image_size == 32
    silent = 'pretrain.overrides=["ssl.decoder_depth=1","epochs=1"]'
    assert job("image_size=48", silent).pretraining.cfg.image_size == 48


def test_each_fold_has_an_encoder_of_its_own(job):
    folders = {job(f"fold={fold}").pretraining.folder.path for fold in (0, 1, 2)}
    assert len(folders) == 3


def test_trainings_that_mean_the_same_encoder_share_it(job):
    one = job()
    for other in (job("optim.base_lr=1e-4"), job("augment=none"), job("model.drop_path=0.1")):
        assert other.pretraining.folder.path == one.pretraining.folder.path
        assert other.identity != one.identity


def test_another_encoder_is_another_training(job):
    more = 'pretrain.overrides=["ssl.decoder_depth=1","epochs=2","batch_size=16","image_size=32"]'
    assert job(more).identity != job().identity


def test_a_trainings_folder_is_known_before_its_stage_has_run(job):
    first = job()
    assert first.weights == "none"
    assert first.folder.path == job().folder.path
    assert first.pretraining.folder.progress in first.signs


def test_stage_keys_mean_nothing_without_a_stage(job):
    plain = job("model.weights=none")
    assert plain.pretraining is None
    assert job("model.weights=none", "pretrain.ssl=null", "pretrain.overrides=[]").identity == plain.identity


def test_the_encoder_is_made_first_and_once(train_in_process, in_this_process, job, capsys):
    _, trained = train_in_process(*STAGED)
    assert "stage:pretrain comes first: python pretrain.py ssl=mae" in capsys.readouterr().out
    encoder = trained.pretraining.folder.encoder
    lineage = read_json(trained.folder.record)["lineage"]
    assert lineage["weights"] == "stage:pretrain"
    assert lineage["weights_hash"] == read_json(encoder.with_suffix(".json"))["content_hash"]
    assert lineage["stage"] == str(encoder.parent)
    assert lineage["report"]["missing"] == []
    (command,) = in_this_process
    assert command[:2] == [sys.executable, str(ROOT / "pretrain.py")]
    assert command[-1] == "hydra.mode=RUN"
    train_in_process(*STAGED, "optim.base_lr=1e-4")
    assert len(in_this_process) == 1
    assert "stage:pretrain is " in capsys.readouterr().out


def test_the_encoder_of_a_fold_has_not_seen_its_held_out_images(train_in_process, in_this_process):
    for fold in (0, 1):
        _, trained = train_in_process(*STAGED, f"fold={fold}")
        table = trained.fold.table
        held_out = set(table.loc[table["split"] != "train", "content_hash"])
        assert not held_out & set(read_about(trained.pretraining.folder.encoder)["trained_on"])
        assert trained.marks == trained.fold.marks


def test_a_stage_that_fails_is_told(train_in_process, monkeypatch, capsys):
    monkeypatch.setattr(ensure, "supervise", lambda watch: 2)
    with pytest.raises(SystemExit):
        train_in_process(*STAGED)
    assert (
        "stage:pretrain must end with encoder.safetensors, but ended with status 2" in capsys.readouterr().err
    )


@pytest.mark.parametrize(
    ("override", "told"),
    [
        ("pretrain.ssl=null", r"pretrain\.ssl must be a method"),
        (
            'pretrain.overrides=["epochs=0"]',
            r"pretrain\.overrides must describe a pre-training, but in it epochs",
        ),
        ('pretrain.overrides=["pool=folder"]', r"in it pool\.folders must be given"),
        ("pretrain.ssl=foo", r"keys of `pretrain` must describe a run .* Could not find 'ssl/foo' .*mixmim"),
        ('pretrain.overrides=["epochs=[1"]', r"keys of `pretrain` must describe a run of pretrain\.py"),
        ("pretrain.overrides=[3]", r"pretrain\.overrides must be a list of key=value"),
    ],
)
def test_a_mistake_in_a_stage_is_told(job, override, told):
    with pytest.raises(UserError, match=told):
        job(override).check()


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-1000, 1000)
    | st.floats(allow_nan=False, allow_infinity=False, width=32)
    | st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), max_size=12),
    lambda inner: st.lists(inner, max_size=3),
    max_leaves=4,
)


@given(VALUES)
def test_values_survive_the_command_line(value):
    (override,) = OverridesParser.create().parse_overrides([f"key={quoted(value)}"])
    assert override.value() == value


@pytest.mark.parametrize("text", ["null", "True", "NaN", "inf", "12", "1e3", "-1", "", "a b", "x=y", "1_000"])
def test_words_that_mean_something_to_hydra_stay_words(text):
    (override,) = OverridesParser.create().parse_overrides([f"key={quoted(text)}"])
    assert override.value() == text
    assert isinstance(override.value(), str)


def test_plain_words_are_left_readable():
    assert quoted("/data/cells-2.png") == "/data/cells-2.png"


def test_paths_with_odd_characters_survive_too():
    for path in ("/a b/c=d,e", "it's [x]", r"C:\x\'y", "${not} an interpolation?"):
        (override,) = OverridesParser.create().parse_overrides([f"key={quoted(str(Path(path)))}"])
        assert override.value() == str(Path(path))


def test_the_plan_tells_what_comes_first(train_in_process, job, capsys, monkeypatch):
    monkeypatch.setattr("mk11.training.cost.BUDGET_SECONDS", 0.0)
    train_in_process(*STAGED, "dry=true")
    assert f"stage:pretrain comes first: {job().pretraining.folder.path}" in capsys.readouterr().out
    assert not job().pretraining.folder.record.exists()
