"""How soon a command answers: `train.py --help`, and the first optimiser step of the quick start.

    python benchmarks/startup.py

Both are printed beside what they cannot be faster than: importing Hydra, and importing the training stack.
The drawn cells are made before the clock starts.
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

ROOT = Path(__file__).resolve().parents[1]
ROUNDS = 5
QUICKSTART = ("experiment=quickstart", "trainer.progress=none", "logger=csv")

UNTIL_FIRST_STEP = """
import os, runpy, sys
from torch.optim.optimizer import register_optimizer_step_post_hook

register_optimizer_step_post_hook(lambda *_: os._exit(0))
sys.argv = ["train.py", *sys.argv[1:]]
sys.path.insert(0, "")
runpy.run_path("train.py", run_name="__main__")
"""


def seconds(*arguments: str) -> float:
    """Median time of `python ARGUMENTS`, the first, cold run left out."""
    times = []
    for _ in range(ROUNDS + 1):
        start = time.perf_counter()
        subprocess.run([sys.executable, *arguments], cwd=ROOT, check=True, capture_output=True)
        times.append(time.perf_counter() - start)
    return median(times[1:])


def row(name: str, ours: float, floor_name: str, floor: float, target: float) -> str:
    """One line: our time, the target, and the ratio to the imports alone."""
    return f"{name}: {ours:.2f} s (target {target:.0f} s), {ours / floor:.1f}x {floor_name} ({floor:.2f} s)"


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as runs:
        subprocess.run(
            [sys.executable, "train.py", *QUICKSTART, "dry=true", f"runs={runs}"],
            cwd=ROOT, check=True, stdout=subprocess.DEVNULL, env={**os.environ},
        )  # fmt: skip
        floor = seconds("-c", "import hydra")
        print(row("train.py --help", seconds("train.py", "--help"), "import hydra", floor, 2))
        step = seconds("-c", UNTIL_FIRST_STEP, *QUICKSTART, f"runs={runs}", "rerun=true")
        stack = "import torch, pytorch_lightning, timm, torchmetrics, sklearn.metrics, pandas"
        print(row("first optimiser step of the quick start", step, "its imports", seconds("-c", stack), 15))


if __name__ == "__main__":
    main()
