"""The learning rate: scaled with the batch, warmed up by step, then a cosine down to a floor."""

import math

LINEAR_SCALING_BATCH = 256  # images; the batch that published base learning rates are quoted for


def scaled_lr(*, base_lr: float, batch_size: int) -> float:
    """Learning rate of a global batch: ``base_lr * batch_size / 256`` (Goyal et al. 2017, linear scaling).

    ``batch_size`` counts images per optimiser step, over all devices and accumulated batches.
    """
    return base_lr * batch_size / LINEAR_SCALING_BATCH


def warmup_cosine(step: int, *, warmup_steps: int, total_steps: int, min_ratio: float) -> float:
    """Factor on the learning rate at ``step``, for a `LambdaLR`: linear warm-up, then half a cosine (MAE).

    Step 0 gives 0, as published, unless there is no warm-up. ``min_ratio`` is the floor as a share of the
    peak; being a factor, it scales a layer's floor with the layer's own rate, as published.
    """
    if step < warmup_steps:
        return step / warmup_steps
    progress = min(1.0, (step - warmup_steps) / max(1, total_steps - warmup_steps))
    return min_ratio + (1 - min_ratio) * 0.5 * (1 + math.cos(math.pi * progress))
