"""What a pre-training says on the terminal: what begins, what came out, and what to type next."""

import shlex

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from mk11.cli.lineage import weights_report
from mk11.cli.pretrain.job import PretrainJob
from mk11.cli.stages.pretraining import OF_THE_NETWORK
from mk11.cli.stages.words import next_words, quoted
from mk11.data.pool import counts_told
from mk11.files import read_json
from mk11.runs.environment import device_name
from mk11.ssl.settings import MEASURES

TITLES = {
    "probe_f1_macro": "linear probe, macro-F1",
    "probe_balanced_accuracy": "linear probe, balanced accuracy",
    "knn_f1_macro": "k-NN, macro-F1",
    "knn_balanced_accuracy": "k-NN, balanced accuracy",
}


def print_start(job: PretrainJob) -> None:
    """Say in four lines what begins, on what, and where it goes."""
    cfg = job.cfg
    print(f"{cfg.name}/{job.row} fold {cfg.fold} seed {cfg.seed}, encoder {job.choices['model']}")
    print(f"pool: {counts_told(job.pool.counts)}")
    print(f"{cfg.epochs} epochs, {job.precision} on {device_name(cfg.trainer.accelerator)}")
    if report := weights_report(job.method.encoder):
        print(f"weights from {report.sentence()}")
    if told := _too_patient(job):
        print(told)
    print(job.folder.path, flush=True)


def _too_patient(job: PretrainJob) -> str | None:
    """Says so where there are too few checks for a collapse to stop the run."""
    if job.watch is None:
        return None
    health = job.watch.check.settings
    judged = health.judged(job.settings)
    if health.patience <= judged:
        return None
    if not judged:
        return (
            "careful: no check comes after the warm-up, so that none is judged and a collapse goes unnoticed"
        )
    return (
        f"careful: health.patience={health.patience}, but only {judged} checks are judged, those after the"
        " warm-up: a collapse is told and marked, and does not stop the run"
    )


def print_summary(job: PretrainJob, *, brief: bool) -> None:
    """Print the final loss and health, and the command that fine-tunes the encoder.

    Args:
        job: A finished one.
        brief: One line, for a cell of a matrix.
    """
    metrics, folder = read_json(job.folder.metrics), job.folder
    final = metrics["final"]
    if brief:
        shown = [name for name in ("probe_f1_macro", "knn_f1_macro") if name in final]
        told = [f"final loss {final['loss']:.4f}", *(f"{name} {100 * final[name]:.2f} %" for name in shown)]
        print(", ".join(told))
        print(folder.encoder)
        return
    console = Console()
    console.print(summary_table(job, metrics["first_loss"], final))
    for line in (str(folder.path), f"next: {next_command(job)}"):
        console.print(line, markup=False, highlight=False, soft_wrap=True)


def summary_table(job: PretrainJob, first_loss: float, final: dict[str, float]) -> Table:
    """Loss, what the probes make of the features, how spread they are, and what they were learnt from."""
    cfg = job.cfg
    title = f"{cfg.name}/{job.row} fold {cfg.fold} seed {cfg.seed}"
    table = Table(title=escape(title), caption="scores on the fold's validation split", show_header=False)
    table.add_column()
    table.add_column(justify="right")
    chance = f" (chance {final['chance']:.4f})" if "chance" in final else ""
    table.add_row("loss, first and last epoch", f"{first_loss:.4f}, {final['loss']:.4f}{chance}")
    for name in MEASURES:
        if name in final:
            table.add_row(TITLES[name], f"{100 * final[name]:.2f} %")
    if "rankme" in final:
        table.add_row("deviation of features (0 = collapsed)", f"{final['feature_std']:.3f}")
        table.add_row("rank of features (RankMe)", f"{final['rankme']:.1f}")
    table.add_row("images learnt from", str(job.pool.counts["used"]))
    held_out = sum(job.pool.counts[key] for key in ("held_out", "held_out_groups", "near_duplicates"))
    table.add_row("held-out images left out of the pool", str(held_out))
    return table


def next_command(job: PretrainJob) -> str:
    """The command line that fine-tunes the encoder on the same data and fold."""
    words = next_words(
        "train",
        job,
        first=[
            f"model={job.choices['model']}",
            f"model.weights={quoted(str(job.folder.encoder))}",
            f"image_size={job.cfg.image_size}",
        ],
        parts={"model": OF_THE_NETWORK},
    )
    return shlex.join(["python", "train.py", *words])
