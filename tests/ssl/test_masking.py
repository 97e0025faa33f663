"""Which patches are hidden."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mk11.errors import UserError
from mk11.ssl.masking import check_mask_ratio, random_mask, share_count

patches = st.integers(2, 200)
ratios = st.floats(0, 0.95)


def noise_for(batch, count, seed=0):
    return torch.rand(batch, count, generator=torch.Generator().manual_seed(seed))


@given(count=patches, ratio=ratios, truncate=st.booleans(), batch=st.integers(1, 4))
def test_every_image_keeps_the_same_number_of_patches(count, ratio, truncate, batch):
    mask = random_mask(noise_for(batch, count), mask_ratio=ratio, truncate=truncate)
    kept = share_count(count, 1 - ratio, truncate=truncate)
    assert mask.kept.shape == (batch, kept)
    assert (~mask.removed).sum(dim=1).tolist() == [kept] * batch


@given(count=patches, ratio=ratios)
def test_kept_patches_are_those_with_the_smallest_noise(count, ratio):
    noise = noise_for(3, count)
    mask = random_mask(noise, mask_ratio=ratio, truncate=False)
    for numbers, kept, removed in zip(noise.tolist(), mask.kept.tolist(), mask.removed.tolist(), strict=True):
        order = sorted(range(count), key=numbers.__getitem__)
        assert kept == order[: len(kept)]
        assert {place for place, gone in enumerate(removed) if gone} == set(order[len(kept) :])


def test_visible_tokens_come_in_the_order_of_kept():
    tokens = torch.arange(2 * 6 * 3).view(2, 6, 3).float()
    mask = random_mask(noise_for(2, 6), mask_ratio=0.5, truncate=False)
    expected = [[tokens[image, place].tolist() for place in mask.kept[image]] for image in range(2)]
    assert mask.visible(tokens).tolist() == expected


def test_truncation_keeps_a_patch_less_where_the_float_falls_short():
    """20 * (1 - 0.8) is 3.9999999999999996."""
    assert share_count(20, 1 - 0.8, truncate=True) == 3
    assert share_count(20, 1 - 0.8, truncate=False) == 4


@pytest.mark.parametrize(("count", "ratio", "kept"), [(196, 0.75, 49), (196, 0.6, 78), (256, 0.75, 64)])
def test_published_counts_do_not_depend_on_the_rounding(count, ratio, kept):
    assert {share_count(count, 1 - ratio, truncate=truncate) for truncate in (True, False)} == {kept}


@pytest.mark.parametrize(("ratio", "left"), [(1.2, -3), (0.99, 0), (0.0, 16), (-0.5, 24)])
def test_a_ratio_that_leaves_no_task_is_refused(ratio, left):
    with pytest.raises(UserError, match=rf"ssl\.mask_ratio .*16 patches.* but {ratio} leaves {left} visible"):
        check_mask_ratio(ratio, 16, truncate=False)


@pytest.mark.parametrize(("count", "share", "kept"), [(49, 0.5, 24), (9, 0.5, 4), (11, 0.5, 6)])
def test_half_a_patch_is_rounded_to_the_even_number(count, share, kept):
    assert share_count(count, share, truncate=False) == kept


def test_an_image_of_a_single_patch_is_refused():
    with pytest.raises(UserError, match=r"image_size must .* at least 2 patches.* but gives 1"):
        check_mask_ratio(0.75, 1, truncate=False)


@given(count=st.integers(4, 300), ratio=st.floats(0.3, 0.75), truncate=st.booleans())
def test_a_sensible_ratio_is_accepted(count, ratio, truncate):
    check_mask_ratio(ratio, count, truncate=truncate)
