"""The report's point tables of 1,000 runs, and what the cache saves of the intervals.

python benchmarks/report.py [--runs 1000]

Runs are synthetic: five folds of 200 configurations, 11 classes, 1,440 test images a fold.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from run_folders import Cells, write_runs  # noqa: E402  of the tests' folder

FOLDS = 5
MEASURED = 10  # configurations with intervals: all of them would take minutes
CELLS = Cells(
    classes=tuple("ABCDEFGHIJK"), images=(692, 506, 1954, 660, 623, 548, 513, 573, 647, 141, 347), patients=70
)


def write_many(root: Path, *, count: int) -> None:
    """Copies of five run folders under other learning rates; large files are links to the first."""
    first = write_runs(root / "first", models={"convnext": 2.0}, cells=CELLS)
    for number in range(count // FOLDS):
        for path in first:
            _copy(path, root / "runs" / f"{number:03d}" / path.name, number=number)


def seconds_of(*arguments: str) -> float:
    """Wall-clock time of one report in a process of its own, imports included."""
    begun = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "mk11.report", *arguments, "--tables"],
        check=True,
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
    )
    return time.perf_counter() - begun


def main(count: int) -> None:
    """Print the times and the ratio."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        write_many(root, count=count)
        points = seconds_of(str(root / "runs"), "--out", str(root / "points"), "--no-intervals")
        print(f"point tables of {count} runs: {points:.1f} s")
        write_runs(root / "few", models={f"model{number}": 2.0 for number in range(MEASURED)}, cells=CELLS)
        asked = (str(root / "few"), "--metric", "pr_auc", "--out", str(root / "measured"))
        fresh, cached = seconds_of(*asked), seconds_of(*asked)
    print(f"PR-AUC intervals and calibration of {MEASURED} configurations: {fresh:.1f} s, ", end="")
    print(f"from the cache {cached:.1f} s, ratio {fresh / cached:.1f}")


def _copy(path: Path, target: Path, *, number: int) -> None:
    target.mkdir(parents=True)
    for name in ("metrics.json", "metrics.csv", "predictions.parquet"):
        os.link(path / name, target / name)
    config = yaml.safe_load((path / "config.yaml").read_text())
    config["optim"]["base_lr"] = 1e-4 * (1 + number)
    (target / "config.yaml").write_text(yaml.safe_dump(config))
    shutil.copy(path / "run.json", target / "run.json")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=1000)
    main(parser.parse_args().runs)
