"""`python pretrain.py dry=true`: what a pre-training would do, before any of it is done."""

import time
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn

from mk11.cli.pretrain.job import PretrainJob
from mk11.data.pool import counts_told
from mk11.files import replacing
from mk11.ssl.health.pictures import image_grid
from mk11.ssl.method import Method
from mk11.ssl.optimiser import optimiser_of
from mk11.training.cost import Cost, measure_cost

CROPS = 32  # images in the plan's picture
COLUMNS = 8


class OneStep(nn.Module):
    """A method as a network from images to its loss, to be timed like any other."""

    def __init__(self, method: Method) -> None:
        super().__init__()
        self.method = method

    def forward(self, image: Tensor) -> Tensor:
        """The loss of some images."""
        views = image if self.method.views == 1 else torch.stack([image] * self.method.views, dim=1)
        return self.method(views, noise=self.method.draw(len(image), image.device), progress=0.0).loss


def print_plan(job: PretrainJob) -> None:
    """Print the plan of a run and draw its crops; trains nothing and leaves the run unstarted."""
    console = Console()
    console.print(f"pool: {counts_told(job.pool.counts)}", markup=False, highlight=False, soft_wrap=True)
    console.print(rates_table(job))
    picture = job.folder.path / "plan.png"
    seconds = draw_crops(job, picture)
    console.print(cost_table(job, seconds_per_image=seconds))
    for label, path in (("crops as the method sees them", picture), ("run folder", job.folder.path)):
        console.print(f"{label}: {path}", markup=False, highlight=False, soft_wrap=True)


def rates_table(job: PretrainJob) -> Table:
    """Learning rates at their peak, and what is decayed."""
    settings = job.settings
    title = f"peak learning rates (lr = {settings.base_lr:g} x {settings.batch_size} / 256, {settings.name})"
    table = Table("learning rate", "weight decay", "parameters", title=title)
    for group in optimiser_of(job.method, settings).param_groups:
        count = sum(parameter.numel() for parameter in group["params"])
        table.add_row(f"{group['lr']:.3g}", f"{group['weight_decay']:g}", f"{count:,}")
    return table


def draw_crops(job: PretrainJob, path: Path) -> float:
    """Write augmented images, the views of one beside each other; returns seconds to prepare an image."""
    images = job.loaders.training_images()
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(job.cfg.seed))
    keys = [(0, position) for position in order[:CROPS].tolist()]
    start = time.perf_counter()
    batch = images.__getitems__(keys)["image"]
    seconds = (time.perf_counter() - start) / len(keys)
    model = job.config["model"]
    with replacing(path) as temporary:
        grid = image_grid(batch.flatten(0, -4), columns=COLUMNS, mean=model["mean"], std=model["std"])
        grid.save(temporary, format="PNG")
    return seconds


def cost_table(job: PretrainJob, *, seconds_per_image: float) -> Table:
    """Parameters, memory, steps and estimated hours on this machine."""
    cost = measure_cost(
        OneStep(job.method),
        image_size=job.cfg.image_size,
        accelerator=job.cfg.trainer.accelerator,
        channels_last=job.cfg.trainer.channels_last,
    )
    encoder = sum(parameter.numel() for parameter in job.method.encoder.parameters())
    batch = job.loaders.device_batch_size()
    rows = {
        "parameters, encoder and all": f"{encoder:,}, {cost.parameters:,}",
        "memory, weights and optimiser": f"{cost.state_bytes / 2**30:.2f} GiB",
        f"memory, activations of {batch} images (fp32)": f"{cost.activation_bytes * batch / 2**30:.2f} GiB",
        "steps an epoch, epochs": f"{job.loaders.steps_per_epoch():,} x {job.cfg.epochs}",
        f"method, ms an image ({cost.device})": f"{1000 * cost.seconds_per_image:.2f}",
        "input, ms an image and worker": f"{1000 * seconds_per_image:.2f}",
        "estimated hours, without health checks": f"{_hours(job, cost, seconds_per_image):.2f}",
    }
    table = Table(title="cost", show_header=False)
    table.add_column()
    table.add_column(justify="right")
    for row in rows.items():
        table.add_row(*row)
    return table


def _hours(job: PretrainJob, cost: Cost, seconds_per_image: float) -> float:
    trainer = job.cfg.trainer
    devices = int(trainer.devices) * int(trainer.num_nodes)
    images = len(job.pool.table)
    method = cost.seconds_per_image * images / devices
    source = seconds_per_image * images / (max(1, job.cfg.workers) * devices)
    # Without a GPU the workers and the network share the cores: then their times add up.
    epoch = method + source if cost.device == "cpu" else max(method, source)
    return epoch * job.cfg.epochs / 3600
