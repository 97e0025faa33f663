"""ConvMAE's convolutional parts against torch's plain convolutions."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from mk11.models.encoders.cblock import CBlock, ConvEmbed, merge, visible_places


def block(dim=6, drop_path=0.0, seed=0):
    torch.manual_seed(seed)
    return CBlock(dim=dim, mlp_ratio=2, drop_path=drop_path)


def first(picture):
    return picture.permute(0, 3, 1, 2)


def last(picture):
    return picture.permute(0, 2, 3, 1)


def plain_norm(norm, x):
    return first(F.layer_norm(last(x), norm.normalized_shape, norm.weight, norm.bias, eps=1e-5))


def plain_block(cblock, x, keep):
    """The block of the paper on channels-first images, by torch's convolutions."""

    def conv(layer, value, **how):
        return F.conv2d(value, layer.weight, layer.bias, **how)

    hidden = keep * conv(cblock.conv1, plain_norm(cblock.norm1, x))
    x = x + conv(cblock.conv2, conv(cblock.attn, hidden, padding=2, groups=x.shape[1]))
    return x + conv(cblock.mlp.fc2, F.gelu(conv(cblock.mlp.fc1, plain_norm(cblock.norm2, x))))


def hidden(cblock, keep):
    """The block, whose depth-wise convolution sees zeros where ``keep``, channels first, is 0."""
    cblock.attn.register_forward_pre_hook(lambda _, taken: (taken[0] * keep,))
    return cblock


def test_a_block_is_a_masked_convolution_and_an_mlp():
    cblock, x = block(), torch.randn(2, 8, 9, 6)
    keep = (torch.rand(2, 8, 9, 1) < 0.5).float()
    expected = last(plain_block(cblock, first(x), first(keep)))
    torch.testing.assert_close(hidden(cblock, first(keep))(x), expected)


def test_without_a_mask_all_places_are_seen():
    cblock, x = block(), torch.randn(2, 8, 9, 6)
    torch.testing.assert_close(cblock(x), last(plain_block(cblock, first(x), torch.ones(1, 1, 8, 9))))


@given(
    rows=st.integers(1, 3),
    columns=st.integers(1, 3),
    factor=st.integers(1, 3),
    share=st.floats(0.1, 1.0),
    seed=st.integers(0, 99),
)
def test_visible_patches_by_themselves_give_the_whole_images_numbers(rows, columns, factor, share, seed):
    torch.manual_seed(seed)
    patches = rows * columns
    kept = torch.rand(2, patches).argsort(dim=1)[:, : max(1, round(share * patches))]
    places = visible_places(kept, (rows, columns), factor)
    tiles = torch.randn(*kept.shape, factor, factor, 6)
    ones = torch.ones(*kept.shape, factor, factor, 1)
    whole = hidden(block(), places.in_image(ones))(last(places.in_image(tiles)))
    expected = places.from_image(first(whole)).view(tiles.shape)
    torch.testing.assert_close(block()(tiles, places), expected)


def test_visible_patches_lie_where_their_number_says():
    places = visible_places(torch.tensor([[5, 0]]), (2, 3), factor=2)  # last patch of the second row, first
    image = places.in_image(torch.tensor([5.0, 1.0]).view(1, 2, 1, 1, 1).expand(1, 2, 2, 2, 1))
    assert image[0, 0].tolist() == [
        [1, 1, 0, 0, 0, 0],
        [1, 1, 0, 0, 0, 0],
        [0, 0, 0, 0, 5, 5],
        [0, 0, 0, 0, 5, 5],
    ]


@pytest.mark.parametrize("side", [1, 2, 4])
def test_merging_equals_a_strided_convolution(side):
    conv, pictures = nn.Conv2d(5, 7, side, stride=side), torch.randn(2, 3, 2 * side, 3 * side, 5)
    expected = conv(first(pictures.flatten(0, 1)))
    torch.testing.assert_close(merge(conv, pictures), last(expected).unflatten(0, (2, 3)))


def test_embedding_norms_channels_before_its_gelu():
    embed, picture = ConvEmbed(in_channels=3, dim=6, patch=2), torch.randn(2, 8, 8, 3)
    expected = F.gelu(plain_norm(embed.norm, embed.proj(first(picture))))
    torch.testing.assert_close(embed(picture), last(expected))


def test_a_dropped_path_is_dropped_for_all_patches_of_an_image():
    cblock, tiles = block(drop_path=0.5).train(), torch.randn(64, 3, 2, 2, 6)
    places = visible_places(torch.arange(3).expand(64, -1), (1, 3), factor=2)
    unchanged = (cblock(tiles, places) == tiles).flatten(2).all(dim=2)  # (images, patches)
    assert 0 < unchanged.any(dim=1).sum() < 64  # both branches dropped: about a quarter of the images
    assert torch.equal(unchanged.any(dim=1), unchanged.all(dim=1))
