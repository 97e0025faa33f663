"""Projector and predictor of MoCo v3: small MLPs with batch norm (Chen, Xie and He 2021)."""

from itertools import pairwise

from torch import nn


def projector(*, features: int, hidden: int, output: int, layers: int) -> nn.Sequential:
    """From features to what is compared: linear layers, each with batch norm.

    Args:
        features: Channels of the encoder's output.
        hidden: Channels between the layers.
        output: Channels that are compared.
        layers: Linear layers: 3 after a ViT, 2 after a ResNet.
    """
    return _mlp([features, *[hidden] * (layers - 1), output], last_norm=True)


def predictor(*, dim: int, hidden: int, last_norm: bool) -> nn.Sequential:
    """From one view's projection to the other's: two linear layers.

    Args:
        dim: Channels of the projection, and of the prediction.
        hidden: Channels between the layers.
        last_norm: Whether a batch norm comes at the end: for a ViT, not for a ResNet.
    """
    return _mlp([dim, hidden, dim], last_norm=last_norm)


def _mlp(widths: list[int], *, last_norm: bool) -> nn.Sequential:
    """Linear layers without bias, between them batch norm and ReLU; a last norm has no gain and no bias.

    The places in the sequence are those of the official files.
    """
    layers: list[nn.Module] = []
    for before, after in pairwise(widths[:-1]):
        layers += [nn.Linear(before, after, bias=False), nn.BatchNorm1d(after), nn.ReLU(inplace=True)]
    layers.append(nn.Linear(widths[-2], widths[-1], bias=False))
    if last_norm:
        layers.append(nn.BatchNorm1d(widths[-1], affine=False))
    return nn.Sequential(*layers)
