"""MAE as a method: what it sees, what it is asked, whom it takes."""

import copy
import inspect
from pathlib import Path

import pytest
import timm
import torch
from omegaconf import OmegaConf

import mk11.models.encoders  # noqa: F401  registers the networks
from mk11.errors import UserError
from mk11.ssl.mae import MAE
from mk11.ssl.masking import random_mask
from mk11.ssl.patches import normalise_patches, patchify

CONF = Path(__file__).resolve().parents[2] / "conf"
SMALL = {"embed_dim": 24, "depth": 2, "num_heads": 3, "patch_size": 8, "num_classes": 0}


def network(name="mae_vit_tiny", **changed):
    torch.manual_seed(0)
    return timm.create_model(name, **(SMALL | {"img_size": 32} | changed))


def method(encoder=None, **changed):
    settings = {
        "mask_ratio": 0.75,
        "normalise_target": True,
        "decoder_dim": 16,
        "decoder_depth": 1,
        "decoder_heads": 2,
        "reference_compatible": False,
    }
    return MAE(encoder=encoder or network(), **(settings | changed))


def images(*shape, seed=0):
    return torch.randn(*(shape or (2, 3, 32, 32)), generator=torch.Generator().manual_seed(seed))


def noise_for(mae, batch=2, seed=1):
    torch.manual_seed(seed)
    return mae.draw(batch, torch.device("cpu"))


def tokens_entering(mae, image):
    """How many tokens of an image the first block is given."""
    seen = []
    handle = mae.encoder.blocks[0].register_forward_pre_hook(lambda _, taken: seen.append(taken[0].shape[1]))
    mae(image, noise=noise_for(mae, len(image)), progress=0.0)
    handle.remove()
    return seen[0]


def test_only_visible_patches_and_the_class_token_are_processed():
    assert tokens_entering(method(mask_ratio=0.75), images()) == 1 + 4
    assert tokens_entering(method(mask_ratio=0.5), images()) == 1 + 8


def test_the_official_truncation_keeps_a_patch_less():
    encoder, image = network(img_size=(32, 40)), images(2, 3, 32, 40)  # 20 patches
    assert tokens_entering(method(encoder, mask_ratio=0.8), image) == 1 + 4
    assert tokens_entering(method(encoder, mask_ratio=0.8, reference_compatible=True), image) == 1 + 3


def test_removed_pixels_are_not_seen():
    mae, image = method(), images()
    pixels, mask = patchify(image, 8), mae.mask(noise_for(mae))
    changed = torch.where(mask.removed[:, :, None], pixels + 3.0, pixels)
    assert torch.equal(mae.predict(pixels, mask), mae.predict(changed, mask))
    seen = torch.where(mask.removed[:, :, None], pixels, pixels + 3.0)
    assert not torch.equal(mae.predict(pixels, mask), mae.predict(seen, mask))


@pytest.mark.parametrize("normalise", [True, False])
def test_the_loss_equals_a_loop_over_removed_patches(normalise):
    mae, image = method(normalise_target=normalise), images()
    noise = noise_for(mae)
    mask, pixels = mae.mask(noise), patchify(image, 8)
    predicted, errors = mae.predict(pixels, mask), []
    for number, patch in mask.removed.nonzero().tolist():
        target = pixels[number, patch]
        if normalise:
            target = (target - target.mean()) / (target.var() + 1e-6).sqrt()
        errors.append((predicted[number, patch] - target).square().mean())
    loss = mae(image, noise=noise, progress=0.0).loss
    torch.testing.assert_close(loss, torch.stack(errors).mean())


def test_an_untrained_network_misses_normalised_pixels_by_about_one():
    mae = method()
    assert 0.9 < mae(images(8, 3, 32, 32), noise=noise_for(mae, 8), progress=0.0).loss < 3


