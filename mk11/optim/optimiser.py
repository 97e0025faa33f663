"""AdamW over ready-made parameter groups."""

from collections.abc import Sequence
from typing import Any

from torch.optim import AdamW


def adamw(groups: list[dict[str, Any]], *, betas: Sequence[float]) -> AdamW:
    """AdamW (Loshchilov and Hutter 2019); learning rate and weight decay come with each group.

    Fused when every parameter is on a GPU: one kernel a step instead of one per tensor and operation.
    """
    on_gpu = all(parameter.is_cuda for group in groups for parameter in group["params"])
    first, second = betas
    return AdamW(groups, betas=(first, second), fused=on_gpu)
