"""The momentum encoder: a slow copy of the encoder, and how slow it is (He et al. 2020; MoCo v3)."""

import copy
import math

from torch import nn
from torch.optim.swa_utils import get_ema_multi_avg_fn


def momentum_copy(network: nn.Module) -> nn.Module:
    """An exact copy that no optimiser moves."""
    return copy.deepcopy(network).requires_grad_(False)


def follow(slow: nn.Module, fast: nn.Module, *, momentum: float) -> None:
    """Let slow <- momentum * slow + (1 - momentum) * fast, parameter by parameter (MoCo v3's update).

    Args:
        slow: The momentum network; changed in place.
        fast: The trained network, of the same layout.
        momentum: Share of itself that the slow one keeps, in [0, 1].

    Frozen parameters are averaged too. Buffers are left out: batch norm's running statistics are each
    network's own.
    """
    average = get_ema_multi_avg_fn(momentum)
    average(list(slow.parameters()), list(fast.parameters()), 1)  # the count of updates does not matter


def cosine_momentum(progress: float, *, start: float) -> float:
    """Momentum that rises from ``start`` to 1 over half a cosine (MoCo v3, option ``--moco-m-cos``).

    Args:
        progress: Share of all epochs that is over, in [0, 1].
        start: Momentum at progress 0.
    """
    return 1 - (1 - start) * 0.5 * (1 + math.cos(math.pi * progress))
