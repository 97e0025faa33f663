import warnings

import pytest
import yaml
from wandb_stub import no_account, server  # noqa: F401

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # sweeps 0.3.0 is written for pydantic 1; pydantic 2 says so on import
    import sweeps  # noqa: F401

# Stands for train.py: a run folder with a value that peaks at base_lr 0.3; fails where it is told to.
PROGRAM = """
import json, pathlib, sys
told = dict(word.split("=", 1) for word in sys.argv[1:])
lr = float(told.get("optim.base_lr", 0.3))
if told.get("fail") == "True" or lr > float(told.get("limit", 9)):
    print("working", flush=True)
    sys.exit("the learning rate is too high")
folder = pathlib.Path(told["runs"]) / f"run-{lr}-{told.get('fold', 0)}"
folder.mkdir(parents=True, exist_ok=True)
best = {"pr_auc": {"value": 1 - (lr - 0.3) ** 2, "epoch": 1}}
(folder / "metrics.json").write_text(json.dumps({"monitor": "pr_auc", "best_validation": best}))
(folder / "told.json").write_text(json.dumps(told))
print("chatter", file=sys.stderr)
print(folder)
"""


@pytest.fixture
def search_file(tmp_path):
    """Write a sweep file over a program that takes milliseconds; returns its path."""
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)

    def write(parameters=None, *, metric="val/pr_auc", **changes):
        told = {
            "name": "try",
            "program": str(program),
            "method": "bayes",
            "metric": {"name": metric, "goal": "maximize"} if isinstance(metric, str) else metric,
            "command": [
                "${env}",
                "${interpreter}",
                "${program}",
                f"runs={tmp_path / 'runs'}",
                "${args_no_hyphens}",
            ],
            "parameters": parameters or {"optim.base_lr": {"min": 0.0, "max": 1.0}},
        } | changes
        path = tmp_path / "try.yaml"
        path.write_text(
            yaml.safe_dump({key: value for key, value in told.items() if value is not None}, sort_keys=True)
        )
        return path

    return write
