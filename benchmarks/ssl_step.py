"""A training step of each self-supervised method (forward, backward, AdamW) against a plain way to write it.

    python benchmarks/ssl_step.py [--sizes base tiny] [--methods mae convmae mixmim mocov3] [--batch 8] [--rounds 5]
    python benchmarks/ssl_step.py --device cuda --batch 64 [--compile]

Plain means: MAE embeds every patch before it drops most; ConvMAE's convolutional stages run on whole images
under masks; MixMIM cuts windows and makes its attention mask anew in every block; MoCo v3 takes one view after
the other. Weights, noise and images are the same on both sides, and so must the losses be. The sides take
turns; the ratio is of median times. FLOPs are those of forward and backward pass. bf16 on a GPU.
"""  # noqa: E501  the commands

import argparse
import copy
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from mk11.models.classifier import create_encoder
from mk11.models.encoders.windows import enlarged, from_windows, into_windows, parted
from mk11.ssl.losses import masked_pixel_loss
from mk11.ssl.patches import patchify

CONF = Path(__file__).resolve().parents[1] / "conf"
METHODS = ("mae", "convmae", "mixmim", "mocov3")
RECIPES = {"base": "pretrain/published", "tiny": "pretrain/small"}
Loss = Callable[[Any, Tensor, Tensor], Tensor]


def main() -> None:
    """Print a row for each method and size."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sizes", nargs="+", choices=RECIPES, default=[*RECIPES])
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=[*METHODS])
    parser.add_argument("--batch", type=int, default=8, help="images a step")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--compile", action="store_true", help="a third side: ours, compiled")
    args = parser.parse_args()
    print(f"{args.batch} images a step, {args.device}, {torch.get_num_threads()} threads")
    for size in args.sizes:
        for name in args.methods:
            measure(name, size, args)


def measure(name: str, size: str, args: argparse.Namespace) -> None:
    """Time both sides in turns and print the row."""
    method, image_size = make(name, size)
    method.to(args.device).train()
    views = (2,) if method.views == 2 else ()
    image = torch.randn(args.batch, *views, 3, image_size, image_size, device=args.device)
    noise = method.draw(args.batch, image.device)
    sides: dict[str, tuple[Any, Loss]] = {
        "plain": (copy.deepcopy(method), PLAIN[name]),
        "mk11": (copy.deepcopy(method), ours),
    }
    check_equal(sides, image, noise)
    if args.compile:
        compiled = copy.deepcopy(method)
        compiled.compile()
        sides["compiled"] = (compiled, ours)
    steps = {side: stepper(*side_of, image, noise) for side, side_of in sides.items()}
    times = timed(steps, rounds=args.rounds, device=args.device)
    parameters = sum(one.numel() for one in method.encoder.parameters()) / 1e6
    print(
        f"{name:8s} {size:5s} {image_size:4d} px  encoder {parameters:6.1f} M  step"
        f" {flops(method, image, noise) / 1e9:7.1f} GFLOP"
        + "".join(f"   {side} {1000 * seconds:8.1f} ms" for side, seconds in times.items())
        + "".join(f"   {times['plain'] / times[side]:.2f}x" for side in times if side != "plain"),
        flush=True,
    )


def make(name: str, size: str) -> tuple[Any, int]:
    """A method as `pretrain.py` makes it, and its image size."""
    with initialize_config_dir(str(CONF), version_base="1.3"):
        cfg = compose("pretrain", overrides=[f"ssl={name}", f"recipe={RECIPES[size]}"])
    torch.manual_seed(0)
    keys = ("architecture", "image_size", "options")
    encoder = create_encoder(**{key: cfg.model[key] for key in keys})
    return instantiate(cfg.ssl, encoder=encoder), cfg.image_size


def ours(method: Any, image: Tensor, noise: Tensor) -> Tensor:  # noqa: ANN401
    """The method's own loss."""
    return method(image, noise=noise, progress=0.5).loss


def plain_mae(method: Any, image: Tensor, noise: Tensor) -> Tensor:  # noqa: ANN401
    """Embed all patches, keep the visible ones."""
    network, mask = method.encoder, method.mask(noise)
    tokens = mask.visible(network.patch_embed(image) + network.pos_embed[:, 1:])
    first = (network.cls_token + network.pos_embed[:, :1]).expand(len(image), -1, -1)
    tokens = network.norm(network.blocks(torch.cat([first, tokens], dim=1)))
    return masked_pixel_loss(decoded(method, tokens, mask), target(method, image), mask.removed)


