"""The losses against slow loops."""

import math

import pytest
import torch
import torch.nn.functional as F

from mk11.ssl.losses import contrastive_loss, masked_pixel_loss


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_masked_pixel_loss_equals_a_loop_over_removed_patches():
    predicted, target = normal(3, 5, 12), normal(3, 5, 12, seed=1)
    removed = normal(3, 5, seed=2) > 0
    errors = [
        sum(
            (predicted[image, patch, pixel].item() - target[image, patch, pixel].item()) ** 2
            for pixel in range(12)
        )
        / 12
        for image in range(3)
        for patch in range(5)
        if removed[image, patch]
    ]
    assert masked_pixel_loss(predicted, target, removed).item() == pytest.approx(sum(errors) / len(errors))


def test_visible_patches_pull_on_nothing():
    predicted, removed = normal(2, 4, 6).requires_grad_(), torch.tensor([[True, False, True, False]] * 2)
    masked_pixel_loss(predicted, torch.zeros(2, 4, 6), removed).backward()
    assert predicted.grad[~removed].abs().max() == 0
    assert predicted.grad[removed].abs().min() > 0


def test_a_prediction_in_half_precision_gives_a_loss_in_single():
    predicted, target = normal(2, 4, 6).bfloat16(), normal(2, 4, 6, seed=1)
    loss = masked_pixel_loss(predicted, target, torch.ones(2, 4, dtype=torch.bool))
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx((predicted.float() - target).square().mean().item())


@pytest.mark.parametrize("offset", [0, 2])
def test_contrastive_loss_equals_a_loop_over_pairs(offset):
    queries, keys, temperature = normal(4, 8), normal(6, 8, seed=1), 0.2
    total = 0.0
    for number, query in enumerate(queries):
        scores = [F.cosine_similarity(query, key, dim=0).item() / temperature for key in keys]
        total += -scores[offset + number] + math.log(sum(math.exp(score) for score in scores))
    loss = contrastive_loss(queries, keys, temperature=temperature, key_offset=offset)
    assert loss.item() == pytest.approx(2 * temperature * total / 4, rel=1e-5)


def test_contrastive_loss_does_not_see_lengths():
    queries, keys = normal(4, 8), normal(4, 8, seed=1)
    short = contrastive_loss(queries, keys, temperature=0.2, key_offset=0)
    torch.testing.assert_close(
        contrastive_loss(3 * queries, 0.1 * keys, temperature=0.2, key_offset=0), short
    )
