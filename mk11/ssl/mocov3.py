"""MoCo v3: learn to find an image's other view among the batch (Chen, Xie and He 2021)."""

import math
from typing import cast

import torch
import torch.distributed as dist
from jaxtyping import Float
from timm.models.resnet import ResNet
from timm.models.vision_transformer import VisionTransformer
from torch import Tensor, nn

from mk11.errors import UserError
from mk11.models.encoders.mocov3 import MoCoViT
from mk11.ssl.heads import predictor, projector
from mk11.ssl.losses import contrastive_loss
from mk11.ssl.method import Method, Outcome
from mk11.ssl.momentum import cosine_momentum, follow, momentum_copy

BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.SyncBatchNorm)
SCHEDULES = ("cosine", "constant")
SMALLEST_BATCH = 4  # of one or two images batch norm makes nothing but signs

Views = tuple[Float[Tensor, "batch dim"], Float[Tensor, "batch dim"]]


class MoCoV3(Method):
    """Momentum contrast without a queue.

    The queries of one view are compared with the keys of the other: those of all images in the batch, on all
    processes, from an encoder that follows the trained one slowly. Batch norm must see the images of all
    processes (`mk11.ssl.batchnorm.synchronised`) for several to equal one.

    Batch statistics belong to one view. So an encoder without batch norm takes both views as one batch; an
    encoder with it (ResNet, convolutional stem) and the heads take one view after the other, and their
    running statistics move twice a step.

    Args:
        encoder: A timm VisionTransformer or ResNet with ``num_classes=0``.
        projector_dim: Hidden channels of projector and predictor.
        output_dim: Channels that are compared.
        temperature: Divides the cosine similarities.
        momentum: Share of itself that the momentum encoder keeps at a step.
        momentum_schedule: ``cosine``: rising to 1 over the training; or ``constant``.
        stop_grad_patch_embed: Leave a ViT's patch embedding as drawn; no effect on other stems.

    Raises:
        UserError: Another kind of encoder; a number out of its range.
    """

    views = 2

    def __init__(
        self,
        *,
        encoder: nn.Module,
        projector_dim: int,
        output_dim: int,
        temperature: float,
        momentum: float,
        momentum_schedule: str,
        stop_grad_patch_embed: bool,
    ) -> None:
        super().__init__()
        _check_numbers(temperature=temperature, momentum=momentum, schedule=momentum_schedule)
        self.temperature = temperature
        self.momentum = momentum
        self.momentum_schedule = momentum_schedule
        self.encoder = _frozen_in_part(encoder, stop_grad_patch_embed=stop_grad_patch_embed)
        self.one_batch = not any(isinstance(module, BATCH_NORMS) for module in encoder.modules())
        is_vit = isinstance(encoder, VisionTransformer)
        self.projector = projector(
            features=cast(int, encoder.num_features),
            hidden=projector_dim,
            output=output_dim,
            layers=3 if is_vit else 2,
        )
        self.predictor = predictor(dim=output_dim, hidden=projector_dim, last_norm=is_vit)
        self.momentum_encoder = momentum_copy(self.encoder)
        self.momentum_projector = momentum_copy(self.projector)

    def train(self, mode: bool = True) -> "MoCoV3":
        """As any module, but the momentum branch always normalises with the batch's own statistics."""
        super().train(mode)
        self.momentum_encoder.train()
        self.momentum_projector.train()
        return self

    def check_batch(self, per_device: int) -> None:
        """Whether a batch is large enough for batch norm.

        Raises:
            UserError: Fewer than four images on a device.
        """
        if per_device < SMALLEST_BATCH:
            raise UserError(
                f"batch_size must give each device at least {SMALLEST_BATCH} images per forward pass for "
                f"ssl=mocov3, whose batch norm needs them, but gives {per_device}"
            )

    def forward(
        self, image: Float[Tensor, "batch 2 3 height width"], *, noise: Tensor, progress: float
    ) -> Outcome:
        """The loss of two views of each image, both ways; ``noise`` is not used."""
        queries = self.queries(image)
        momentum = self.momentum_at(progress)
        if self.first_of_step:
            follow(self.momentum_encoder, self.encoder, momentum=momentum)
            follow(self.momentum_projector, self.projector, momentum=momentum)
        keys, offset = gathered(self.keys(image))
        loss = self.one_way(queries[0], keys[1], offset) + self.one_way(queries[1], keys[0], offset)
        chance = 4 * self.temperature * math.log(keys.shape[1])
        return Outcome(loss, {"chance": chance, "momentum": momentum})

    def queries(self, image: Float[Tensor, "batch 2 3 height width"]) -> Views:
        """Of both views: predictor(projector(encoder(view)))."""
        one, two = self._features(self.encoder, image)
        return self.predictor(self.projector(one)), self.predictor(self.projector(two))

    @torch.no_grad()
    def keys(self, image: Float[Tensor, "batch 2 3 height width"]) -> Views:
        """Of both views: momentum_projector(momentum_encoder(view)), without gradient."""
        one, two = self._features(self.momentum_encoder, image)
        return self.momentum_projector(one), self.momentum_projector(two)

    def one_way(
        self, queries: Float[Tensor, "batch dim"], keys: Float[Tensor, "all_keys dim"], key_offset: int
    ) -> Float[Tensor, ""]:
        """Loss of one view's queries against the other view's keys, in float32."""
        with torch.autocast(queries.device.type, enabled=False):
            return contrastive_loss(
                queries.float(), keys.float(), temperature=self.temperature, key_offset=key_offset
            )

    def momentum_at(self, progress: float) -> float:
        """The momentum of a step."""
        if self.momentum_schedule == "constant":
            return self.momentum
        return cosine_momentum(progress, start=self.momentum)

    def _features(self, encoder: nn.Module, image: Float[Tensor, "batch 2 3 height width"]) -> Views:
        if not self.one_batch:
            return encoder(image[:, 0]), encoder(image[:, 1])
        both = encoder(image.flatten(0, 1))  # (2 batch, dim), the two views of an image side by side
        return both[0::2], both[1::2]


