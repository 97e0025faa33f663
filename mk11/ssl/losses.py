"""The losses of the four methods as functions of tensors."""

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor


def masked_pixel_loss(
    predicted: Float[Tensor, "batch patches pixels"],
    target: Float[Tensor, "batch patches pixels"],
    removed: Bool[Tensor, "batch patches"],
) -> Float[Tensor, ""]:
    """Mean squared error over the removed patches of the batch (MAE, sec. 3)."""
    error = (predicted - target).square().mean(dim=-1)  # (batch, patches)
    return (error * removed).sum() / removed.sum()


def contrastive_loss(
    queries: Float[Tensor, "batch dim"],
    keys: Float[Tensor, "all_keys dim"],
    *,
    temperature: float,
    key_offset: int,
) -> Float[Tensor, ""]:
    """InfoNCE of one direction (MoCo v3): query i belongs to key ``key_offset + i``.

    Scaled by 2 * temperature, as published, so that gradients do not depend on the temperature's size. Keys
    carry no gradient. ``key_offset`` is the number of keys of the processes before this one.
    """
    similarities = F.normalize(queries, dim=1) @ F.normalize(keys, dim=1).T / temperature
    own = torch.arange(key_offset, key_offset + len(queries), device=queries.device)
    return F.cross_entropy(similarities, own) * 2 * temperature
