"""What our encoders share as timm networks: pooling, head, checkpointing, description."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
from jaxtyping import Float
from timm.data.constants import IMAGENET_DEFAULT_MEAN, IMAGENET_DEFAULT_STD
from timm.models import checkpoint
from torch import Tensor, nn

HEAD_DEVIATION = 2e-5  # of a fresh head's weights (MAE's published fine-tuning)


class TokenNetwork(nn.Module, ABC):
    """Base class of networks whose features are tokens, (batch, tokens, dim), without a class token.

    A subclass builds its layers and calls `add_head`; it says what `forward_features` is.
    """

    pools: tuple[str, ...] = ("avg", "")  # what ``global_pool`` may be
    grad_checkpointing = False

    def add_head(
        self, dim: int, num_classes: int, global_pool: str, *, fc_norm: nn.Module, drop: float
    ) -> None:
        """The layers from the tokens to the logits.

        Args:
            dim: Channels of the tokens.
            num_classes: Outputs; 0 = none, the pooled features themselves.
            global_pool: One of ``pools``: ``avg`` = mean, empty = no pooling.
            fc_norm: Norm of the pooled features, or an identity.
            drop: Dropout before the head.
        """
        self.num_features = self.head_hidden_size = dim
        self.fc_norm = fc_norm
        self.head_drop = nn.Dropout(drop)
        self.reset_classifier(num_classes, global_pool)

    @abstractmethod
    def forward_features(self, image: Float[Tensor, "batch channels height width"]) -> Tensor:
        """The tokens, (batch, tokens, dim)."""

    def forward_head(self, tokens: Float[Tensor, "batch tokens dim"], pre_logits: bool = False) -> Tensor:
        """Logits of the tokens, (batch, classes); the pooled features with ``pre_logits``."""
        pooled = self.head_drop(self.fc_norm(self.pool(tokens)))
        return pooled if pre_logits else self.head(pooled)

    def pool(self, tokens: Float[Tensor, "batch tokens dim"]) -> Float[Tensor, "batch *tokens dim"]:
        """One vector for each image: the mean of its tokens, or as ``global_pool`` says."""
        if self.global_pool == "avg":
            return tokens.mean(dim=1)
        return tokens[:, 0] if self.global_pool == "token" else tokens

    def forward(self, image: Float[Tensor, "batch channels height width"]) -> Tensor:
        """Logits, (batch, classes)."""
        return self.forward_head(self.forward_features(image))

    def get_classifier(self) -> nn.Module:
        """The last layer."""
        return self.head

    def reset_classifier(self, num_classes: int, global_pool: str | None = None) -> None:
        """A fresh head, near zero so that fine-tuning starts from even odds; norms stay as they are."""
        self.num_classes = num_classes
        if global_pool is not None:
            self.global_pool = self._known_pool(global_pool)
        device = next(self.parameters()).device
        self.head = nn.Linear(self.num_features, num_classes, device=device) if num_classes else nn.Identity()
        if isinstance(self.head, nn.Linear):
            nn.init.trunc_normal_(self.head.weight, std=HEAD_DEVIATION)
            nn.init.zeros_(self.head.bias)

    def _known_pool(self, global_pool: str) -> str:
        if global_pool not in self.pools:
            known = ", ".join(map(repr, self.pools))
            raise ValueError(f"global_pool must be one of {known}, but is {global_pool!r}")
        return global_pool

    def set_grad_checkpointing(self, enable: bool = True) -> None:
        """Keep less for the backward pass and compute it once more."""
        self.grad_checkpointing = enable


def through(blocks: Iterable[nn.Module], x: Tensor, *context: Any, checkpointing: bool) -> Tensor:  # noqa: ANN401
    """``x`` through the blocks in turn, each also given ``context``.

    With ``checkpointing`` a block's inside is computed once more in the backward pass rather than kept.
    """
    again = checkpointing and torch.is_grad_enabled()
    for block in blocks:
        x = checkpoint(block, x, *context) if again else block(x, *context)
    return x


def check_stages(stages: int, **options: Sequence[float]) -> None:
    """A ValueError for an option that does not give a number for each of the stages."""
    for name, values in options.items():
        if len(values) != stages:
            raise ValueError(f"{name} must be {stages} numbers, one for each stage, but is {[*values]}")


def refuse_maps(name: str, options: Mapping[str, Any]) -> None:
    """A ValueError where timm is asked for feature maps, which our networks of stages do not hand out."""
    if options.get("features_only"):
        raise ValueError(f"{name} gives tokens and pooled features alone: features_only must be left out")


def description(first_conv: str, side: int = 224) -> dict[str, Any]:
    """What timm is told of a network without downloadable weights, normalised as ImageNet."""
    return {
        "url": "",
        "num_classes": 1000,
        "input_size": (3, side, side),
        "fixed_input_size": True,
        "pool_size": None,
        "crop_pct": 0.875,
        "interpolation": "bicubic",
        "mean": IMAGENET_DEFAULT_MEAN,
        "std": IMAGENET_DEFAULT_STD,
        "first_conv": first_conv,
        "classifier": "head",
    }
