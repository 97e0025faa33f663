"""Pooled features of any timm network, our encoders among them: what probes and monitors look at."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple, cast

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn


class Features(NamedTuple):
    """Of the images of a loader, in its order, on the CPU."""

    values: Float[Tensor, "images dim"]
    labels: Int[Tensor, " images"]
    rows: Int[Tensor, " images"]  # in the fold's table


def pooled(network: nn.Module, image: Float[Tensor, "batch 3 height width"]) -> Float[Tensor, "batch dim"]:
    """One vector for each image: what the network's own head would read.

    Each encoder says itself how it pools. As made for pre-training (``num_classes=0``) its own norm comes
    first, then MAE averages the patch tokens (``global_pool="token"``: takes the class token, as in its
    published linear probe), MoCo v3 takes the class token or a ResNet's average, ConvMAE and MixMIM average
    all tokens. A fine-tuned classifier gives what its last layer reads. An encoder's file loaded into a
    classifier would not do: MAE's and ConvMAE's have a fresh norm in that place.
    """
    timm = cast(Any, network)
    return timm.forward_head(timm.forward_features(image), pre_logits=True)


def features(
    network: nn.Module,
    batches: Iterable[Mapping[str, Tensor]],
    *,
    device: torch.device,
    autocast: torch.dtype | None,
) -> Features:
    """Features of all images of a loader, without gradients or augmentation by the network.

    Args:
        network: On `device` already. Dropout, drop path and batch statistics are off while this runs; each of
            its modules is left in the mode, training or evaluation, in which it was found.
        batches: ``image``, ``label`` and ``index``, as `mk11.data.dataset` makes them.
        device: Where to compute.
        autocast: A half precision to compute in, such as ``torch.bfloat16``; None: as the weights are.
    """
    values, labels, rows = [], [], []
    with evaluating(network), torch.no_grad():
        for batch in batches:
            with torch.autocast(device.type, dtype=autocast, enabled=autocast is not None):
                vectors = pooled(network, batch["image"].to(device, non_blocking=True))  # (batch, dim)
            values.append(vectors.float().cpu())
            labels.append(batch["label"].cpu())
            rows.append(batch["index"].cpu())
    return Features(*(torch.cat(parts) for parts in (values, labels, rows)))


@contextmanager
def evaluating(network: nn.Module) -> Iterator[None]:
    """Evaluation mode within; afterwards each module has its own mode again (a frozen part stays frozen)."""
    modes = {module: module.training for module in network.modules()}
    network.eval()
    try:
        yield
    finally:
        for module, training in modes.items():
            module.training = training
