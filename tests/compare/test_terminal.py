import re

import pytest
from comparison_words import CELLS, FEW
from run_folders import Cells, write_run

from mk11.compare.__main__ import main


def test_only_the_keys_that_differ_are_shown(tmp_path, compare):
    write_run(tmp_path / "a", cells=CELLS)
    write_run(
        tmp_path / "b", cells=CELLS, config={"optim.base_lr": 0.016, "epochs": 7}, record={"commit": "f" * 40}
    )
    out, _, _ = compare(tmp_path / "a", tmp_path / "b", FEW)
    table = out.split("key that differs")[1].split("\n\n")[0]
    rows = [line.split() for line in table.splitlines() if re.search(r"\w", line)][1:]
    assert rows == [
        ["commit", "0123456789ab", "f" * 12],
        ["epochs", "6", "7"],
        ["optim.base_lr", "0.008", "0.016"],
    ]


def test_another_state_of_the_data_is_pointed_out(tmp_path, compare):
    write_run(tmp_path / "a", cells=CELLS)
    write_run(tmp_path / "b", cells=CELLS, data_set="0" * 16)
    out, _, _ = compare(tmp_path / "a", tmp_path / "b", FEW)
    assert "The data differ in more than these test images" in out


def test_both_measures_share_a_table_where_there_is_room(runs, compare, monkeypatch):
    for width, tables in ((80, 2), (200, 1)):
        monkeypatch.setenv("COLUMNS", str(width))
        out, _, _ = compare("convnext", "vit", "--runs", runs, FEW)
        assert len(re.findall(r"class +images", out)) == tables
        rows = out.split("key that differs")[0].split("fold  ")[1].splitlines()
        assert max(map(len, rows)) <= width


def test_output_to_a_pipe_is_plain_and_class_names_steer_no_terminal(tmp_path, compare):
    odd = Cells(classes=("[red]x[/red]", "a\x1b[2Jb", "ä µ", "=1+1"), patients=60)
    for model in ("a", "b"):
        write_run(tmp_path, model=model, cells=odd)
    out, _, _ = compare("a", "b", "--runs", tmp_path, FEW, "--all")
    assert "\x1b" not in out
    assert "[red]x[/red]" in out
    assert "a?[2Jb" in out
    assert "ä µ" in out


def test_help_shows_an_example(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    assert ended.value.code == 0
    assert "example: python -m mk11.compare convnext vit" in capsys.readouterr().out
