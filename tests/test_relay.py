import shutil

import pytest
from run_folders import Cells, write_run
from wandb_stub import no_account, server  # noqa: F401

from mk11.evaluation.predictions import read_predictions
from mk11.files import read_json, write_json
from mk11.relay.__main__ import main


@pytest.fixture
def runs(tmp_path):
    """Two finished runs and one that is not, as machines without a network leave them."""
    for fold, status in ((0, "finished"), (1, "finished"), (2, "failed")):
        write_run(tmp_path / "runs", fold=fold, status=status, cells=Cells(images=(30, 20, 15, 5)))
    return tmp_path / "runs"


def folder_of(runs, fold):
    (path,) = runs.rglob(f"fold{fold}-*")
    return path


def sent(capsys):
    return [line for line in capsys.readouterr().out.splitlines() if line.startswith("sent ")]


def test_finished_runs_arrive_whole_from_local_files_alone(server, runs, capsys, tmp_path):  # noqa: F811
    assert main([str(runs)]) == 0
    assert len(sent(capsys)) == len(server.runs) == 2
    path = folder_of(runs, 1)
    metrics, name = read_json(path / "metrics.json"), read_json(path / "wandb.json")["id"]
    arrived = server.runs[name]
    assert sorted(row["epoch"] for row in arrived["history"].values()) == list(
        range(1, metrics["epochs"] + 1)
    )
    assert arrived["summary"]["test/f1_macro"] == pytest.approx(metrics["test"]["f1_macro"])
    assert arrived["summary"]["confusion_matrix"]["format"] == "png"
    assert arrived["summary"]["per_class"]["nrows"] == 2 * len(metrics["test"]["per_class"])
    assert arrived["config"]["fold"] == 1
    assert arrived["exit_code"] == 0
    assert f"predictions-{name}" in [artifact["name"] for artifact in server.artifacts]
    groups = {run["options"]["groupName"] for run in server.runs.values()}
    assert len(groups) == 1


def test_repeated_it_sends_only_what_is_new(server, runs, capsys):  # noqa: F811
    main([str(runs)])
    capsys.readouterr()
    asked = len(server.operations)
    assert main([str(runs)]) == 0
    assert capsys.readouterr().out == "0 sent, 2 there already, 1 not finished\n"
    assert len(server.operations) == asked
    write_run(runs, fold=3, cells=Cells(images=(30, 20, 15, 5)))
    main([str(runs)])
    (line,) = sent(capsys)
    assert str(folder_of(runs, 3)) in line


def test_a_result_that_changed_is_sent_again_under_its_id(server, runs, capsys):  # noqa: F811
    main([str(runs)])
    path = folder_of(runs, 0)
    metrics = read_json(path / "metrics.json")
    metrics["test"]["f1_macro"] = 0.125
    write_json(path / "metrics.json", metrics)
    capsys.readouterr()
    assert main([str(runs)]) == 0
    assert len(sent(capsys)) == 1
    assert len(server.runs) == 2
    assert server.runs[read_json(path / "wandb.json")["id"]]["summary"]["test/f1_macro"] == 0.125


def test_dry_run_tells_and_sends_and_writes_nothing(no_account, runs, capsys):  # noqa: F811
    assert main([str(runs), "--dry-run", "--project", "p", "--entity", "lab"]) == 0
    told = capsys.readouterr().out
    assert f"would send {folder_of(runs, 0)} to lab/p" in told
    assert told.endswith("2 to send, 1 not finished\n")
    assert not list(runs.rglob("wandb.json"))


def test_an_id_made_for_another_configuration_is_refused_and_the_others_go(server, runs, capsys):  # noqa: F811
    path = folder_of(runs, 0)
    write_json(path / "wandb.json", {"id": "abcd1234", "identity": "ffffffff"})
    assert main([str(runs)]) == 1
    told = capsys.readouterr()
    assert f"refused: {path}" in told.err
    assert "was made for ffffffff" in told.err
    assert told.out.splitlines()[-1] == "1 sent, 1 not finished, 1 refused"
    assert "abcd1234" not in server.runs


def test_an_id_that_two_runs_have_in_common_is_refused_for_both(server, runs, capsys):  # noqa: F811
    for fold in (0, 1):
        write_json(folder_of(runs, fold) / "wandb.json", {"id": "abcd1234"})
    assert main([str(runs)]) == 1
    assert capsys.readouterr().err.count("must hold an id of its own") == 2
    assert not server.runs


def test_a_copy_of_a_run_is_the_same_run(server, runs, tmp_path):  # noqa: F811
    main([str(runs)])
    shutil.copytree(runs, tmp_path / "copy")
    assert main([str(tmp_path / "copy")]) == 0
    assert len(server.runs) == 2


def test_patients_go_under_pseudonyms_unless_asked_otherwise(server, runs, tmp_path):  # noqa: F811
    own = set(read_predictions(folder_of(runs, 0) / "predictions.parquet")[0]["group"])
    for arguments, shared in (([], set()), (["--real-names", "--project", "inside"], own)):
        server.files.clear()
        main([str(folder_of(runs, 0)), *arguments])
        path = tmp_path / "arrived.parquet"
        path.write_bytes(server.file("/predictions.parquet"))
        assert own & set(read_predictions(path)[0]["group"]) == shared


def test_without_a_server_nothing_counts_as_sent_and_the_next_call_sends_it(
    server,  # noqa: F811
    runs,
    capsys,
    monkeypatch,
):
    with monkeypatch.context() as patch:
        patch.setattr("mk11.relay.send.INIT_TIMEOUT", 1.0)
        patch.setenv("WANDB_BASE_URL", "http://127.0.0.1:9")
        assert main([str(folder_of(runs, 0)), "--timeout", "2"]) == 1
    told = capsys.readouterr()
    assert f"failed: {folder_of(runs, 0)}" in told.err
    assert told.out == "0 sent, 1 failed\n"
    assert main([str(folder_of(runs, 0)), "--dry-run"]) == 0
    assert capsys.readouterr().out.endswith("1 to send\n")


def test_a_run_of_an_agent_is_not_taken_for_its_trial(server, no_account, runs):  # noqa: F811
    no_account.setenv("WANDB_SWEEP_ID", "sweep001")
    no_account.setenv("WANDB_RUN_ID", "trial001")
    main([str(folder_of(runs, 0))])
    assert "trial001" not in server.runs


def test_a_place_that_is_not_there_is_told_in_one_sentence(tmp_path, capsys):
    assert main([str(tmp_path / "nowhere")]) == 2
    assert capsys.readouterr().err.startswith("error: RUNS must be existing folders")
