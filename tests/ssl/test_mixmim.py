"""MixMIM as a method: which images are mixed, what each sees (the rest: test_masked_methods.py)."""

from functools import partial

import pytest
import ssl_methods
import timm
import torch
from ssl_methods import loss_of, noise_for

from mk11.errors import UserError
from mk11.models.encoders.windows import on_finer_grid
from mk11.ssl.patches import patchify

network, method, images = (
    partial(made, "mixmim") for made in (ssl_methods.network, ssl_methods.method, ssl_methods.images)
)


@pytest.mark.parametrize("grad", [True, False], ids=["plain", "fused"])
@pytest.mark.parametrize(("side", "patch"), [(96, 4), (64, 2)])
def test_an_image_is_seen_only_by_its_own_patches(side, patch, grad):
    mixmim = method(network(img_size=side, patch_size=patch))
    image = images(side)
    replaced = mixmim.mask(noise_for(mixmim, image))
    with torch.set_grad_enabled(grad):
        before = mixmim.encode(image, replaced)
        image[0] += 0.5 * image[1]
        changed = (mixmim.encode(image, replaced) != before).any(dim=2)  # (batch, patches)
    none = torch.zeros_like(replaced)
    assert torch.equal(changed, torch.stack([~replaced, none, none, replaced]))


def test_the_mixed_embedding_holds_the_partner_where_patches_are_replaced():
    mixmim, image = method(), images()
    replaced, seen = mixmim.mask(noise_for(mixmim, image)), []
    mixmim.encoder.layers[0].register_forward_pre_hook(lambda _, taken: seen.append(taken[0]))
    mixmim.encode(image, replaced)
    embedded = mixmim.encoder.patch_embed(image)
    positions = mixmim.encoder.absolute_pos_embed.view(24, 24, 8)
    for number, patch in torch.cartesian_prod(torch.arange(4), torch.arange(9)).tolist():
        source = 3 - number if replaced[patch] else number
        place = (slice(8 * (patch // 3), 8 * (patch // 3) + 8), slice(8 * (patch % 3), 8 * (patch % 3) + 8))
        expected = embedded[source][place] + positions[place]
        torch.testing.assert_close(seen[0][number][place], expected)


def test_every_patch_is_predicted_from_the_mixed_image_that_hides_it(monkeypatch):
    mixmim, image = method(), images()
    replaced = mixmim.mask(noise_for(mixmim, image))
    own = torch.arange(4.0)[:, None, None].expand(4, 9, 1)  # the number of the mixed image it comes from
    monkeypatch.setattr(mixmim, "reconstruct", lambda *_: torch.cat([own, own + 10]))
    predicted = mixmim.predict(image, replaced)[:, :, 0]
    for number in range(4):
        # Where it is replaced, image i is hidden in its own mixed image; elsewhere in its partner's.
        expected = torch.where(replaced, float(number), 10.0 + 3 - number)
        assert torch.equal(predicted[number], expected)


def test_mask_tokens_stand_where_the_other_image_is(monkeypatch):
    mixmim, image = method(), images()
    replaced, seen = mixmim.mask(noise_for(mixmim, image)), []
    monkeypatch.setattr(mixmim.decoder, "forward", lambda given: seen.append(given) or given)
    tokens = mixmim.encode(image, replaced)
    mixmim.reconstruct(tokens, replaced)
    own, other = seen[0].chunk(2)
    hidden = mixmim.decoder.mask_token[0, 0]
    assert (own == hidden).all(dim=2).tolist() == [replaced.tolist()] * 4
    assert (other == hidden).all(dim=2).tolist() == [(~replaced).tolist()] * 4
    assert torch.equal(torch.where(replaced[:, None], other, own), mixmim.decoder.embed(tokens))


@pytest.mark.parametrize("normalise", [True, False])
def test_the_loss_is_the_mean_over_all_patches_of_all_images(normalise):
    mixmim, image = method(normalise_target=normalise), images()
    predicted = mixmim.predict(image, mixmim.mask(noise_for(mixmim, image)))
    pixels = patchify(image, 32)
    errors = []
    for number, patch in torch.cartesian_prod(torch.arange(4), torch.arange(9)).tolist():
        target = pixels[number, patch]
        if normalise:
            target = (target - target.mean()) / (target.var() + 1e-6).sqrt()
        errors.append((predicted[number, patch] - target).square().mean())
    torch.testing.assert_close(loss_of(mixmim, image), torch.stack(errors).mean())


def test_the_smallest_noise_is_replaced_in_all_images_alike():
    noise = torch.tensor([[0.9, 0.1, 0.8, 0.2, 0.7, 0.3, 0.6, 0.4, 0.5]])
    assert method(mask_ratio=0.35).mask(noise).nonzero().flatten().tolist() == [1, 3, 5]  # 3.15 of 9


def test_the_official_truncation_replaces_a_patch_less():
    replaced = [method(mask_ratio=0.4, reference_compatible=official).replaced for official in (False, True)]
    assert replaced == [4, 3]  # 3.6 of 9


def test_half_of_the_published_grid_is_24_of_49_patches():
    with torch.device("meta"):
        mixmim = method(timm.create_model("mixmim_base", num_classes=0))
    assert mixmim.grid == (7, 7)
    assert mixmim.replaced == 24


@pytest.mark.parametrize("odd", [1, 3, 63])
def test_an_odd_number_of_images_is_refused(odd):
    with pytest.raises(
        UserError, match=f"batch_size must .* even number of images per forward pass .* but gives {odd}"
    ):
        method().check_batch(odd)


def test_an_even_number_of_images_is_taken():
    method().check_batch(64)


@pytest.mark.parametrize("count", [2, 3, 5])
def test_pictures_show_the_mixed_images_and_leave_out_one_without_a_partner(count):
    mixmim, image = method(), images(batch=count)
    noise, pairs = noise_for(mixmim, image), images(batch=count)[: count // 2 * 2]
    shown = mixmim.pictures(image, noise=noise)
    replaced = on_finer_grid(mixmim.mask(noise).view(3, 3), (96, 96))
    assert torch.equal(shown.true, pairs)
    assert torch.equal(shown.masked, torch.where(replaced, pairs.flip(0), pairs))
    assert shown.predicted.shape == pairs.shape


def test_a_single_image_has_no_pictures():
    mixmim, image = method(), images(batch=1)
    assert mixmim.pictures(image, noise=noise_for(mixmim, image)) is None
