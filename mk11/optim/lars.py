"""LARS: momentum SGD whose step on a matrix is a fixed share of the matrix's norm (You et al. 2017)."""

from collections.abc import Callable
from typing import Any, cast

import torch
from jaxtyping import Float
from torch import Tensor
from torch.optim import Optimizer


class Lars(Optimizer):
    """LARS as MoCo v3 trains its ResNet (Chen, Xie and He 2021).

    For a parameter p of more than one dimension with gradient g:

        g <- g + weight_decay * p
        g <- g * trust * |p| / |g|        (unscaled where either norm is 0)

    Biases and the gains of norms have neither. Then, for all, mu <- momentum * mu + g and p <- p - lr * mu.
    timm's Lars divides by |g| + weight_decay * |p|, the gradient's norm before the decay is added.

    Args:
        groups: Parameter groups with ``params``, ``lr`` and ``weight_decay``.
        momentum: Share of the last step that goes on.
        trust: Step on a matrix, relative to its norm, at a learning rate of 1.
    """

    def __init__(self, groups: list[dict[str, Any]], *, momentum: float, trust: float) -> None:
        super().__init__(groups, {"momentum": momentum, "trust": trust})

    @torch.no_grad()
    def step(self, closure: Callable[[], object] | None = None) -> object:  # type: ignore[override]
        """One step on every parameter that has a gradient."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    self._move(parameter, group)
        return loss

    def _move(self, parameter: Tensor, group: dict[str, Any]) -> None:
        update = cast(Tensor, parameter.grad)
        if parameter.ndim > 1:
            update = scaled_update(
                parameter, update, weight_decay=group["weight_decay"], trust=group["trust"]
            )
        state = self.state[parameter]
        if "momentum_buffer" not in state:
            state["momentum_buffer"] = torch.zeros_like(parameter)
        state["momentum_buffer"].mul_(group["momentum"]).add_(update)
        parameter.sub_(state["momentum_buffer"], alpha=group["lr"])


def scaled_update(
    parameter: Float[Tensor, "*shape"],
    gradient: Float[Tensor, "*shape"],
    *,
    weight_decay: float,
    trust: float,
) -> Float[Tensor, "*shape"]:
    """The gradient with weight decay, at ``trust`` times the parameter's norm; no value leaves the device."""
    decayed = gradient + weight_decay * parameter
    size, slope = parameter.norm(), decayed.norm()
    ratio = torch.where((size > 0) & (slope > 0), trust * size / slope, 1.0)
    return decayed * ratio
