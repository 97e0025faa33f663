"""The plain way to write a training step of each self-supervised method, for ssl_step.py to compare with.

MAE embeds every patch before it drops most; ConvMAE's convolutional stages run on whole images under masks;
MixMIM cuts windows and makes its attention mask anew in every block; MoCo v3 takes one view after the other.
"""

import functools
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from mk11.models.encoders.windows import from_windows, into_windows, on_finer_grid, parted
from mk11.ssl.losses import masked_pixel_loss
from mk11.ssl.patches import patchify

Loss = Callable[[Any, Tensor, Tensor], Tensor]


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
    hooks = hide_from_convolutions(method, ~mask.removed, image.dtype)
    *stages, tokens = network.stages(image.permute(0, 2, 3, 1), (None, None))
    for hook in hooks:
        hook.remove()
    tokens = network.attend(mask.visible(tokens + network.pos_embed))
    for conv, stage in zip((method.stage1_output_decode, method.stage2_output_decode), stages, strict=True):
        tokens = tokens + mask.visible(conv(stage.permute(0, 3, 1, 2)).flatten(2).transpose(1, 2))
    return masked_pixel_loss(decoded(method, network.norm(tokens), mask), target(method, image), mask.removed)


def hide_from_convolutions(method: Any, visible: Tensor, dtype: torch.dtype) -> list[RemovableHandle]:  # noqa: ANN401
    """Multiply what ConvMAE's depth-wise convolutions see by the mask: (batch, 1, height, width)."""
    hooks, (rows, columns) = [], method.grid
    for blocks, side in zip((method.encoder.blocks1, method.encoder.blocks2), method.places, strict=True):
        keep = on_finer_grid(visible.unflatten(1, method.grid), (rows * side, columns * side))[:, None].to(
            dtype
        )
        hide = functools.partial(_times, keep)
        hooks += [block.attn.register_forward_pre_hook(hide) for block in blocks]
    return hooks


def _times(mask: Tensor, _: nn.Module, taken: tuple[Tensor]) -> tuple[Tensor]:
    return (taken[0] * mask,)


def plain_mixmim(method: Any, image: Tensor, noise: Tensor) -> Tensor:  # noqa: ANN401
    """Windows and mask made anew in every block, as in a Swin Transformer."""
    network, replaced = method.encoder, method.mask(noise)
    origin = replaced.view(method.grid)
    x = network.patch_embed(image)
    share = on_finer_grid(origin, x.shape[1:3])[:, :, None].to(x.dtype)
    x = x * (1 - share) + x.flip(0) * share + network.absolute_pos_embed.view(1, *x.shape[1:])
    for stage in network.layers:
        for block in stage.blocks:
            apart = parted(on_finer_grid(origin, stage.grid), stage.side)
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


PLAIN: dict[str, Loss] = {
    "mae": plain_mae,
    "convmae": plain_convmae,
    "mixmim": plain_mixmim,
    "mocov3": plain_mocov3,
}
