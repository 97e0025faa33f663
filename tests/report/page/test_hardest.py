"""The hardest images on the page."""

import pandas as pd
import pytest
from run_folders import write_runs

from mk11.report.names import Names
from mk11.report.page.hardest import PER_KIND, hardest
from mk11.runs.configurations import group_runs
from mk11.runs.ledger import find_runs

REAL = Names(identify=True, runs=[])


def test_the_hardest_images_are_the_worst_of_all_folds_and_none_is_shown_twice(tmp_path):
    write_runs(tmp_path, models={"vit": 0.5}, folds=range(3), seeds=(0, 1), hardest=True)
    (one,) = group_runs(find_runs([tmp_path])[0])
    ((found,), problems) = hardest([one], REAL)
    tables = [pd.read_parquet(run.folder.hardest).assign(fold=str(run.fold)) for run in one.finished]
    rows = pd.concat(tables)
    by_loss = sorted(rows[rows["why"] == "loss"].to_dict("records"), key=lambda row: -row["loss"])
    expected = list(dict.fromkeys(row["id"] for row in by_loss))[:PER_KIND]
    assert problems == []
    assert [crop.image for crop in found.loss] == expected
    assert len(found.confident) == PER_KIND
    assert not {crop.image for crop in found.confident} & set(expected)
    assert all(crop.true != crop.predicted for crop in found.confident)
    wrong = rows[(rows["why"] == "confident") & ~rows["id"].isin(expected)]
    best = wrong.groupby("id")["probability"].max().nlargest(PER_KIND).index
    assert {crop.image for crop in found.confident} == set(best)


def test_an_image_hard_for_others_too_says_for_how_many(tmp_path):
    write_runs(tmp_path, models={"vit": 0.5, "vgg": 0.5}, folds=range(1), hardest=True)
    both, _ = hardest(group_runs(find_runs([tmp_path])[0]), REAL)
    listed_in = [{crop.image for crop in (*one.loss, *one.confident)} for one in both]
    for one, others in zip(both, listed_in[::-1], strict=True):
        for crop in (*one.loss, *one.confident):
            assert crop.others == (crop.image in others)


@pytest.mark.parametrize("damage", ["no parquet", "no picture"])
def test_damaged_thumbnails_are_told_and_the_rest_is_shown(tmp_path, damage):
    write_runs(tmp_path, models={"vit": 1.0}, folds=range(2), hardest=True)
    (one,) = group_runs(find_runs([tmp_path])[0])
    path = one.finished[0].folder.hardest
    if damage == "no parquet":
        path.write_bytes(b"PAR1 not really")
    else:
        pd.read_parquet(path).assign(thumbnail=b"<svg onload='alert(1)'/>").to_parquet(path, index=False)
    (found,), (problem,) = hardest([one], REAL)
    assert found.runs == 1
    assert str(path) in problem
