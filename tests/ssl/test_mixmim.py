"""MixMIM as a method: which images are mixed, what each sees, what is asked, whom it takes."""

import inspect
from pathlib import Path

import pytest
import timm
import torch
from omegaconf import OmegaConf

from mk11.errors import UserError
from mk11.ssl.mixmim import MixMIM
from mk11.ssl.patches import normalise_patches, patchify, spread

CONF = Path(__file__).resolve().parents[2] / "conf"
SMALL = {
    "embed_dim": 8,
    "depths": (1, 1, 2, 1),
    "num_heads": (1, 1, 2, 2),
    "num_classes": 0,
    "img_size": 96,
}


def network(name="mixmim_tiny", **changed):
    torch.manual_seed(0)
    return timm.create_model(name, **(SMALL | changed))


def method(encoder=None, **changed):
    settings = {
        "mask_ratio": 0.5,
        "normalise_target": True,
        "decoder_dim": 16,
        "decoder_depth": 1,
        "decoder_heads": 2,
        "reference_compatible": False,
    }
    return MixMIM(encoder=encoder or network(), **(settings | changed))


def images(side=96, batch=4):
    return torch.randn(batch, 3, side, side, generator=torch.Generator().manual_seed(0))


def noise_for(mixmim, seed=1):
    torch.manual_seed(seed)
    return mixmim.draw(4, torch.device("cpu"))


@pytest.mark.parametrize("grad", [True, False], ids=["plain", "fused"])
@pytest.mark.parametrize(("side", "patch"), [(96, 4), (64, 2)])
def test_an_image_is_seen_only_by_its_own_patches(side, patch, grad):
    mixmim = method(network(img_size=side, patch_size=patch))
    image, replaced = images(side), mixmim.mask(noise_for(mixmim))
    with torch.set_grad_enabled(grad):
        before = mixmim.encode(image, replaced)
        image[0] += 0.5 * image[1]
        changed = (mixmim.encode(image, replaced) != before).any(dim=2)  # (batch, patches)
    none = torch.zeros_like(replaced)
    assert torch.equal(changed, torch.stack([~replaced, none, none, replaced]))


def test_the_mixed_embedding_holds_the_partner_where_patches_are_replaced():
    mixmim, image = method(), images()
    replaced, seen = mixmim.mask(noise_for(mixmim)), []
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
    replaced = mixmim.mask(noise_for(mixmim))
    own = torch.arange(4.0)[:, None, None].expand(4, 9, 1)  # the number of the mixed image it comes from
    monkeypatch.setattr(mixmim, "reconstruct", lambda *_: torch.cat([own, own + 10]))
    predicted = mixmim.predict(image, replaced)[:, :, 0]
    for number in range(4):
        # Where it is replaced, image i is hidden in its own mixed image; elsewhere in its partner's.
        expected = torch.where(replaced, float(number), 10.0 + 3 - number)
        assert torch.equal(predicted[number], expected)


def test_mask_tokens_stand_where_the_other_image_is(monkeypatch):
    mixmim, image = method(), images()
    replaced, seen = mixmim.mask(noise_for(mixmim)), []
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
    noise = noise_for(mixmim)
    predicted, pixels = mixmim.predict(image, mixmim.mask(noise)), patchify(image, 32)
    errors = []
    for number, patch in torch.cartesian_prod(torch.arange(4), torch.arange(9)).tolist():
        target = pixels[number, patch]
        if normalise:
            target = (target - target.mean()) / (target.var() + 1e-6).sqrt()
        errors.append((predicted[number, patch] - target).square().mean())
    loss = mixmim(image, noise=noise, progress=0.0).loss
    torch.testing.assert_close(loss, torch.stack(errors).mean())


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


def test_noise_is_one_number_for_each_patch_of_all_images():
    noise = method().draw(6, torch.device("cpu"))
    assert noise.shape == (1, 9)
    assert 0 <= noise.min() < noise.max() < 1


