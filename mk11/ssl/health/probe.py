"""The online linear probe: a linear layer that follows the encoder, and never teaches it."""

from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import Optimizer

from mk11.optim.optimiser import adamw


class OnlineProbe:
    """Batch norm without parameters, then a linear layer (MAE, app. A.1), trained on finished features.

    It keeps its weights from check to check, so that a few epochs each time are enough. Which images come
    together is drawn from a generator of its own: nothing else is disturbed.

    Args:
        lr: Learning rate of its AdamW.
        batch: Features a step.
        epochs: Passes over the features at each check.
        seed: Of first weights and order.
    """

    def __init__(self, *, lr: float, batch: int, epochs: int, seed: int) -> None:
        self.lr, self.batch, self.epochs, self.seed = lr, batch, epochs, seed
        self.checks = 0
        self.parts: tuple[nn.Linear, Optimizer] | None = None  # made when the sizes are known

    def follow(
        self, features: Float[Tensor, "images dim"], labels: Int[Tensor, " images"], *, num_classes: int
    ) -> None:
        """Train on the features that the encoder gives now."""
        layer, optimiser = self._made(features.shape[1], num_classes)
        generator = torch.Generator().manual_seed(self.seed + self.checks)
        values = standardised(features, features).detach()
        for _ in range(self.epochs):
            for rows in torch.randperm(len(values), generator=generator).split(self.batch):
                optimiser.zero_grad()
                F.cross_entropy(layer(values[rows]), labels[rows]).backward()
                optimiser.step()
        self.checks += 1

    @torch.no_grad()
    def predicted(
        self, features: Float[Tensor, "images dim"], *, reference: Float[Tensor, "train_images dim"]
    ) -> Int[Tensor, " images"]:
        """The class of each image; features are standardised as those it was trained on, `reference`."""
        assert self.parts is not None
        return self.parts[0](standardised(features, reference)).argmax(dim=1)

    def state_dict(self) -> dict[str, Any]:
        """Weights and optimiser, plain: a resumed run goes on with the probe that it had."""
        if self.parts is None:
            return {}
        layer, optimiser = self.parts
        return {"layer": layer.state_dict(), "optimiser": optimiser.state_dict(), "checks": self.checks}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on where `state_dict` left off."""
        if state:
            classes, dim = state["layer"]["weight"].shape
            layer, optimiser = self._made(dim, classes)
            layer.load_state_dict(state["layer"])
            optimiser.load_state_dict(state["optimiser"])
            self.checks = state["checks"]

    def _made(self, dim: int, num_classes: int) -> tuple[nn.Linear, Optimizer]:
        if self.parts is None:
            layer = nn.utils.skip_init(nn.Linear, dim, num_classes)
            nn.init.normal_(layer.weight, std=0.01, generator=torch.Generator().manual_seed(self.seed))
            nn.init.zeros_(layer.bias)
            group = {"params": list(layer.parameters()), "lr": self.lr, "weight_decay": 0.0}
            self.parts = layer, adamw([group], betas=(0.9, 0.999))
        return self.parts


def standardised(
    features: Float[Tensor, "images dim"], reference: Float[Tensor, "train_images dim"]
) -> Float[Tensor, "images dim"]:
    """Features with the mean and deviation of `reference` taken out, channel by channel."""
    deviation, mean = torch.std_mean(reference, dim=0)
    return (features - mean) / (deviation + 1e-6)