def plain_convmae(method: Any, image: Tensor, noise: Tensor) -> Tensor:  # noqa: ANN401
    """Whole images through the convolutional stages, the visible tokens afterwards."""
    network, mask = method.encoder, method.mask(noise)
    keep = (~mask.removed).to(image.dtype).reshape(-1, *method.grid)
    keeps = [keep.repeat_interleave(n, 1).repeat_interleave(n, 2)[..., None] for n in method.places]
    *stages, tokens = network.stages(image.permute(0, 2, 3, 1), tuple(keeps))
    tokens = network.attend(mask.visible(tokens + network.pos_embed))
    for conv, stage in zip((method.stage1_output_decode, method.stage2_output_decode), stages, strict=True):
        tokens = tokens + mask.visible(conv(stage.permute(0, 3, 1, 2)).flatten(2).transpose(1, 2))
    return masked_pixel_loss(decoded(method, network.norm(tokens), mask), target(method, image), mask.removed)


def plain_mixmim(method: Any, image: Tensor, noise: Tensor) -> Tensor:  # noqa: ANN401
    """Windows and mask made anew in every block, as in a Swin Transformer."""
    network, replaced = method.encoder, method.mask(noise)
    origin = replaced.view(method.grid)
    x = network.patch_embed(image)
    share = enlarged(origin, x.shape[1:3])[:, :, None].to(x.dtype)
    x = x * (1 - share) + x.flip(0) * share + network.absolute_pos_embed.view(1, *x.shape[1:])
    for stage in network.layers:
        for block in stage.blocks:
            apart = parted(enlarged(origin, stage.grid), stage.side)
            x = from_windows(block(into_windows(x, stage.side), apart), stage.side, stage.grid)
        x = stage.downsample(x)
    tokens = method.decoder.embed(network.norm(x).flatten(1, 2))
    mask, hidden = replaced[:, None].to(tokens.dtype), method.decoder.mask_token
    both = torch.cat([tokens * (1 - mask) + hidden * mask, tokens * mask + hidden * (1 - mask)])
    own, other = method.decoder(both).chunk(2)
    predicted = own * mask + other.flip(0) * (1 - mask)
    return (predicted - target(method, image)).square().mean()


def plain_mocov3(method: Any, image: Tensor, noise: Tensor) -> Tensor:  # noqa: ANN401
    """One view after the other."""
    method.one_batch = False
    return ours(method, image, noise)


PLAIN: dict[str, Loss] = {
    "mae": plain_mae,
    "convmae": plain_convmae,
    "mixmim": plain_mixmim,
    "mocov3": plain_mocov3,
}


def decoded(method: Any, visible: Tensor, mask: Any) -> Tensor:  # noqa: ANN401
    """Mask tokens appended, then everything put in the image's order."""
    decoder, prefix = method.decoder, int(method.decoder.class_token)
    tokens = decoder.embed(visible)
    hidden = decoder.mask_token.expand(len(tokens), mask.removed.shape[1] - mask.kept.shape[1], -1)
    shuffled = torch.cat([tokens[:, prefix:], hidden.to(tokens.dtype)], dim=1)
    restore = torch.cat([mask.kept, mask.removed.nonzero()[:, 1].view(len(tokens), -1)], dim=1).argsort(dim=1)
    in_place = shuffled.gather(1, restore[:, :, None].expand(-1, -1, shuffled.shape[-1]))
    return decoder(torch.cat([tokens[:, :prefix], in_place], dim=1))


def target(method: Any, image: Tensor) -> Tensor:  # noqa: ANN401
    """Normalised pixels, from mean and variance."""
    pixels = patchify(image, method.patch)
    mean, variance = pixels.mean(dim=-1, keepdim=True), pixels.var(dim=-1, keepdim=True)
    return (pixels - mean) / (variance + 1e-6).sqrt()


def check_equal(sides: dict[str, tuple[Any, Loss]], image: Tensor, noise: Tensor) -> None:
    """Both sides must have one loss, from the same weights, in float32."""
    losses = [float(loss(copy.deepcopy(method), image, noise).detach()) for method, loss in sides.values()]
    torch.testing.assert_close(losses[0], losses[1], rtol=1e-4, atol=1e-4)


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


def timed(steps: dict[str, Callable[[], None]], *, rounds: int, device: str) -> dict[str, float]:
    """Median seconds of each side's step; the first round of each is not counted."""
    found: dict[str, list[float]] = {side: [] for side in steps}
    for _ in range(rounds + 1):
        for side, step in steps.items():
            start = time.perf_counter()
            step()
            if device != "cpu":
                torch.cuda.synchronize()
            found[side].append(time.perf_counter() - start)
    return {side: statistics.median(times[1:]) for side, times in found.items()}


def flops(method: nn.Module, image: Tensor, noise: Tensor) -> int:
    """Of a forward and a backward pass."""
    with FlopCounterMode(display=False) as counter:
        ours(method, image, noise).backward()
    return counter.get_total_flops()


if __name__ == "__main__":
    main()