@pytest.mark.parametrize("odd", [1, 3, 63])
def test_an_odd_number_of_images_is_refused(odd):
    with pytest.raises(UserError, match=f"batch_size must .* even number .* ssl=mixmim.* but gives {odd}"):
        method().check_batch(odd)


def test_an_even_number_of_images_is_taken():
    method().check_batch(64)


def test_the_same_noise_gives_the_same_loss():
    mixmim, image = method().train(), images()
    losses = {mixmim(image, noise=noise_for(mixmim), progress=0.5).loss.item() for _ in range(3)}
    assert len(losses) == 1
    assert mixmim(image, noise=noise_for(mixmim, seed=2), progress=0.5).loss.item() not in losses


def test_position_tables_get_no_gradient_and_all_else_does():
    mixmim = method()
    mixmim(images(), noise=noise_for(mixmim), progress=0.0).loss.backward()
    without = {name for name, parameter in mixmim.named_parameters() if parameter.grad is None}
    assert without == {"encoder.absolute_pos_embed", "decoder.pos_embed"}


def test_a_few_steps_lower_the_loss():
    mixmim, image = method(), images()
    optimiser = torch.optim.AdamW(mixmim.parameters(), lr=3e-3)
    losses = []
    for _ in range(15):
        losses.append(mixmim(image, noise=noise_for(mixmim), progress=0.0).loss)
        optimiser.zero_grad()
        losses[-1].backward()
        optimiser.step()
    assert losses[-1] < 0.9 * losses[0]


def test_checkpointing_gives_equal_gradients():
    gradients = []
    for enable in (False, True):
        mixmim = method()
        mixmim.encoder.set_grad_checkpointing(enable)
        mixmim(images(), noise=noise_for(mixmim), progress=0.0).loss.backward()
        gradients.append([value.grad for value in mixmim.parameters() if value.grad is not None])
    for once, again in zip(*gradients, strict=True):
        torch.testing.assert_close(once, again)


def test_it_trains_in_bfloat16_with_a_loss_in_float32():
    mixmim = method()
    with torch.autocast("cpu", torch.bfloat16):
        loss = mixmim(images(), noise=noise_for(mixmim), progress=0.0).loss
    loss.backward()
    assert loss.dtype == torch.float32
    exact = mixmim(images(), noise=noise_for(mixmim), progress=0.0).loss
    torch.testing.assert_close(loss, exact, atol=0.02, rtol=0.02)


@pytest.mark.parametrize("normalise", [True, False])
def test_pictures_show_mixed_images_and_predictions_in_colour(normalise, monkeypatch):
    mixmim, image = method(normalise_target=normalise), images()
    noise, pixels = noise_for(mixmim), patchify(images(), 32)
    monkeypatch.setattr(mixmim, "predict", lambda *_: normalise_patches(pixels) if normalise else pixels)
    shown = mixmim.pictures(image, noise=noise)
    replaced = spread(mixmim.mask(noise)[None].float(), (3, 3), 32).bool()
    assert torch.equal(shown.true, image)
    assert torch.equal(shown.masked, torch.where(replaced, image.flip(0), image))
    torch.testing.assert_close(shown.predicted, image)


def test_pictures_need_no_gradient():
    mixmim = method()
    assert not mixmim.pictures(images(), noise=noise_for(mixmim)).predicted.requires_grad


def test_another_kind_of_encoder_is_refused():
    with pytest.raises(UserError, match=r"ssl=mixmim needs a mixmim network as model.* VisionTransformer"):
        method(timm.create_model("test_vit", num_classes=0))


@pytest.mark.parametrize("ratio", [0.01, 0.99])
def test_a_mask_that_mixes_nothing_is_refused(ratio):
    with pytest.raises(UserError, match=r"ssl\.mask_ratio .*9 patches"):
        method(mask_ratio=ratio)


def test_the_configuration_names_every_argument():
    settings = OmegaConf.load(CONF / "ssl" / "mixmim.yaml").ssl
    told = set(settings) - {"_target_", "_convert_"}
    assert settings._target_ == f"{MixMIM.__module__}.{MixMIM.__name__}"
    assert told == set(inspect.signature(MixMIM).parameters)
