"""What a multirun leaves beside its run folders, and what `mk11.status` says of it, for tests."""

import os
import shlex
import time

from mk11.cli.matrix.records import MatrixFolder
from mk11.files import write_json


def lines_with(text, *words):
    return [line for line in text.splitlines() if all(word in line for word in words)]


def commands(out):
    return [line.strip() for line in lines_with(out, "python train.py")]


def sweep_of(
    runs, *arguments, cells, records=(), when="2026-03-01_10-00-00-123456", host="elsewhere", pid=1, age=3600
):
    """What a multirun leaves: the planned cells and the records of some of them."""
    folder = MatrixFolder(runs / "sweeps" / when)
    plan = {
        "command": shlex.join(["python", "train.py", "-m", *arguments]),
        "started": "2026-03-01T10:00:00+00:00",
        "host": host,
        "pid": pid,
        "cells": [{"overrides": list(overrides)} for overrides in cells],
    }
    write_json(folder.matrix, plan)
    for record in records:
        folder.write(record)
    old = time.time() - age
    for path in folder.path.rglob("*.json"):
        os.utime(path, (old, old))
    return folder


def cells(models, folds, *more):
    return [[f"model={model}", f"fold={fold}", "seed=0", *more] for model in models for fold in folds]
