from pathlib import Path

from run_folders import write_run
from sweep_folders import sweep_of

from mk11.cli.matrix.records import CellRecord


def test_pre_trainings_have_rows_of_their_own(status):
    for fold in (0, 1):
        write_run(Path("runs"), stage="pretrain", name="cells", model="mae", fold=fold)
    write_run(Path("runs"), name="cells", model="mae", fold=0)
    out, err, code = status()
    assert code == 0
    assert "note:" not in err
    rows = [line for line in out.splitlines() if "cells/mae" in line]
    assert any("pretrain cells/mae" in row for row in rows)
    assert len(rows) >= 2
    assert "python pretrain.py" in out  # the folds that are missing
    assert "python train.py" in out


def test_cells_of_a_pre_training_are_not_taken_for_those_of_a_training(status):
    write_run(Path("runs"), model="convnext", fold=0)
    folder = sweep_of(
        Path("runs"), "fold=0,1", cells=[["fold=0"], ["fold=1"]], records=[CellRecord(0, ["fold=0"])]
    )
    told = folder.matrix.read_text()
    folder.matrix.write_text(told.replace("train.py", "pretrain.py"))
    out, _, _ = status()
    assert "pretrain" in out
