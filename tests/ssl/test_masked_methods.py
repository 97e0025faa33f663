"""What MAE, ConvMAE and MixMIM have in common: noise, gradients, precision, pictures, configuration."""

import inspect
from pathlib import Path

import pytest
import timm
import torch
from omegaconf import OmegaConf
from ssl_methods import AUTOENCODERS, KINDS, images, loss_of, method, network, noise_for

from mk11.errors import UserError
from mk11.models.encoders.windows import on_finer_grid
from mk11.ssl.patches import normalise_patches, patchify

CONF = Path(__file__).resolve().parents[2] / "conf"
each = pytest.mark.parametrize("kind", KINDS)
each_autoencoder = pytest.mark.parametrize("kind", AUTOENCODERS)


@each
def test_the_same_noise_gives_the_same_loss(kind):
    made, image = method(kind).train(), images(kind)
    losses = {loss_of(made, image).item() for _ in range(3)}
    assert len(losses) == 1
    assert loss_of(made, image, seed=2).item() not in losses


@each
def test_noise_is_one_number_for_each_patch(kind):
    noise = method(kind).draw(5, torch.device("cpu"))
    patches = (KINDS[kind].side // KINDS[kind].patch) ** 2
    assert noise.shape == (1 if kind == "mixmim" else 5, patches)  # MixMIM's mask holds for all images
    assert 0 <= noise.min() < noise.max() < 1


@each
def test_position_tables_get_no_gradient_and_all_else_does(kind):
    made = method(kind)
    loss_of(made, images(kind)).backward()
    without = {name for name, parameter in made.named_parameters() if parameter.grad is None}
    assert without == {f"encoder.{KINDS[kind].table}", "decoder.pos_embed"}


@each
def test_a_few_steps_on_one_batch_lower_the_loss(kind):
    made, image, losses = method(kind), images(kind), []
    optimiser = torch.optim.AdamW(made.parameters(), lr=3e-3)
    for _ in range(15):
        losses.append(loss_of(made, image))
        optimiser.zero_grad()
        losses[-1].backward()
        optimiser.step()
    assert losses[-1] < 0.9 * losses[0]


@each
def test_checkpointing_gives_equal_gradients_by_running_blocks_twice(kind):
    gradients, runs = [], []
    for enable in (False, True):
        made = method(kind)
        made.encoder.set_grad_checkpointing(enable)
        block = made.encoder.get_submodule(KINDS[kind].block)
        block.register_forward_pre_hook(lambda *_, enable=enable: runs.append(enable))
        loss_of(made, images(kind)).backward()
        gradients.append([value.grad for value in made.parameters() if value.grad is not None])
    assert runs == [False, True, True]
    for once, again in zip(*gradients, strict=True):
        torch.testing.assert_close(once, again)


@each
def test_it_trains_in_bfloat16_with_a_loss_in_float32(kind):
    made, image = method(kind), images(kind)
    with torch.autocast("cpu", torch.bfloat16):
        loss = loss_of(made, image)
    loss.backward()
    assert loss.dtype == torch.float32
    torch.testing.assert_close(loss, loss_of(made, image), atol=0.02, rtol=0.02)
    assert all(p.grad is None or p.grad.isfinite().all() for p in made.parameters())


@each
def test_an_untrained_network_misses_normalised_pixels_by_about_one(kind):
    assert 0.9 < loss_of(method(kind), images(kind, batch=8)) < 3


@each
@pytest.mark.parametrize("normalise", [True, False])
def test_pictures_show_a_perfect_prediction_as_the_image(kind, normalise, monkeypatch):
    """A prediction of normalised pixels is brought back to each patch's own colours."""
    made, image = method(kind, normalise_target=normalise), images(kind)
    pixels = patchify(image, KINDS[kind].patch)
    monkeypatch.setattr(made, "predict", lambda *_: normalise_patches(pixels) if normalise else pixels)
    pictures = made.pictures(image, noise=noise_for(made, image))
    torch.testing.assert_close(pictures.predicted, image)
    assert torch.equal(pictures.true, image)


@each
def test_pictures_leave_no_graph_behind(kind):
    made, image = method(kind), images(kind)
    assert not made.pictures(image, noise=noise_for(made, image)).predicted.requires_grad


@each_autoencoder
def test_pictures_show_predictions_of_removed_patches_alone(kind, monkeypatch):
    made, image = method(kind, normalise_target=False), images(kind)
    noise = noise_for(made, image)
    monkeypatch.setattr(made, "predict", lambda pixels, _: torch.full_like(pixels, 7.0))
    removed = made.mask(noise).removed.unflatten(1, made.grid)
    hidden = on_finer_grid(removed, (KINDS[kind].side,) * 2)[:, None]
    assert torch.equal(made.pictures(image, noise=noise).predicted, image.masked_fill(hidden, 7.0))


@each_autoencoder
def test_pictures_blank_exactly_the_removed_patches(kind):
    made, image = method(kind), images(kind)
    noise = noise_for(made, image)
    removed = made.mask(noise).removed.unflatten(1, made.grid)
    hidden = on_finer_grid(removed, (KINDS[kind].side,) * 2)[:, None]
    assert torch.equal(made.pictures(image, noise=noise).masked, image.masked_fill(hidden, 0.0))


@each_autoencoder
def test_removed_pixels_are_not_seen(kind):
    made, image = method(kind), images(kind)
    pixels, mask = patchify(image, KINDS[kind].patch), made.mask(noise_for(made, image))
    hidden = mask.removed[:, :, None]
    assert torch.equal(
        made.predict(pixels, mask), made.predict(torch.where(hidden, pixels + 3.0, pixels), mask)
    )
    seen = torch.where(hidden, pixels, pixels + 3.0)
    assert not torch.equal(made.predict(pixels, mask), made.predict(seen, mask))


@each_autoencoder
@pytest.mark.parametrize("normalise", [True, False])
def test_the_loss_equals_a_loop_over_removed_patches(kind, normalise):
    made, image = method(kind, normalise_target=normalise), images(kind)
    mask, pixels = made.mask(noise_for(made, image)), patchify(image, KINDS[kind].patch)
    predicted, errors = made.predict(pixels, mask), []
    for number, patch in mask.removed.nonzero().tolist():
        target = pixels[number, patch]
        if normalise:
            target = (target - target.mean()) / (target.var() + 1e-6).sqrt()
        errors.append((predicted[number, patch] - target).square().mean())
    torch.testing.assert_close(loss_of(made, image), torch.stack(errors).mean())


@each_autoencoder
def test_the_official_truncation_keeps_a_patch_less(kind):
    patch = KINDS[kind].patch
    encoder = network(kind, img_size=(4 * patch, 5 * patch))  # 20 patches
    kept = [
        method(kind, encoder, mask_ratio=0.8, reference_compatible=official).mask(torch.rand(1, 20)).kept
        for official in (False, True)
    ]
    assert [one.shape[1] for one in kept] == [4, 3]


@each
@pytest.mark.parametrize("ratio", [0.01, 0.99])
def test_a_mask_that_leaves_no_task_is_refused(kind, ratio):
    with pytest.raises(UserError, match=r"ssl\.mask_ratio .*(9|16) patches"):
        method(kind, mask_ratio=ratio)


@each
def test_an_image_of_a_single_patch_is_refused_by_its_size(kind):
    with pytest.raises(UserError, match=r"image_size must .* at least 2 patches.* but gives 1$"):
        method(kind, network(kind, img_size=KINDS[kind].patch))


@each
def test_another_kind_of_encoder_is_refused(kind):
    with pytest.raises(UserError, match=rf"ssl={kind} needs .*such as model={kind}, but has ConvNeXt"):
        method(kind, timm.create_model("test_convnext", num_classes=0))


@each
def test_the_configuration_names_every_argument(kind):
    settings = OmegaConf.load(CONF / "ssl" / f"{kind}.yaml").ssl
    made = KINDS[kind].method
    assert settings._target_ == f"{made.__module__}.{made.__name__}"
    assert set(settings) - {"_target_", "_convert_"} == set(inspect.signature(made).parameters)


@each
def test_the_configuration_has_the_published_recipe(kind):
    config = OmegaConf.to_container(OmegaConf.load(CONF / "ssl" / f"{kind}.yaml"))
    task, optim = config["ssl"], config["optim"]
    assert (task["mask_ratio"], task["normalise_target"]) == (KINDS[kind].mask_ratio, True)
    assert [task[f"decoder_{part}"] for part in ("dim", "depth", "heads")] == [512, 8, 16]
    assert config["crop_scale"] == [0.2, 1.0]
    assert (optim["base_lr"], optim["weight_decay"], optim["betas"]) == (1.5e-4, 0.05, [0.9, 0.95])
    assert (optim["warmup_epochs"], optim["min_lr"]) == (40, 0.0)