@pytest.mark.parametrize(("size", "patch"), [(32, 8), (96, 16), ((24, 40), 8), (28, 14)])
def test_any_grid_of_whole_patches_is_taken(size, patch):
    mae = method(network(img_size=size, patch_size=patch), mask_ratio=0.5)
    height, width = (size, size) if isinstance(size, int) else size
    outcome = mae(images(2, 3, height, width), noise=noise_for(mae), progress=0.0)
    assert mae.grid == (height // patch, width // patch)
    assert outcome.loss.isfinite()


def test_the_same_noise_gives_the_same_loss():
    mae, image = method().train(), images()
    losses = {mae(image, noise=noise_for(mae), progress=0.5).loss.item() for _ in range(3)}
    assert len(losses) == 1
    assert mae(image, noise=noise_for(mae, seed=2), progress=0.5).loss.item() not in losses


def test_noise_is_one_number_for_each_patch():
    noise = method().draw(5, torch.device("cpu"))
    assert noise.shape == (5, 16)
    assert 0 <= noise.min() < noise.max() < 1


def test_position_tables_get_no_gradient_and_all_else_does():
    mae = method()
    mae(images(), noise=noise_for(mae), progress=0.0).loss.backward()
    without = {name for name, parameter in mae.named_parameters() if parameter.grad is None}
    assert without == {"encoder.pos_embed", "decoder.pos_embed"}


def test_the_same_network_trains_its_table_in_fine_tuning():
    assert network(num_classes=3).pos_embed.requires_grad
    assert not method().encoder.pos_embed.requires_grad


def test_bf16_autocast_gives_nearly_the_same_loss_in_float32():
    mae, image = method(), images()
    exact = mae(image, noise=noise_for(mae), progress=0.0).loss
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = mae(image, noise=noise_for(mae), progress=0.0).loss
    loss.backward()
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(exact.item(), rel=0.02)
    assert all(p.grad is None or p.grad.isfinite().all() for p in mae.parameters())


def test_activation_checkpointing_changes_no_gradient():
    plain, saving = method(), method()
    saving.load_state_dict(plain.state_dict())
    saving.encoder.set_grad_checkpointing()
    for mae in (plain, saving):
        mae(images(), noise=noise_for(mae), progress=0.0).loss.backward()
    for ours, theirs in zip(plain.parameters(), saving.parameters(), strict=True):
        assert (ours.grad is None) == (theirs.grad is None)
        assert ours.grad is None or torch.equal(ours.grad, theirs.grad)


def test_a_few_steps_on_one_batch_lower_the_loss():
    mae, image = method(), images(4, 3, 32, 32)
    noise, losses = noise_for(mae, 4), []
    optimiser = torch.optim.AdamW(mae.parameters(), lr=3e-3)
    for _ in range(40):
        loss = mae(image, noise=noise, progress=0.0).loss
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.8 * losses[0]


def test_pictures_show_a_perfect_prediction_as_the_image(monkeypatch):
    """The prediction of normalised pixels is brought back to each patch's own colours."""
    mae, image = method(), images()
    monkeypatch.setattr(mae, "predict", lambda pixels, mask: normalise_patches(pixels))
    pictures = mae.pictures(image, noise=noise_for(mae))
    torch.testing.assert_close(pictures.predicted, image)
    assert torch.equal(pictures.true, image)


def test_pictures_of_raw_pixels_are_left_as_predicted(monkeypatch):
    mae, image = method(normalise_target=False), images()
    monkeypatch.setattr(mae, "predict", lambda pixels, mask: pixels)
    torch.testing.assert_close(mae.pictures(image, noise=noise_for(mae)).predicted, image)


def test_pictures_blank_exactly_the_removed_patches():
    mae, image = method(), images()
    noise = noise_for(mae)
    removed = mae.mask(noise).removed
    shown, pixels = patchify(mae.pictures(image, noise=noise).masked, 8), patchify(image, 8)
    assert shown[removed].abs().max() == 0
    assert torch.equal(shown[~removed], pixels[~removed])


def test_pictures_leave_no_graph_behind():
    mae = method()
    assert not mae.pictures(images(), noise=noise_for(mae)).predicted.requires_grad


OTHERS = [
    ("mae_vit_tiny", {}),
    ("vit_tiny_patch16_224", {}),
    ("vit_tiny_patch16_224", {"reg_tokens": 2}),
    ("vit_tiny_patch16_224", {"reg_tokens": 2, "no_embed_class": True, "init_values": 0.5}),
    ("vit_tiny_patch16_224", {"pre_norm": True}),
]


@pytest.mark.parametrize(("name", "options"), OTHERS)
def test_with_nothing_removed_the_encoder_is_the_network_itself(name, options):
    mae, image = method(network(name, **options).eval()), images()
    everything = random_mask(noise_for(mae), mask_ratio=0.0, truncate=False)
    encoded = mae.encode(patchify(image, 8), everything)
    whole = mae.encoder.forward_features(image)
    patches = whole[:, mae.encoder.num_prefix_tokens :]
    expected = torch.cat([whole[:, :1], everything.visible(patches)], dim=1)
    torch.testing.assert_close(encoded, expected, atol=2e-6, rtol=1e-5)


def test_another_networks_learned_table_is_trained():
    mae = method(network("vit_tiny_patch16_224"))
    mae(images(), noise=noise_for(mae), progress=0.0).loss.backward()
    assert mae.encoder.pos_embed.grad.abs().max() > 0


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("test_resnet", {}),
        ("vit_tiny_patch16_224", {"class_token": False, "global_pool": "avg", "fc_norm": False}),
        ("vit_tiny_patch16_224", {"pos_embed": "none"}),
        ("deit_tiny_distilled_patch16_224", {}),
        ("mocov3_vit_conv_tiny", {"embed_dim": 96}),
    ],
)
def test_a_network_that_is_no_plain_vit_is_refused(name, options):
    own = {"num_classes": 0} if name == "test_resnet" else SMALL | {"img_size": 32}
    encoder = timm.create_model(name, **(own | options))
    with pytest.raises(UserError, match=r"ssl=mae needs as model a Vision Transformer.*such as model=mae"):
        method(encoder)


