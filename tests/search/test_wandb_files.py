"""The sweep files that are shipped: against W&B's schema, its own engine, Hydra, and in real runs."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import sweeps
import yaml
from conftest import ROOT, small
from hydra import compose, initialize_config_dir
from sweeps.config import schema_violations_from_proposed_config
from wandb.sdk.launch.sweeps.utils import create_sweep_command, create_sweep_command_args
from wandb.sdk.lib.config_util import save_config_file_from_dict

from mk11.files import read_json
from mk11.runs.ledger import find_runs
from mk11.search.__main__ import main
from mk11.search.command import trial_command
from mk11.search.file import read_search
from mk11.training.loggers.sweep import without_sweep

FILES = sorted((ROOT / "conf" / "wandb").glob("*.yaml"))
BY_NAME = {path.stem: path for path in FILES}


def read(name):
    return yaml.safe_load(BY_NAME[name].read_text())


def agent_command(told, suggested):
    """The command line as W&B's agent makes it (`wandb_agent.Agent._command_run`)."""
    macros = create_sweep_command_args({"args": suggested.config}) | {
        "interpreter": [sys.executable],
        "program": [str(ROOT / told["program"])],
        "env": ["/usr/bin/env"],
    }
    words = create_sweep_command(list(told["command"]))
    return [out for word in words for out in (macros[word[2:-1]] if word.startswith("${") else [word])]


def overrides_of(command):
    """What of a command train.py is given."""
    place = max(number for number, word in enumerate(command) if word.endswith("train.py"))
    return command[place + 1 :]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_file_fits_wandbs_schema(path):
    assert schema_violations_from_proposed_config(yaml.safe_load(path.read_text())) == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_file_opens_with_its_command_and_can_be_searched_without_a_server(path):
    assert f"wandb sweep conf/wandb/{path.name}" in path.read_text().splitlines()[0]
    assert read_search(path).program == "train.py"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_what_an_agent_runs_is_a_config_and_what_optuna_runs_is_the_same(path):
    told = yaml.safe_load(path.read_text())
    suggested = sweeps.next_run(told, [], validate=True)
    agent = overrides_of(agent_command(told, suggested))
    values = {key: str(value["value"]) for key, value in suggested.config.items()}
    own = overrides_of(trial_command(read_search(path), values, []))
    without_logger = {word for word in agent if not word.startswith("logger")}
    assert without_logger == {word for word in own if not word.startswith("logger")}
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        for overrides in (agent, own):
            cfg = compose("train", overrides=overrides)
            assert (cfg.data.name, cfg.analysis.tuned) == ("mk11", told["name"] if "metric" in told else None)
        assert "wandb" in compose("train", overrides=agent).logger


def test_the_grid_is_every_baseline_on_every_fold_once():
    told, runs = read("baselines_cv5"), []
    while (run := sweeps.next_run(told, runs, validate=True)) is not None:
        run.state = sweeps.RunState.finished
        runs.append(run)
    cells = {(run.config["experiment"]["value"], run.config["fold"]["value"]) for run in runs}
    rows = sorted((ROOT / "conf" / "experiment" / "mk11").glob("*.yaml"))
    assert len(runs) == len(cells) == 25
    assert cells == {(f"mk11/{row.stem}", fold) for row in rows for fold in range(5)}


@pytest.mark.parametrize("name", ["hparams", "cv5_mean"])
def test_wandbs_bayesian_engine_learns_from_our_objective(name):
    """Where the objective is better the lower the learning rate, the suggestions go there."""
    told, runs = read(name), []
    np.random.seed(0)  # the engine draws from NumPy's global generator
    metric = told["metric"]["name"]
    for _ in range(12):
        run = sweeps.next_run(told, runs, validate=True)
        rate = run.config["optim.base_lr"]["value"]
        run.state, run.summary_metrics = sweeps.RunState.finished, {metric: 1 - 50 * float(rate)}
        run.history = [run.summary_metrics]
        runs.append(run)
    rates = [run.config["optim.base_lr"]["value"] for run in runs]
    assert all(1e-4 <= rate <= 1e-2 for rate in rates)
    assert np.median(rates[-6:]) < 5e-4  # of a search that learns nothing: 1e-3


