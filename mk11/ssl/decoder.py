"""The pixel decoder of the masked methods: a shallow Transformer over all patches."""

from functools import partial
from typing import Any

import torch
from jaxtyping import Float
from timm.models.vision_transformer import Block
from torch import Tensor, nn

from mk11.errors import UserError
from mk11.models.positions import sincos_table
from mk11.ssl.masking import PatchMask


class PixelDecoder(nn.Module):
    """Predict each patch's pixels from the encoder's output (MAE, sec. 3, "MAE decoder").

    Args:
        encoder_dim: Channels of the encoder's tokens.
        dim: Channels of the decoder.
        depth: Transformer blocks.
        num_heads: Attention heads of each.
        mlp_ratio: Hidden channels of a block's MLP, relative to ``dim``.
        grid: (rows, columns) of patches.
        patch: Side of a patch in pixels.
        norm_eps: Epsilon of every LayerNorm.
        class_token: Whether a class token comes before the patches.

    Raises:
        UserError: Channels that the heads cannot share.
    """

    def __init__(
        self,
        *,
        encoder_dim: int,
        dim: int,
        depth: int,
        num_heads: int,
        mlp_ratio: float,
        grid: tuple[int, int],
        patch: int,
        norm_eps: float,
        class_token: bool,
    ) -> None:
        super().__init__()
        if dim % 4 or dim % num_heads:
            raise UserError(
                "ssl.decoder_dim must be a multiple of 4 and of ssl.decoder_heads, but they are"
                f" {dim} and {num_heads}"
            )
        self.class_token = class_token
        norm: Any = partial(nn.LayerNorm, eps=norm_eps)
        self.embed = nn.Linear(encoder_dim, dim)
        self.mask_token = nn.Parameter(torch.zeros(1, 1, dim))
        table = sincos_table(dim, grid, row_first=False, class_token=class_token)
        self.pos_embed = nn.Parameter(table, requires_grad=False)
        self.blocks = nn.Sequential(
            *(Block(dim, num_heads, mlp_ratio, qkv_bias=True, norm_layer=norm) for _ in range(depth))
        )
        self.norm = norm(dim)
        self.predict = nn.Linear(dim, patch * patch * 3)
        self._initialise()

    def _initialise(self) -> None:
        """Xavier for every matrix (q, k and v as one), zero biases, N(0, 0.02) for the mask token."""
        nn.init.normal_(self.mask_token, std=0.02)
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.xavier_uniform_(module.weight)
                nn.init.zeros_(module.bias)

    def in_place(
        self, visible: Float[Tensor, "batch tokens encoder_dim"], mask: PatchMask
    ) -> Float[Tensor, "batch all_tokens dim"]:
        """Tokens in the image's order, class token first if there is one, mask tokens for removed patches."""
        tokens = self.embed(visible)
        first, patches = tokens[:, : int(self.class_token)], tokens[:, int(self.class_token) :]
        hidden = self.mask_token.to(tokens.dtype).expand(len(tokens), mask.removed.shape[1], -1)
        places = mask.kept[:, :, None].expand(-1, -1, tokens.shape[-1])
        return torch.cat([first, hidden.scatter(1, places, patches)], dim=1)

    def forward(self, tokens: Float[Tensor, "batch all_tokens dim"]) -> Float[Tensor, "batch patches pixels"]:
        """Pixels of every patch."""
        tokens = self.norm(self.blocks(tokens + self.pos_embed))
        return self.predict(tokens[:, int(self.class_token) :])