def gathered(keys: Views) -> tuple[Float[Tensor, "2 all_keys dim"], int]:
    """Keys of all processes in the order of their ranks, and how many come before this process's own."""
    own = torch.stack(keys)
    if not (dist.is_initialized() and dist.get_world_size() > 1):
        return own, 0
    parts = [torch.empty_like(own) for _ in range(dist.get_world_size())]
    dist.all_gather(parts, own)
    return torch.cat(parts, dim=1), dist.get_rank() * own.shape[1]


def _frozen_in_part(encoder: nn.Module, *, stop_grad_patch_embed: bool) -> nn.Module:
    """The encoder, its fixed position table frozen, and its patch embedding where asked for."""
    if not isinstance(encoder, VisionTransformer | ResNet):
        raise UserError(f"model must be a ViT or a ResNet for ssl=mocov3, but is a {type(encoder).__name__}")
    if isinstance(encoder, ResNet) and encoder.grad_checkpointing:
        raise UserError(
            "trainer.grad_checkpointing must be false for a ResNet and ssl=mocov3: with its blocks computed"
            " again, batch norm would count each image twice"
        )
    _check_pooling(encoder)
    if isinstance(encoder, MoCoViT):
        cast(nn.Parameter, encoder.pos_embed).requires_grad_(False)
    embed = getattr(getattr(encoder, "patch_embed", None), "proj", None)
    if stop_grad_patch_embed and isinstance(embed, nn.Conv2d):
        embed.requires_grad_(False)
    return encoder


def _check_pooling(encoder: VisionTransformer | ResNet) -> None:
    """A UserError for an encoder that does not give one vector of `num_features` for each image."""
    if isinstance(encoder, VisionTransformer):
        pool, pooled = encoder.global_pool, encoder.global_pool != ""
    else:
        pool = encoder.global_pool.pool_type
        pooled = not encoder.global_pool.is_identity() and encoder.global_pool.feat_mult() == 1
    if not pooled:
        raise UserError(
            "model.options must leave ssl=mocov3 one vector of the network's width for each image, but their"
            f" global_pool is {pool!r}"
        )


def _check_numbers(*, temperature: float, momentum: float, schedule: str) -> None:
    if not temperature > 0:
        raise UserError(f"ssl.temperature must be above 0, but is {temperature}")
    if not 0 <= momentum <= 1:
        raise UserError(f"ssl.momentum must be in [0, 1], but is {momentum}")
    if schedule not in SCHEDULES:
        raise UserError(f"ssl.momentum_schedule must be {' or '.join(SCHEDULES)}, but is {schedule}")
