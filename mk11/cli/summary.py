"""What a run says on the terminal: marks at the start, one table at the end."""

import sys
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from mk11.cli.job import Job
from mk11.cli.lineage import weights_report
from mk11.evaluation.statistics.summary import over_folds
from mk11.files import read_json
from mk11.metrics.final import OVERALL
from mk11.runs.environment import device_name
from mk11.runs.folder import RunFolder
from mk11.runs.ledger import Run


def print_marks(marks: Mapping[str, Any]) -> None:
    """Say what is not clean about the data; the same goes into `run.json` and every later table."""
    for kind, content in marks.items():
        for line in content if isinstance(content, list) else [content]:
            print(f"data mark, {kind}: {line}", file=sys.stderr)


def print_start(job: Job) -> None:
    """Say in three lines what begins, on what, and where it goes."""
    images = job.fold.table["split"].value_counts()
    counts = ", ".join(f"{images.get(split, 0)} {split}" for split in ("train", "val", "test"))
    name = f"{job.cfg.name}/{job.choices['model']} fold {job.cfg.fold} seed {job.cfg.seed}"
    print(f"{name}: {counts} images")
    device = device_name(job.cfg.trainer.accelerator)
    print(f"{len(job.fold.classes)} classes, {job.cfg.epochs} epochs, {job.precision} on {device}")
    if report := weights_report(job.network):
        print(f"weights from {report.sentence()}")
    print(job.folder.path, flush=True)


def print_summary(folder: RunFolder, *, brief: bool) -> None:
    """Print the final metrics in percent: validation and test of the best epoch, test of the last.

    Args:
        folder: A finished run.
        brief: One line, for a cell of a matrix.
    """
    metrics, record = read_json(folder.metrics), folder.read()
    if brief:
        told = ", ".join(
            f"{name} {_percent(metrics['test'][name])}" for name in ("accuracy", "f1_macro", "pr_auc")
        )
        print(f"best epoch {metrics['best_epoch']} of {metrics['epochs']}; test {told} %\n{folder.path}")
        return
    title = f"{record['experiment']}/{record['model']} fold {record['fold']} seed {record['seed']}"
    best = f"best epoch {metrics['best_epoch']} of {metrics['epochs']} by val {metrics['monitor']}"
    table = Table(title=escape(title), caption=f"{best}; in %")
    for column in ("metric", "val", "test", "test, last epoch"):
        table.add_column(column, justify="left" if column == "metric" else "right")
    for name in OVERALL:
        values = (metrics["val"][name], metrics["test"][name], metrics["last"]["test"][name])
        table.add_row(name, *map(_percent, values))
    console = Console()
    console.print(table)
    if record["data"]["marks"]:
        console.print(f"marked: {', '.join(record['data']['marks'])} (see run.json)", markup=False)
    console.print(str(folder.path), markup=False, highlight=False, soft_wrap=True)


def print_over_folds(runs: Sequence[Run]) -> None:
    """Print the folds of one configuration as one: mean and sample standard deviation, in percent."""
    table = Table(title=escape(f"{runs[0].name}/{runs[0].model}, {len(runs)} folds, seed {runs[0].seed}"))
    table.caption = "mean ± sample standard deviation over folds, best epochs; in %"
    for column in ("metric", "val", "test"):
        table.add_column(column, justify="left" if column == "metric" else "right")
    for name in OVERALL:
        table.add_row(name, *(_over_folds(runs, split, name) for split in ("val", "test")))
    Console().print(table)


def _over_folds(runs: Sequence[Run], split: str, name: str) -> str:
    values = {(run.fold, run.seed): run.metrics[split][name] for run in runs if run.metrics is not None}
    found = over_folds(values)
    spread = "" if found.sd is None else f" ± {_percent(found.sd)}"
    return f"{_percent(found.mean)}{spread}"


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.2f}"
