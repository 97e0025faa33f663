import json
import os
import shutil
import time

import pytest
import yaml
from run_folders import CLASSES, write_run

from mk11.errors import UserError
from mk11.runs.ledger import find_runs, read_run


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A finished run, to be copied and damaged."""
    return write_run(tmp_path_factory.mktemp("made"), model="convnext", fold=2, seed=1)


@pytest.fixture
def run(made, tmp_path):
    """A copy of it in a folder of its own."""
    return shutil.copytree(made, tmp_path / "runs/train/mk11/convnext" / made.name)


def changed(path, **fields):
    """Set fields of a JSON file; None removes one."""
    content = json.loads(path.read_text()) | fields
    path.write_text(json.dumps({key: value for key, value in content.items() if value is not None}))


def test_a_run_tells_what_its_files_say(run, tmp_path):
    (found,), problems = find_runs([tmp_path / "runs"])
    assert problems == []
    assert (found.name, found.model, found.fold, found.seed) == ("mk11", "convnext", 2, 1)
    assert found.classes == ("blast", "granular", "naked", "hyperlobulated")
    assert found.status == "finished"
    assert found.metrics["test"]["images"] > 0
    assert found.config["data"]["folds"]["count"] == 5


def test_a_pre_training_ends_in_final_measures_and_no_predictions(tmp_path):
    folder = write_run(tmp_path, stage="pretrain", model="mae")
    (found,), problems = find_runs([tmp_path])
    assert (found.stage, found.model, found.status, problems) == ("pretrain", "mae", "finished", [])
    assert found.metrics["final"]["probe_f1_macro"] == 0.5
    changed(folder / "metrics.json", final={"loss": "small"})
    _, (problem,) = find_runs([tmp_path])
    assert "metrics.json must have final" in problem


def test_a_run_of_the_older_format_is_read_with_unknown_data(tmp_path):
    write_run(tmp_path, old=True)
    (found,), problems = find_runs([tmp_path])
    assert (found.data_set, problems) == (None, [])


def test_a_run_folder_itself_may_be_named(run):
    (found,), _ = find_runs([run])
    assert found.folder.path == run


def test_a_run_reached_twice_counts_once(run, tmp_path):
    (tmp_path / "again").symlink_to(tmp_path / "runs", target_is_directory=True)
    (tmp_path / "runs/train/same").symlink_to(run, target_is_directory=True)
    runs, problems = find_runs([tmp_path / "runs", tmp_path / "again", run])
    assert (len(runs), problems) == (1, [])


def test_links_that_lead_in_circles_end(run, tmp_path):
    for name in ("one", "two", "three"):  # followed without end, three of them are 3^40 paths
        (tmp_path / "runs" / name).symlink_to(tmp_path / "runs", target_is_directory=True)
    assert len(find_runs([tmp_path / "runs"])[0]) == 1


def test_results_that_a_rerun_has_set_aside_are_not_runs(run, tmp_path):
    shutil.copytree(run, tmp_path / "aside")
    shutil.move(tmp_path / "aside", run / "previous/20260101")
    for name in ("previous", "checkpoints", ".hidden"):
        shutil.copytree(run, tmp_path / "runs" / name)
    assert len(find_runs([tmp_path / "runs"])[0]) == 1


def test_a_place_that_does_not_exist_is_named(tmp_path):
    with pytest.raises(UserError, match="nowhere"):
        find_runs([tmp_path / "nowhere"])


def test_runs_come_in_the_order_of_their_paths(run, tmp_path):
    for name in ("b", "a"):
        shutil.copytree(run, tmp_path / "runs" / name)
    runs, _ = find_runs([tmp_path / "runs"])
    assert [one.folder.path.name for one in runs] == ["a", "b", run.name]


def changed_split(run, **fields):
    """Set fields of the test split; None removes one."""
    split = json.loads((run / "metrics.json").read_text())["test"] | fields
    test = {key: value for key, value in split.items() if value is not None}
    changed(run / "metrics.json", test=test)


def changed_data(run, **fields):
    """Set fields of the data in run.json."""
    changed(run / "run.json", data=json.loads((run / "run.json").read_text())["data"] | fields)


def changed_config(run, group=None, **fields):
    """Set fields of config.yaml or of one of its groups; None removes one."""
    config = yaml.safe_load((run / "config.yaml").read_text())
    part = config[group] if group else config
    part.update(fields)
    for name in [name for name, value in fields.items() if value is None]:
        del part[name]
    (run / "config.yaml").write_text(yaml.safe_dump(config))


DAMAGE = {
    "run.json cut short": lambda run: (run / "run.json").write_text('{"status": "fin'),
    "run.json empty": lambda run: (run / "run.json").write_text(""),
    "run.json null": lambda run: (run / "run.json").write_text("null"),
    "run.json a list": lambda run: (run / "run.json").write_text("[]"),
    "run.json binary": lambda run: (run / "run.json").write_bytes(b"\xff\xfe\x00"),
    "no fold": lambda run: changed(run / "run.json", fold=None),
    "a fold of text": lambda run: changed(run / "run.json", fold="two"),
    "a seed of text": lambda run: changed(run / "run.json", seed="one"),
    "data a list": lambda run: changed(run / "run.json", data=[]),
    "data without classes": lambda run: changed(run / "run.json", data={"name": "x"}),
    "no config.yaml": lambda run: (run / "config.yaml").unlink(),
    "config.yaml cut short": lambda run: (run / "config.yaml").write_text("model: {architecture: [1,\n"),
    "config.yaml empty": lambda run: (run / "config.yaml").write_text(""),
    "config.yaml without a model": lambda run: (run / "config.yaml").write_text("data: {name: x}\nmodel:\n"),
    "config.yaml without a resize": lambda run: changed_config(run, "data", resize=None),
    "config.yaml without weights": lambda run: changed_config(run, "model", weights=None),
    "config.yaml with folds in a list": lambda run: changed_config(run, "data", folds=[0, 1]),
    "config.yaml with an analysis in a list": lambda run: changed_config(run, analysis=["default"]),
    "metrics.json cut short": lambda run: (run / "metrics.json").write_text('{"test": {'),
    "metrics.json without test": lambda run: (run / "metrics.json").write_text('{"val": {}}'),
    "metrics.json a number": lambda run: (run / "metrics.json").write_text("1"),
    "metrics without validation": lambda run: changed(run / "metrics.json", val=None),
    "metrics without the last epoch": lambda run: changed(run / "metrics.json", last=None),
    "metrics of the last epoch a list": lambda run: changed(run / "metrics.json", last=[]),
    "metrics without classes": lambda run: changed_split(run, per_class=None),
    "metrics without one class": lambda run: changed_split(run, per_class={}),
    "metrics without images": lambda run: changed_split(run, images=None),
    "a metric of text": lambda run: changed_split(run, f1_macro="0.8"),
    "a metric that is no number": lambda run: changed_split(run, f1_macro=float("nan")),
    "a class of text": lambda run: changed_split(run, per_class=dict.fromkeys(CLASSES, "0.8")),
    "best epochs a list": lambda run: changed(run / "metrics.json", best_validation=[]),
    "a best epoch a number": lambda run: changed(run / "metrics.json", best_validation={"accuracy": 0.8}),
    "lineage a list": lambda run: changed(run / "run.json", lineage=["weights"]),
    "choices a list": lambda run: changed(run / "run.json", choices=["model"]),
    "overrides text": lambda run: changed(run / "run.json", overrides="model=vit"),
    "seconds text": lambda run: changed(run / "run.json", seconds="9"),
    "images a list": lambda run: changed_data(run, images=[1]),
    "images of text": lambda run: changed_data(run, images={"train": "many"}),
    "marks a list": lambda run: changed_data(run, marks=["leak"]),
    "classes of numbers": lambda run: changed_data(run, classes=[1, 2]),
    "folds a number": lambda run: changed_data(run, folds=5),
    "training counts a list": lambda run: changed_data(run, train_counts=[1]),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_run_is_left_out_and_told_in_one_line_and_the_others_stay(damage, run, tmp_path):
    other = shutil.copytree(run, tmp_path / "runs/other")
    DAMAGE[damage](run)
    runs, (problem,) = find_runs([tmp_path / "runs"])
    assert [one.folder.path for one in runs] == [other]
    assert str(run) in problem
    assert "\n" not in problem


def test_metrics_that_are_undefined_or_unknown_to_older_runs_are_no_damage(run, tmp_path):
    changed_split(run, auroc_macro=None, pr_auc=1)
    changed(run / "metrics.json", best_validation=None)
    changed(run / "run.json", choices=None, lineage=None, overrides=None, versions=None)
    (found,), problems = find_runs([tmp_path / "runs"])
    assert (found.metrics["test"]["pr_auc"], problems) == (1, [])


def test_a_damaged_file_is_told_with_some_of_its_faults(run, tmp_path):
    changed_split(run, per_class={}, accuracy="high")
    _, (problem,) = find_runs([tmp_path / "runs"])
    assert "test.accuracy, test.per_class.blast" in problem
    assert problem.endswith("as finished runs have, but has not")


def test_a_folder_that_has_not_begun_is_no_run(tmp_path):
    (tmp_path / "runs/train/x").mkdir(parents=True)
    assert find_runs([tmp_path / "runs"]) == ([], [])


def test_only_a_run_that_says_finished_has_a_result(run):
    changed(run / "run.json", status="failed")
    assert read_run(run).metrics is None
    changed(run / "run.json", status="finished")
    (run / "metrics.json").unlink()
    assert read_run(run).metrics is None


def test_running_without_a_heartbeat_is_died(run):
    changed(run / "run.json", status="running")
    assert read_run(run).status == "died"
    (run / "heartbeat").touch()
    assert read_run(run).status == "running"
    long_ago = time.time() - 3600
    os.utime(run / "heartbeat", (long_ago, long_ago))
    assert read_run(run).status == "died"
