import sys

import pytest
from wandb.sdk.launch.sweeps.utils import create_sweep_command_args

from mk11.errors import UserError
from mk11.search.command import trial_command
from mk11.search.file import read_search

VALUES = {"optim.base_lr": "0.01", "augment": "light"}


def command(path, values=VALUES, overrides=()):
    return trial_command(read_search(path), values, list(overrides))


@pytest.mark.parametrize("macro", ["args_no_hyphens", "args_append_hydra", "args_override_hydra"])
def test_arguments_are_written_as_wandbs_agent_writes_them(search_file, macro):
    path = search_file(command=[f"${{{macro}}}"])
    agent = create_sweep_command_args({"args": {key: {"value": value} for key, value in VALUES.items()}})
    assert command(path)[: len(VALUES)] == agent[macro]


def test_the_template_is_filled_in(search_file, tmp_path):
    assert command(search_file())[:5] == [
        "/usr/bin/env",
        sys.executable,
        str(tmp_path / "program.py"),
        f"runs={tmp_path / 'runs'}",
        "optim.base_lr=0.01",
    ]


def test_an_override_takes_the_place_of_the_files_own_word(search_file):
    path = search_file(command=["train.py", "fold=0", "data=mk11", "${args_no_hyphens}"])
    words = command(path, overrides=["fold=3", "optim.base_lr=0.5"])
    assert words == [
        "train.py",
        "data=mk11",
        "augment=light",
        "logger=default",
        "analysis.tuned=try",
        "fold=3",
        "optim.base_lr=0.5",
    ]


def test_without_a_server_nothing_is_mirrored_to_one_unless_asked(search_file):
    path = search_file(command=["train.py", "logger=wandb", "logger.wandb.mode=offline", "x=1"])
    assert command(path)[:3] == ["train.py", "x=1", "logger=default"]
    words = command(path, overrides=["logger=wandb"])
    assert "logger.wandb.mode=offline" in words
    assert words.count("logger=wandb") == 1


def test_what_a_search_chooses_is_marked_as_tuned_by_it(search_file):
    assert "analysis.tuned=try" in command(search_file())
    own = search_file(command=["train.py", "analysis.tuned=mine"])
    assert [word for word in command(own) if "tuned" in word] == ["analysis.tuned=mine"]


def test_a_grid_without_a_metric_chooses_nothing_and_marks_nothing(search_file):
    words = command(search_file({"fold": {"values": [0, 1]}}, method="grid", metric=None))
    assert not [word for word in words if "tuned" in word]


def test_variables_of_the_environment_are_filled_in(search_file, monkeypatch):
    monkeypatch.setenv("PARTITION", "gpu")
    path = search_file(command=["srun", "--partition=${envvar:PARTITION}", "train.py"])
    assert command(path)[1] == "--partition=gpu"


def test_a_macro_that_only_the_agent_knows_is_refused(search_file):
    with pytest.raises(UserError, match=r"but has \$\{args_json_file\}"):
        command(search_file(command=["train.py", "${args_json_file}"]))
