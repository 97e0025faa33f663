"""ConvMAE as a method: what it sees, what it is asked, whom it takes."""

import inspect
from pathlib import Path

import pytest
import timm
import torch
from omegaconf import OmegaConf

from mk11.errors import UserError
from mk11.ssl.convmae import ConvMAE
from mk11.ssl.patches import normalise_patches, patchify, spread

CONF = Path(__file__).resolve().parents[2] / "conf"
SMALL = {"embed_dim": (8, 12, 24), "depth": (1, 2, 2), "num_heads": 2, "num_classes": 0, "img_size": 64}


def network(name="convmae_tiny", **changed):
    torch.manual_seed(0)
    return timm.create_model(name, **(SMALL | changed))


def method(encoder=None, **changed):
    settings = {
        "mask_ratio": 0.75,
        "normalise_target": True,
        "decoder_dim": 16,
        "decoder_depth": 1,
        "decoder_heads": 2,
        "reference_compatible": False,
    }
    return ConvMAE(encoder=encoder or network(), **(settings | changed))


def images(height=64, width=64, batch=2):
    return torch.randn(batch, 3, height, width, generator=torch.Generator().manual_seed(0))


def noise_for(convmae, batch=2, seed=1):
    torch.manual_seed(seed)
    return convmae.draw(batch, torch.device("cpu"))


def encode_everywhere(convmae, image, mask):
    """Visible tokens the published way: all places are computed, the removed hidden from convolutions."""
    network, keep = convmae.encoder, (~mask.removed).float()
    masks = tuple(spread(keep, convmae.grid, factor).permute(0, 2, 3, 1) for factor in convmae.places)
    first, second, tokens = network.stages(image.permute(0, 2, 3, 1), masks)

    def decoded(conv, stage):
        return mask.visible(conv(stage.permute(0, 3, 1, 2)).flatten(2).transpose(1, 2))

    tokens = network.attend(mask.visible(tokens + network.pos_embed))
    fused = tokens + decoded(convmae.stage1_output_decode, first)
    return network.norm(fused + decoded(convmae.stage2_output_decode, second))


@pytest.mark.parametrize(
    ("size", "patch"),
    [((64, 64), (4, 2, 2)), ((96, 96), (4, 2, 2)), ((48, 80), (4, 2, 2)), ((32, 24), (2, 2, 2))],
)
def test_visible_patches_alone_give_the_published_numbers(size, patch):
    convmae = method(network(img_size=size, patch_size=patch), mask_ratio=0.6)
    image, mask = images(*size), convmae.mask(noise_for(convmae))
    expected = encode_everywhere(convmae, image, mask)
    torch.testing.assert_close(convmae.encode(patchify(image, convmae.patch), mask), expected)