def tiny(cells, runs, *without):
    """Overrides of a run of seconds, less the keys that a sweep file sets."""
    chosen = [word for word in small(cells, runs) if word.split("=")[0] not in ("logger", *without)]
    return [*chosen, "recipe=small"]


def under_an_agent(server, command, values, tmp_path, name):
    """Run a command as an agent does, on the stub's server."""
    parameters = tmp_path / f"config-{name}.yaml"
    # From the server they come as JSON, without NumPy's types.
    save_config_file_from_dict(str(parameters), json.loads(json.dumps(values, default=float)))
    told = {"WANDB_SWEEP_ID": "sweep001", "WANDB_RUN_ID": name, "WANDB_SWEEP_PARAM_PATH": str(parameters)}
    environment = {**without_sweep(os.environ), **told, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return done


@pytest.mark.long
@pytest.mark.timeout(300)
def test_a_trial_of_one_fold_trains_under_the_agents_run_and_its_engine_goes_on(server, cells, tmp_path):
    told = read("hparams")
    first = sweeps.next_run(told, [], validate=True)
    command = [*agent_command(told, first), *tiny(cells, tmp_path / "runs", "fold")]
    done = under_an_agent(server, command, first.config, tmp_path, "trial001")
    assert list(server.runs) == ["trial001"], done.stderr
    arrived = server.runs["trial001"]
    metrics = read_json(Path(done.stdout.splitlines()[-1]) / "metrics.json")
    assert arrived["summary"]["val/pr_auc"] == pytest.approx(metrics["val"]["pr_auc"])
    assert arrived["summary"]["confusion_matrix"]["_type"] == "image-file"
    assert arrived["config"]["optim.base_lr"] == first.config["optim.base_lr"]["value"]
    assert arrived["options"]["tags"] == ["tuned: hparams"]
    assert arrived["exit_code"] == 0
    first.state = sweeps.RunState.finished
    first.summary_metrics, first.history = arrived["summary"], list(arrived["history"].values())
    second = sweeps.next_run(told, [first], validate=True)
    assert second.config["optim.base_lr"]["value"] != first.config["optim.base_lr"]["value"]


@pytest.mark.long
@pytest.mark.timeout(600)
def test_a_trial_of_all_folds_gives_its_mean_to_optuna_and_to_an_agent(server, cells, tmp_path, capsys):
    """Optuna trains two folds; the same trial under an agent finds them finished and reports their mean."""
    runs, storage = tmp_path / "runs", tmp_path / "study.journal"
    program = f"{ROOT / 'train.py'}"
    file = tmp_path / "cv5_mean.yaml"
    file.write_text(BY_NAME["cv5_mean"].read_text().replace("program: train.py", f"program: {program}"))
    extra = [*tiny(cells, runs, "fold", "data.folds.count"), "data.folds.count=2"]
    assert main([str(file), "--trials", "1", "--storage", str(storage), *extra]) == 0, capsys.readouterr().err
    (path,) = (runs / "cv").glob("*.json")
    mean = read_json(path)["mean"]
    found, _ = find_runs([runs / "train"])
    values = [run.metrics["best_validation"]["pr_auc"]["value"] for run in found]
    assert len(values) == 2
    assert mean == pytest.approx(sum(values) / 2)
    assert f"cv/val_pr_auc_mean {mean:.4f}" in capsys.readouterr().out
    assert {run.config["analysis"]["tuned"] for run in found} == {"cv5_mean"}

    told = read("cv5_mean")
    chosen = {key: {"value": _value(found[0].config, key)} for key in told["parameters"]}
    command = [*agent_command(told, sweeps.SweepRun(config=chosen)), *extra]
    under_an_agent(server, command, chosen, tmp_path, "trial001")
    assert list(server.runs) == ["trial001"]
    assert server.runs["trial001"]["summary"]["cv/val_pr_auc_mean"] == pytest.approx(mean)
    assert not [name for name in server.runs["trial001"]["summary"] if "test" in name]


def _value(config, key):
    for part in key.split("."):
        config = config[part]
    return config