def test_a_vit_without_final_norm_is_refused():
    with pytest.raises(UserError, match=r"norm after the model's last block"):
        method(network("vit_tiny_patch16_224", global_pool="avg"))


def test_an_image_of_broken_patches_is_refused():
    encoder = network("vit_tiny_patch16_224", dynamic_img_size=True, dynamic_img_pad=True)
    with pytest.raises(UserError, match=r"image_size must be a multiple of the patch, 8 px"):
        method(encoder)


def test_a_mask_that_leaves_nothing_to_see_is_refused():
    with pytest.raises(UserError, match=r"ssl\.mask_ratio .* 16 patches"):
        method(mask_ratio=0.99)


def test_a_method_can_be_copied_and_restored():
    mae, image = method(), images()
    twin = copy.deepcopy(mae)
    torch.nn.init.zeros_(twin.decoder.mask_token)
    twin.load_state_dict(mae.state_dict())
    first, second = (one(image, noise=noise_for(one), progress=0.0).loss for one in (mae, twin))
    assert torch.equal(first, second)


def test_the_config_gives_every_argument_and_the_published_recipe():
    config = OmegaConf.to_container(OmegaConf.load(CONF / "ssl" / "mae.yaml"))
    keys = {key for key in config["ssl"] if not key.startswith("_")}
    assert keys == set(inspect.signature(MAE).parameters)
    assert (config["ssl"]["mask_ratio"], config["ssl"]["normalise_target"]) == (0.75, True)
    assert [config["ssl"][f"decoder_{part}"] for part in ("dim", "depth", "heads")] == [512, 8, 16]
    assert config["crop_scale"] == [0.2, 1.0]
    optim = config["optim"]
    assert (optim["base_lr"], optim["weight_decay"], optim["betas"]) == (1.5e-4, 0.05, [0.9, 0.95])
    assert (optim["warmup_epochs"], optim["min_lr"]) == (40, 0.0)