def test_visible_patches_alone_give_the_published_gradients():
    gradients = []
    for everywhere in (False, True):
        convmae, image = method(), images()
        mask = convmae.mask(noise_for(convmae))
        pixels = patchify(image, 16)
        latent = encode_everywhere(convmae, image, mask) if everywhere else convmae.encode(pixels, mask)
        latent.sin().sum().backward()
        named = convmae.named_parameters()
        gradients.append({name: value.grad for name, value in named if value.grad is not None})
    assert gradients[0].keys() == gradients[1].keys()
    for name, gradient in gradients[0].items():
        torch.testing.assert_close(gradient, gradients[1][name], atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("side", [64, 96])
def test_removed_pixels_reach_no_visible_token(side):
    convmae, image = method(network(img_size=side)), images(side, side)
    mask, pixels = convmae.mask(noise_for(convmae)), patchify(image, 16)
    hidden = mask.removed[:, :, None]
    latent = convmae.encode(pixels, mask)
    assert torch.equal(convmae.encode(torch.where(hidden, pixels + 3.0, pixels), mask), latent)
    assert not torch.equal(convmae.encode(torch.where(hidden, pixels, pixels + 3.0), mask), latent)


def test_convolutions_look_at_neighbours_but_not_through_removed_patches():
    convmae, noise = method(), torch.ones(2, 16)
    noise[:, [0, 1, 3, 12]] = torch.arange(4) / 8  # the visible ones: three of the first row, one far below
    mask = convmae.mask(noise)
    seen = []
    convmae.encoder.patch_embed3.register_forward_hook(lambda _, taken, given: seen.append(given))
    pixels = patchify(images(), 16)
    convmae.encode(pixels, mask)
    pixels[:, 1] += 1.0
    convmae.encode(pixels, mask)
    changed = (seen[0] != seen[1]).flatten(2).any(dim=2)  # (batch, visible)
    assert changed.tolist() == [[True, True, False, False]] * 2


@pytest.mark.parametrize("normalise", [True, False])
def test_the_loss_equals_a_loop_over_removed_patches(normalise):
    convmae, image = method(normalise_target=normalise), images()
    noise = noise_for(convmae)
    mask, pixels = convmae.mask(noise), patchify(image, 16)
    predicted, errors = convmae.predict(pixels, mask), []
    for number, patch in mask.removed.nonzero().tolist():
        target = pixels[number, patch]
        if normalise:
            target = (target - target.mean()) / (target.var() + 1e-6).sqrt()
        errors.append((predicted[number, patch] - target).square().mean())
    loss = convmae(image, noise=noise, progress=0.0).loss
    torch.testing.assert_close(loss, torch.stack(errors).mean())


def test_the_official_truncation_keeps_a_patch_less():
    encoder = network(img_size=(64, 80))  # 20 patches
    kept = [
        method(encoder, mask_ratio=0.8, reference_compatible=official).mask(torch.rand(1, 20)).kept.shape[1]
        for official in (False, True)
    ]
    assert kept == [4, 3]


def test_the_same_noise_gives_the_same_loss():
    convmae, image = method().train(), images()
    losses = {convmae(image, noise=noise_for(convmae), progress=0.5).loss.item() for _ in range(3)}
    assert len(losses) == 1
    assert convmae(image, noise=noise_for(convmae, seed=2), progress=0.5).loss.item() not in losses


def test_noise_is_one_number_for_each_patch():
    noise = method().draw(5, torch.device("cpu"))
    assert noise.shape == (5, 16)
    assert 0 <= noise.min() < noise.max() < 1


def test_position_tables_get_no_gradient_and_all_else_does():
    convmae = method()
    convmae(images(), noise=noise_for(convmae), progress=0.0).loss.backward()
    without = {name for name, parameter in convmae.named_parameters() if parameter.grad is None}
    assert without == {"encoder.pos_embed", "decoder.pos_embed"}


def test_a_few_steps_lower_the_loss():
    convmae, image = method(), images()
    optimiser = torch.optim.AdamW(convmae.parameters(), lr=3e-3)
    losses = []
    for _ in range(15):
        losses.append(convmae(image, noise=noise_for(convmae), progress=0.0).loss)
        optimiser.zero_grad()
        losses[-1].backward()
        optimiser.step()
    assert losses[-1] < 0.9 * losses[0]


def test_checkpointing_gives_equal_gradients():
    gradients = []
    for enable in (False, True):
        convmae = method()
        convmae.encoder.set_grad_checkpointing(enable)
        convmae(images(), noise=noise_for(convmae), progress=0.0).loss.backward()
        gradients.append([value.grad for value in convmae.parameters() if value.grad is not None])
    for once, again in zip(*gradients, strict=True):
        torch.testing.assert_close(once, again)


def test_it_trains_in_bfloat16_with_a_loss_in_float32():
    convmae = method()
    with torch.autocast("cpu", torch.bfloat16):
        loss = convmae(images(), noise=noise_for(convmae), progress=0.0).loss
    loss.backward()
    assert loss.dtype == torch.float32
    exact = convmae(images(), noise=noise_for(convmae), progress=0.0).loss
    torch.testing.assert_close(loss, exact, atol=0.02, rtol=0.02)


@pytest.mark.parametrize("normalise", [True, False])
def test_pictures_show_visible_patches_and_predictions_in_colour(normalise, monkeypatch):
    convmae, image = method(normalise_target=normalise), images()
    noise = noise_for(convmae)
    perfect = (lambda pixels, _: normalise_patches(pixels)) if normalise else (lambda pixels, _: pixels)
    monkeypatch.setattr(convmae, "predict", perfect)
    shown = convmae.pictures(image, noise=noise)
    hidden = spread(convmae.mask(noise).removed.float(), (4, 4), 16).bool()
    assert torch.equal(shown.true, image)
    assert torch.equal(shown.masked, image.masked_fill(hidden, 0.0))
    torch.testing.assert_close(shown.predicted, image)


def test_pictures_need_no_gradient():
    convmae = method()
    assert not convmae.pictures(images(), noise=noise_for(convmae)).predicted.requires_grad


def test_another_kind_of_encoder_is_refused():
    with pytest.raises(UserError, match=r"ssl=convmae needs a ConvMAE network as model.* VisionTransformer"):
        method(timm.create_model("test_vit", num_classes=0))


def test_an_encoder_without_a_last_norm_is_refused():
    with pytest.raises(UserError, match=r"ssl=convmae .*norm.*model\.options"):
        method(network(fc_norm=True))


def test_a_mask_that_hides_everything_is_refused():
    with pytest.raises(UserError, match=r"ssl\.mask_ratio .*16 patches"):
        method(mask_ratio=0.99)


def test_the_configuration_names_every_argument():
    settings = OmegaConf.load(CONF / "ssl" / "convmae.yaml").ssl
    told = set(settings) - {"_target_", "_convert_"}
    assert settings._target_ == f"{ConvMAE.__module__}.{ConvMAE.__name__}"
    assert told == set(inspect.signature(ConvMAE).parameters)
