"""Small masked methods: MAE, ConvMAE and MixMIM as their tests take them."""

from typing import Any, NamedTuple

import timm
import torch

import mk11.models.encoders  # noqa: F401  registers the networks
from mk11.models.encoders.windows import on_finer_grid
from mk11.ssl.convmae import ConvMAE
from mk11.ssl.mae import MAE
from mk11.ssl.mixmim import MixMIM


class Kind(NamedTuple):
    """A method and a small network for it."""

    method: type
    architecture: str
    network: dict[str, Any]
    mask_ratio: float
    side: int  # of its images, px
    patch: int  # px
    batch: int
    table: str  # of positions, in the encoder
    block: str  # of attention, in the encoder


KINDS = {
    "mae": Kind(
        MAE,
        "mae_vit_tiny",
        {"embed_dim": 24, "depth": 2, "num_heads": 3, "patch_size": 8},
        0.75, 32, 8, 2, "pos_embed", "blocks.0",
    ),
    "convmae": Kind(
        ConvMAE,
        "convmae_tiny",
        {"embed_dim": (8, 12, 24), "depth": (1, 2, 2), "num_heads": 2},
        0.75, 64, 16, 2, "pos_embed", "blocks3.0",
    ),
    "mixmim": Kind(
        MixMIM,
        "mixmim_tiny",
        {"embed_dim": 8, "depths": (1, 1, 2, 1), "num_heads": (1, 1, 2, 2)},
        0.5, 96, 32, 4, "absolute_pos_embed", "layers.2.blocks.0",
    ),
}  # fmt: skip
AUTOENCODERS = ("mae", "convmae")  # whose encoder sees the visible patches alone
TASK = {
    "normalise_target": True,
    "decoder_dim": 16,
    "decoder_depth": 1,
    "decoder_heads": 2,
    "reference_compatible": False,
}


def network(kind, name=None, **changed):
    """An encoder without head; another of timm's by name."""
    torch.manual_seed(0)
    own = {"num_classes": 0, "img_size": KINDS[kind].side, **KINDS[kind].network}
    return timm.create_model(name or KINDS[kind].architecture, **(own | changed))


def method(kind, encoder=None, **changed):
    """A method, on its small network unless another is given."""
    settings = {"mask_ratio": KINDS[kind].mask_ratio, **TASK, **changed}
    return KINDS[kind].method(encoder=encoder or network(kind), **settings)


def images(kind, height=None, width=None, *, batch=None, seed=0):
    """Images of a method's size, or of another."""
    height = height or KINDS[kind].side
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(batch or KINDS[kind].batch, 3, height, width or height, generator=generator)


def noise_for(made, image, seed=1):
    """A step's noise for a batch of images."""
    torch.manual_seed(seed)
    return made.draw(len(image), torch.device("cpu"))


def loss_of(made, image, seed=1):
    """A method's loss on images."""
    return made(image, noise=noise_for(made, image, seed), progress=0.0).loss


def hide_from_convolutions(encoder, keep, grid, factors):
    """Let ConvMAE's depth-wise convolutions see zeros where a patch of whole images is removed.

    As published, and the slow way: every place is computed. ``keep`` is (batch, patches), True is visible;
    ``factors`` are the places along a patch's side in stages 1 and 2. Returns the masks, (batch, 1, h, w).
    """
    masks = []
    for blocks, factor in zip((encoder.blocks1, encoder.blocks2), factors, strict=True):
        finer = (grid[0] * factor, grid[1] * factor)
        mask = on_finer_grid(keep.unflatten(1, grid), finer)[:, None].float()
        for block in blocks:
            block.attn.register_forward_pre_hook(lambda _, taken, mask=mask: (taken[0] * mask,))
        masks.append(mask)
    return tuple(masks)
