"""`python train.py dry=true`: what a run would do, before any of it is done."""

from pathlib import Path
from typing import Any, cast

import pandas as pd
from omegaconf import OmegaConf
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from mk11.cli.crops import draw_crops
from mk11.cli.job import Job
from mk11.data.batches import device_batch_size
from mk11.optim.groups import layer_names, parameter_groups
from mk11.runs.identity import flatten
from mk11.training.cost import Cost, measure_cost

PUBLISHED_CHOICES = {"augment": "paper", "imbalance": "none"}  # config groups
PUBLISHED = Path(__file__).resolve().parents[2] / "conf" / "recipe" / "published.yaml"


def print_plan(job: Job) -> None:
    """Print the plan of a run and draw its crops; trains nothing and leaves the run unstarted."""
    console = Console()
    console.print(split_table(job.fold.table, job.fold.classes))
    console.print(difference_table(differences_from_published(job)))
    console.print(layer_table(job))
    picture = job.folder.path / "plan.png"
    seconds = draw_crops(job.loaders, picture)
    console.print(cost_table(job, seconds_per_image=seconds))
    for label, path in (
        ("64 crops as the network sees them, 32 augmented", picture),
        ("run folder", job.folder.path),
    ):
        console.print(f"{label}: {path}", markup=False, highlight=False, soft_wrap=True)


def split_table(cells: pd.DataFrame, classes: tuple[str, ...]) -> Table:
    """Images, and patients where groups are known, per split and class."""
    known = bool((cells["group"] != "").any())
    table = Table(title="images (patients or groups)" if known else "images (patients unknown)")
    table.add_column("class")
    splits = ("train", "val", "test")
    for split in splits:
        table.add_column(split, justify="right")
    rows = [(name, cells[cells["subtype"] == name]) for name in classes]
    for name, part in [*rows, ("all", cells)]:
        chosen = [part[part["split"] == split] for split in splits]
        table.add_row(
            escape(name), *(_count(some, known=known) for some in chosen), end_section=name == classes[-1]
        )
    return table


def _count(cells: pd.DataFrame, *, known: bool) -> str:
    groups = cells.loc[cells["group"] != "", "group"].nunique()
    return f"{len(cells)} ({groups})" if known else str(len(cells))


def differences_from_published(job: Job) -> list[tuple[str, object, object]]:
    """(key, published value, this run's value) wherever they differ."""
    expected = {**_values(PUBLISHED), "data.resize": "short_side", **PUBLISHED_CHOICES}
    ours = {**dict(flatten(job.config)), **{group: job.choices[group] for group in PUBLISHED_CHOICES}}
    if ours["model.drop_path"] is not None:  # null: a family without residual branches to drop
        expected["model.drop_path"] = 0.1
    if ours["augment"] == "paper":
        paper = _values(PUBLISHED.parents[1] / "augment" / "paper.yaml")
        expected |= {f"augment.{key}": value for key, value in paper.items()}
    return [(key, value, ours[key]) for key, value in expected.items() if ours[key] != value]


def _values(path: Path) -> dict[str, Any]:
    """Dotted keys of a config file and their own values: no defaults, targets or references."""
    entries = cast(dict[str, Any], OmegaConf.to_container(OmegaConf.load(path), resolve=False))
    own = {key: value for key, value in flatten(entries) if key != "defaults" and not key.startswith("_")}
    return {key: value for key, value in own.items() if not str(value).startswith("${")}


def difference_table(differences: list[tuple[str, object, object]]) -> Table | str:
    """The differences as a table, or a sentence where there is none."""
    if not differences:
        return "No difference from the published recipe."
    table = Table("key", "published", "this run", title="differences from the published recipe")
    for row in differences:
        table.add_row(*(escape(str(value)) for value in row))
    return table


def layer_table(job: Job) -> Table:
    """Learning rate of each layer group at its peak, and what of it is decayed."""
    settings = job.settings
    groups = parameter_groups(
        job.network,
        lr=settings.lr,
        weight_decay=settings.weight_decay,
        layer_decay=settings.layer_decay,
        reference=settings.reference_compatible,
    )
    table = Table(title=f"peak learning rates (lr = {settings.base_lr:g} x {settings.batch_size} / 256)")
    for column in ("layer", "learning rate", "parameters", "decayed"):
        table.add_column(column, justify="left" if column == "layer" else "right")
    for layer, name in enumerate(layer_names(job.network)):
        own = [group for group in groups if group["layer"] == layer]
        sizes = [(sum(p.numel() for p in group["params"]), group["weight_decay"] > 0) for group in own]
        decayed = sum(size for size, decays in sizes if decays)
        if own:
            total = sum(size for size, _ in sizes)
            table.add_row(name, f"{own[0]['lr']:.3g}", f"{total:,}", f"{decayed:,}")
    return table


def cost_table(job: Job, *, seconds_per_image: float) -> Table:
    """Parameters, memory, steps and estimated hours on this machine.

    Args:
        job: The run.
        seconds_per_image: One loader process's time to prepare a training image.
    """
    devices = int(job.cfg.trainer.devices) * int(job.cfg.trainer.num_nodes)
    images = int(job.train_counts.sum())
    batch = device_batch_size(job.cfg.batch_size, world_size=devices, accumulate=job.cfg.accumulate)
    cost = measure_cost(
        job.network,
        image_size=job.cfg.image_size,
        accelerator=job.cfg.trainer.accelerator,
        channels_last=job.cfg.trainer.channels_last,
    )
    steps = job.loaders.steps_per_epoch()
    rows = {
        "parameters": f"{cost.parameters:,}",
        "memory, weights and optimiser": _gib(cost.state_bytes),
        f"memory, activations of {batch} images (fp32)": _gib(cost.activation_bytes * batch),
        "steps an epoch, epochs": f"{steps:,} x {job.cfg.epochs}",
        f"network, ms an image ({cost.device})": f"{1000 * cost.seconds_per_image:.2f}",
        "input, ms an image and worker": f"{1000 * seconds_per_image:.2f}",
        "estimated hours": f"{_hours(job, cost, seconds_per_image, images, devices):.2f}",
    }
    table = Table(title="cost", show_header=False)
    table.add_column()
    table.add_column(justify="right")
    for row in rows.items():
        table.add_row(*row)
    return table


def _hours(job: Job, cost: Cost, seconds_per_image: float, images: int, devices: int) -> float:
    """Training plus validation, a third of a training step's work an image."""
    validated = int((job.fold.table["split"] == "val").sum())
    network = cost.seconds_per_image * (images + validated / 3) / devices
    # Without a GPU the workers and the network share the cores: then their times add up.
    source = seconds_per_image * (images + validated) / (max(1, job.cfg.workers) * devices)
    epoch = network + source if cost.device == "cpu" else max(network, source)
    return epoch * job.cfg.epochs / 3600


def _gib(size: float) -> str:
    return f"{size / 2**30:.2f} GiB"
