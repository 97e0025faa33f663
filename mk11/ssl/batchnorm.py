"""Batch norm over the images of all processes, on GPUs and on CPUs.

With statistics of its own, a process's keys would show which queries they belong to, and the loss of several
processes would not be that of one process with the whole batch (He et al. 2020).
"""

from typing import cast

import torch
import torch.distributed as dist
from jaxtyping import Float
from timm.layers import convert_sync_batchnorm
from torch import Tensor, nn


def synchronised(network: nn.Module, *, on_gpu: bool) -> nn.Module:
    """``network`` with every batch norm over all processes; changes no number where there is one process.

    Parameters and buffers stay what they are, and so do the dropout and activation that timm's batch norms
    have inside. To be called before DistributedDataParallel. On GPUs it is torch's SyncBatchNorm, which
    refuses CPUs; there it is `SummedBatchNorm`.
    """
    if on_gpu:
        return cast(nn.Module, convert_sync_batchnorm(network))
    if isinstance(network, nn.BatchNorm1d | nn.BatchNorm2d):
        return _twin(network)
    for name, child in network.named_children():
        setattr(network, name, synchronised(child, on_gpu=False))
    return network


class SummedBatchNorm(nn.BatchNorm2d):
    """Batch norm by mean and variance over all processes, for inputs (batch, channels) and with places.

    ``drop`` and ``act`` come after it, as in timm's `BatchNormAct2d`.
    """

    drop: nn.Module
    act: nn.Module

    def _check_input_dim(self, input: Tensor) -> None:  # noqa: A002
        """Any number of places will do."""

    def forward(
        self,
        input: Float[Tensor, "batch channels *places"],  # noqa: A002
    ) -> Float[Tensor, "batch channels *places"]:
        """As the batch norm in whose place it is; the statistics differ, while training."""
        return self.act(self.drop(self._normalised(input)))

    def _normalised(
        self, values: Float[Tensor, "batch channels *places"]
    ) -> Float[Tensor, "batch channels *places"]:
        if not (self.training and dist.is_initialized() and dist.get_world_size() > 1):
            return super().forward(values)
        shape = (1, -1, *[1] * (values.ndim - 2))
        mean, variance, count = global_statistics(values.float())
        self._track(mean.detach(), variance.detach(), count)
        normalised = (values.float() - mean.view(shape)) * (variance.view(shape) + self.eps).rsqrt()
        if self.affine:
            normalised = normalised * self.weight.view(shape) + self.bias.view(shape)
        return normalised.to(values.dtype)

    @torch.no_grad()
    def _track(
        self, mean: Float[Tensor, " channels"], variance: Float[Tensor, " channels"], count: int
    ) -> None:
        """Move the running statistics; the variance tracked is the unbiased one, as in torch."""
        momentum = cast(float, self.momentum)
        cast(Tensor, self.num_batches_tracked).add_(1)
        cast(Tensor, self.running_mean).lerp_(mean, momentum)
        cast(Tensor, self.running_var).lerp_(variance * count / (count - 1), momentum)


def global_statistics(
    values: Float[Tensor, "batch channels *places"],
) -> tuple[Float[Tensor, " channels"], Float[Tensor, " channels"], int]:
    """Mean, variance and number of a channel's values over all processes, with gradients to all of them."""
    axes = [0, *range(2, values.ndim)]
    number = values.new_tensor([values.numel() / values.shape[1]])
    total = cast(Tensor, _Sum.apply(torch.cat([values.sum(axes), number])))
    count = total[-1].detach()
    mean = total[:-1] / count
    centred = values - mean.view(1, -1, *[1] * (values.ndim - 2))
    variance = cast(Tensor, _Sum.apply(centred.square().sum(axes))) / count
    return mean, variance, int(count)


class _Sum(torch.autograd.Function):
    """The sum over all processes; each process's gradient is the sum of the gradients of all."""

    @staticmethod
    def forward(ctx: object, own: Tensor) -> Tensor:
        total = own.clone()
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: object, gradient: Tensor) -> Tensor:
        total = gradient.clone()
        dist.all_reduce(total)
        return total


def _twin(norm: nn.BatchNorm1d | nn.BatchNorm2d) -> SummedBatchNorm:
    """A SummedBatchNorm with parameters, running statistics, mode, dropout and activation of ``norm``."""
    twin = SummedBatchNorm(norm.num_features, norm.eps, norm.momentum, norm.affine, device="meta")
    for name in ("weight", "bias"):
        setattr(twin, name, getattr(norm, name))
    for name, buffer in norm.named_buffers():
        setattr(twin, name, buffer)
    for name in ("drop", "act"):
        setattr(twin, name, getattr(norm, name, nn.Identity()))
    return twin.train(norm.training)
