"""What a selection says on the terminal: what begins, what came out, and what to type next."""

import shlex
from collections.abc import Mapping
from typing import Any

from mk11.cli.matrix.supervise import is_supervised
from mk11.cli.selection.job import SelectJob
from mk11.cli.selection.results import told_steps
from mk11.cli.stages.words import next_words, quoted
from mk11.files import read_json
from mk11.runs.environment import device_name
from mk11.selection.purity_table import print_purity
from mk11.terminal import console_of, plain


def print_start(job: SelectJob) -> None:
    """Say in four lines what begins, on what, and where it goes."""
    cfg, fields = job.cfg, job.fields
    print(f"{cfg.name}/{job.row} fold {cfg.fold} seed {cfg.seed}, filter {job.choices['filter']}")
    print(told_fields(job))
    print(f"encoder {job.encoder.name}, {job.precision} on {device_name(cfg.trainer.accelerator)}")
    for name, reason in fields.skipped.items():
        print(f"unreadable, left out: {name}: {reason}")
    print(job.folder.path, flush=True)


def told_fields(job: SelectJob) -> str:
    """How many fields there are, and how many were left out and why."""
    fields = job.fields
    left_out = {"copies": fields.copies, "unreadable": len(fields.skipped)}
    told = "".join(f", {count} {name} left out" for name, count in left_out.items() if count)
    return f"fields: {len(fields.table)} in {job.field_data.root}{told}"


def print_plan(job: SelectJob) -> None:
    """Say what would be done; selects nothing and leaves the run unstarted."""
    print(told_fields(job))
    print(f"filter {job.choices['filter']}:")
    for name, value in job.filter.about().items():
        print(f"  {name}: {value}")
    held_out = job.data.held_out(job.cfg.fold)
    print(f"held out: {len(held_out.hashes)} images of {len(held_out.groups)} known patients")
    print(f"regions: {job.regions_folder}\nrun folder: {job.folder.path}")


def print_summary(job: SelectJob) -> None:
    """Print counts from fields to selected, the prototypes, and the command that pre-trains on them."""
    summary = read_json(job.folder.path / "summary.json")
    print(f"{told_steps(summary)} ({summary['empty_fields']} fields without a kept region)")
    if score := summary["score"]:
        print(_told_score(score))
    if is_supervised():
        print(job.manifest)
        return
    console = console_of()
    print_purity(console, summary["purity"])
    if summary["transductive"]:
        console.print(
            plain(f"careful: transductive: {summary['transductive']}"), markup=False, soft_wrap=True
        )
    for line in (
        job.folder.path,
        f"gallery: {job.folder.path / 'gallery.html'}",
        f"next: {next_command(job)}",
    ):
        console.print(str(line), markup=False, highlight=False, soft_wrap=True)


def _told_score(score: Mapping[str, Any]) -> str:
    """The filter against what is marked in the fields."""
    figures = {name: score[name] for name in ("recall", "precision", "overlap")}
    told = ", ".join(f"{name} {value:.3f}" for name, value in figures.items() if value is not None)
    missed = [f"{kind} {of['recall']:.2f}" for kind, of in score["kinds"].items() if of["recall"] < 1]
    found = f"; recall below 1: {', '.join(missed)}" if missed else ""
    return f"filter against {score['cells']} marked cells in {score['fields']} fields: {told}{found}"


def next_command(job: SelectJob) -> str:
    """The command line that pre-trains on the selection, for the same data and fold."""
    manifest = f"pool.manifests={quoted([str(job.manifest)])}"
    words = next_words("pretrain", job, first=["ssl=mae", "pool=selection", manifest], parts={})
    return shlex.join(["python", "pretrain.py", *words])
