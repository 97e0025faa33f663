"""A training step of each self-supervised method (forward, backward, AdamW) against a plain way to write it.

    python benchmarks/ssl_step.py [--sizes base tiny] [--methods mae convmae mixmim mocov3] [--batch 8]
    python benchmarks/ssl_step.py --device cuda --batch 64 [--compile]

What is plain: ssl_plain.py. Weights, noise and images are the same on both sides, and so must the losses be.
The sides take turns, 20 times for a tiny network and 5 for base; the ratio is of median times; beside each
median is half of the distance between the quartiles. FLOPs are those of forward and backward pass. bf16 on a
GPU.
"""

import argparse
import copy
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import torch
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate
from ssl_plain import PLAIN, Loss, ours
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from mk11.models.classifier import create_encoder
from mk11.ssl.task import compile_method

CONF = Path(__file__).resolve().parents[1] / "conf"
METHODS = ("mae", "convmae", "mixmim", "mocov3")
RECIPES = {"base": "pretrain/published", "tiny": "pretrain/small"}
ROUNDS = {"base": 5, "tiny": 20}


def main() -> None:
    """Print a row for each method and size."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sizes", nargs="+", choices=RECIPES, default=[*RECIPES])
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=[*METHODS])
    parser.add_argument("--batch", type=int, default=8, help="images a step")
    parser.add_argument("--rounds", type=int, help="of each side; 20 for tiny networks and 5 for base")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--compile", action="store_true", help="a third side: ours, compiled")
    args = parser.parse_args()
    print(f"{args.batch} images a step, {args.device}, {torch.get_num_threads()} threads")
    for size in args.sizes:
        for name in args.methods:
            measure(name, size, args)


def measure(name: str, size: str, args: argparse.Namespace) -> None:
    """Time all sides in turns and print the row."""
    method, image_size = make(name, size)
    method.to(args.device).train()
    image, noise = inputs(method, image_size, args.batch)
    sides = sides_of(name, method, compiled=args.compile)
    check_equal(sides, image, noise)
    steps = {side: stepper(*side_of, image, noise) for side, side_of in sides.items()}
    times = timed(steps, rounds=args.rounds or ROUNDS[size], device=args.device)
    plain = times["plain"].median
    parameters = sum(one.numel() for one in method.encoder.parameters()) / 1e6
    print(
        f"{name:8s} {size:5s} {image_size:4d} px  encoder {parameters:6.1f} M  step"
        f" {flops(method, image, noise) / 1e9:7.1f} GFLOP"
        + "".join(f"   {side} {1e3 * t.median:8.1f} ± {1e3 * t.spread:.1f} ms" for side, t in times.items())
        + "".join(f"   {plain / t.median:.2f}x" for side, t in times.items() if side != "plain"),
        flush=True,
    )


def inputs(method: Any, image_size: int, batch: int) -> tuple[Tensor, Tensor]:  # noqa: ANN401
    """Images, or two views of each, and noise, on the method's device."""
    device = next(method.parameters()).device
    views = (2,) if method.views == 2 else ()
    return torch.randn(batch, *views, 3, image_size, image_size, device=device), method.draw(batch, device)


def sides_of(name: str, method: Any, *, compiled: bool) -> dict[str, tuple[Any, Loss]]:  # noqa: ANN401
    """The method's copies and how each takes a step; if asked for, one compiled as `pretrain.py` does it."""
    sides = {"plain": (copy.deepcopy(method), PLAIN[name]), "mk11": (copy.deepcopy(method), ours)}
    if compiled:
        sides["compiled"] = (copy.deepcopy(method), ours)
        compile_method(sides["compiled"][0])
    return sides


def make(name: str, size: str) -> tuple[Any, int]:
    """A method as `pretrain.py` makes it, and its image size."""
    with initialize_config_dir(str(CONF), version_base="1.3"):
        cfg = compose("pretrain", overrides=[f"ssl={name}", f"recipe={RECIPES[size]}"])
    torch.manual_seed(0)
    keys = ("architecture", "image_size", "options")
    encoder = create_encoder(**{key: cfg.model[key] for key in keys})
    return instantiate(cfg.ssl, encoder=encoder), cfg.image_size


def check_equal(sides: dict[str, tuple[Any, Loss]], image: Tensor, noise: Tensor) -> None:
    """All sides must have one loss, from the same weights, in float32."""
    losses = [float(loss(copy.deepcopy(method), image, noise).detach()) for method, loss in sides.values()]
    for value in losses[1:]:
        torch.testing.assert_close(value, losses[0], rtol=1e-4, atol=1e-4)


def stepper(method: Any, loss: Loss, image: Tensor, noise: Tensor) -> Callable[[], None]:  # noqa: ANN401
    """One training step, to be repeated."""
    trained = [one for one in method.parameters() if one.requires_grad]
    optimiser = torch.optim.AdamW(trained, lr=1e-4, fused=image.is_cuda)

    def step() -> None:
        with torch.autocast(image.device.type, torch.bfloat16, enabled=image.is_cuda):
            value = loss(method, image, noise)
        value.backward()
        optimiser.step()
        optimiser.zero_grad()

    return step


class Times(NamedTuple):
    """Seconds of a step."""

    median: float
    spread: float  # half of the distance between the quartiles


def timed(steps: dict[str, Callable[[], None]], *, rounds: int, device: str) -> dict[str, Times]:
    """How long each side's step takes; the first round of each is not counted."""
    found: dict[str, list[float]] = {side: [] for side in steps}
    for _ in range(rounds + 1):
        for side, step in steps.items():
            start = time.perf_counter()
            step()
            if device != "cpu":
                torch.cuda.synchronize()
            found[side].append(time.perf_counter() - start)
    return {side: _summary(times[1:]) for side, times in found.items()}


def _summary(seconds: list[float]) -> Times:
    low, middle, high = (
        statistics.quantiles(seconds, n=4, method="inclusive") if len(seconds) > 1 else seconds * 3
    )
    return Times(middle, (high - low) / 2)


def flops(method: nn.Module, image: Tensor, noise: Tensor) -> int:
    """Of a forward and a backward pass."""
    with FlopCounterMode(display=False) as counter:
        ours(method, image, noise).backward()
    return counter.get_total_flops()


if __name__ == "__main__":
    main()
