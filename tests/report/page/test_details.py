"""Settings, runs, environments and data of the page."""

import hashlib
import os

import numpy as np
import pandas as pd
from page_findings import configuration, texts
from run_folders import write_run, write_runs

from mk11.report.names import Names
from mk11.report.page.details import details
from mk11.report.page.differences import config_differences
from mk11.report.page.environment import environment_table
from mk11.report.page.facts import data_facts
from mk11.report.page.runs import grouped, run_table
from mk11.report.tables.words import NONE
from mk11.runs.configurations import group_runs
from mk11.runs.ledger import find_runs

REAL = Names(identify=True, runs=[])


def test_only_keys_that_differ_are_listed(tmp_path):
    table = config_differences([configuration(tmp_path, n) for n in range(2)], REAL)
    assert texts(table) == [["model", "model0", "model1"]]
    assert config_differences([configuration(tmp_path, 0)], REAL) is None


def test_many_configurations_stand_below_one_another(tmp_path):
    table = config_differences([configuration(tmp_path, n) for n in range(7)], REAL)
    assert [column.title for column in table.columns] == ["Configuration", "model"]
    assert texts(table)[6] == ["mk11/model6", "model6"]


def test_runs_show_what_became_of_them(tmp_path):
    one = configuration(tmp_path, 0, failed={4})
    lines = texts(run_table(grouped([one], one.runs), primary="accuracy"))
    assert lines[0] == [
        "fold0", "mk11/model0", "0", "0", "finished", "50.00", "50.00", "50.00", "5.0",
        "x86_64 CPU, 1 threads", "01234567+", "2026-03-01 10:00",
    ]  # fmt: skip
    assert lines[4][4:8] == ["failed", NONE, NONE, NONE]


def test_equal_environments_are_one(tmp_path):
    one, other = configuration(tmp_path, 0), configuration(tmp_path, 1)
    other.runs[0].record["versions"]["torch"] = "2.16.0"
    assert [row[:2] for row in texts(environment_table([*one.runs, *other.runs]))] == [["1", "9"], ["2", "1"]]


def test_details_have_the_end_of_a_long_error_and_the_whole_of_the_lineage(tmp_path):
    failed = write_run(tmp_path, status="failed", record={"lineage": {"encoder": "e1", "selection": "s2"}})
    (failed / "error.txt").write_text("first\n" + "x" * 9000 + "\nlast line")
    runs, _ = find_runs([tmp_path])
    ((_, (one,)),) = details(grouped(group_runs(runs), runs), REAL)
    assert one.error.startswith("...\nxxx")
    assert one.error.endswith("last line")
    assert [value for name, value in one.facts if name == "Lineage"] == ["encoder: e1", "selection: s2"]


def test_the_data_are_told_with_their_groups(tmp_path):
    write_runs(tmp_path, models={"vit": 1.0}, folds=range(2))
    (facts,) = data_facts(group_runs(find_runs([tmp_path])[0]))
    assert facts.name == "cells"
    told_facts = dict(facts.facts)
    assert told_facts["Images"] == "205"
    groups = {
        group
        for path in tmp_path.rglob("predictions.parquet")
        for group in pd.read_parquet(path, columns=["group"])["group"]
    }
    assert told_facts["Groups"] == f"{len(groups)} (patients, slides or fields)"


def test_anchors_differ_between_runs_and_stay_from_page_to_page(tmp_path):
    one = configuration(tmp_path, 0)
    links = [row[0].link for row in run_table(grouped([one], one.runs), primary="accuracy").rows]
    path = os.fsencode(one.runs[0].folder.path)
    assert len(set(links)) == 5
    assert links[0] == f"run-{hashlib.blake2b(path, digest_size=6).hexdigest()}"
    assert np.all([link.isascii() for link in links])
