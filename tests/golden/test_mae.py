"""MAE equals its reference implementation, quantity by quantity."""

import pytest
import timm
import torch
from golden.networks import features, gradient_arrays, named, restoring, watched
from golden.recipe import Golden, low_variance, names_of, our_name

from mk11.models.positions import resized_table, sincos_table
from mk11.optim.schedule import warmup_cosine
from mk11.ssl.mae import MAE
from mk11.ssl.masking import random_mask
from mk11.ssl.patches import normalise_patches, patchify, unpatchify

GOLDEN = Golden("mae")
PATCH = 16
GRID = (14, 14)
NETWORK = {"embed_dim": 96, "depth": 3, "num_heads": 3}
DECODER = {"decoder_dim": 64, "decoder_depth": 2, "decoder_heads": 4}
STEPS = 1000  # of an epoch: the stored curves are sampled at whole steps of such a run


def pretraining_model(state, *, normalise_target=True):
    encoder = timm.create_model("mae_vit_tiny", num_classes=0, **NETWORK)
    method = MAE(
        encoder=encoder,
        mask_ratio=0.75,
        normalise_target=normalise_target,
        reference_compatible=True,
        **DECODER,
    )
    method.load_state_dict({our_name(name, "mae"): value for name, value in state.items()})
    return method


def fine_tuning_state():
    width = NETWORK["embed_dim"]
    shapes = {
        "head.weight": (5, width),
        "head.bias": (5,),
        "fc_norm.weight": (width,),
        "fc_norm.bias": (width,),
    }
    return GOLDEN.state() | {name: GOLDEN.entry(name, shape) for name, shape in shapes.items()}


def fine_tuning_model(state, **options):
    network = timm.create_model("mae_vit_tiny", num_classes=5, **NETWORK, **options).eval()
    return network, network.load_state_dict(state, strict=False)


def pretraining_arrays():
    method = pretraining_model(GOLDEN.state())
    image, noise = GOLDEN.images("imgs"), GOLDEN.noise()
    mask, pixels = method.mask(noise), patchify(image, PATCH)
    fewer = random_mask(noise, mask_ratio=GOLDEN.config["mask_ratio_alt"], truncate=True)
    yield "mask", mask.removed
    yield "ids_restore", restoring(mask, noise)
    yield "n_keep_alt", (~fewer.removed).sum(dim=1)
    blocks, decoder_blocks = method.encoder.blocks, method.decoder.blocks
    seen = watched(
        enc_in=(blocks[0], "in"),
        enc_block0=(blocks[0], "out"),
        enc_block_last=(blocks[-1], "out"),
        dec_in=(decoder_blocks[0], "in"),
        dec_block_last=(decoder_blocks[-1], "out"),
    )
    yield "latent", method.encode(pixels, mask)
    predicted = method.predict(pixels, mask)
    yield from seen.items()
    yield "pred", predicted
    yield "unpatchified_pred", unpatchify(predicted, PATCH, GRID)
    yield "latent_unmasked", unmasked_latent(method, pixels, noise)
    yield "target_raw", pixels
    yield "target_normpix", normalise_patches(pixels)
    yield "target_normpix_first4", normalise_patches(pixels)[:1, :4]
    raw = pretraining_model(GOLDEN.state(), normalise_target=False)
    yield "loss_raw", raw(image, noise=noise, progress=0.0).loss


def unmasked_latent(method, pixels, noise):
    everything = random_mask(noise, mask_ratio=0.0, truncate=True)
    latent = method.encode(pixels, everything)
    order = restoring(everything, noise)[:, :, None].expand(-1, -1, latent.shape[-1])
    return torch.cat([latent[:, :1], latent[:, 1:].gather(1, order)], dim=1)


def loss_and_gradients():
    method = pretraining_model(GOLDEN.state())
    loss = method(GOLDEN.images("imgs"), noise=GOLDEN.noise(), progress=0.0).loss
    loss.backward()
    yield "loss_normpix", loss
    yield from gradient_arrays(GOLDEN, method)


def low_variance_arrays():
    method = pretraining_model(low_variance(GOLDEN.state()))
    image, noise = GOLDEN.images("imgs"), GOLDEN.noise()
    mask, pixels = method.mask(noise), patchify(image, PATCH)
    yield "lowvar_latent", method.encode(pixels, mask)
    yield "lowvar_pred", method.predict(pixels, mask)
    yield "lowvar_loss_normpix", method(image, noise=noise, progress=0.0).loss
    network, _ = fine_tuning_model(low_variance(fine_tuning_state()))
    yield "lowvar_ft_feat", features(network, image)


def table_arrays():
    for name in ("pos_embed", "decoder_pos_embed"):
        yield name, sincos_table(GOLDEN.keys()[name][-1], GRID, row_first=False, class_token=True)
    yield "sincos_768_14", sincos_table(768, GRID, row_first=False, class_token=True)[0]
    yield "ft_resized_pos_embed", resized_table(GOLDEN.state()["pos_embed"], (10, 10), prefix=1)


def fine_tuning_arrays():
    state, image = fine_tuning_state(), GOLDEN.images("imgs")
    network, _ = fine_tuning_model(state, drop_path_rate=0.1)
    yield "ft_feat", features(network, image)
    yield "ft_logits", network(image)
    rates = [getattr(block.drop_path1, "drop_prob", 0.0) for block in network.blocks]
    yield "ft_drop_path_rates", torch.tensor(rates)
    by_class_token, _ = fine_tuning_model(state, global_pool="token")
    yield "ft_cls_feat", features(by_class_token, image)
    yield "ft_cls_logits", by_class_token(image)
    table = resized_table(state["pos_embed"], (10, 10), prefix=1)
    smaller, _ = fine_tuning_model(state | {"pos_embed": table}, img_size=160)
    yield "ft_resized_feat", features(smaller, GOLDEN.images("imgs_resized"))
    yield "ft_resized_logits", smaller(GOLDEN.images("imgs_resized"))


def schedule_arrays():
    for name in ("pre", "ft"):
        about = GOLDEN.config[f"sched_{name}"]
        steps = (torch.from_numpy(GOLDEN.values[f"sched_{name}_epoch"]) * STEPS).round()
        factors = [
            warmup_cosine(
                int(step),
                warmup_steps=about["warmup_epochs"] * STEPS,
                total_steps=about["epochs"] * STEPS,
                min_ratio=about["min_lr"] / about["lr"],
            )
            for step in steps
        ]
        peak = about["lr"] * about.get("lr_scale", 1.0)
        yield f"sched_{name}_lr", peak * torch.tensor(factors, dtype=torch.float64)


PARTS = (
    pretraining_arrays,
    loss_and_gradients,
    low_variance_arrays,
    table_arrays,
    fine_tuning_arrays,
    schedule_arrays,
)


@pytest.fixture(scope="module")
def computed():
    """Every quantity as our code gives it, by the reference's name."""
    return {name: value for part in PARTS for name, value in part()}


@pytest.mark.parametrize("array", GOLDEN.arrays)
def test_each_quantity_equals_the_reference(array, computed):
    assert GOLDEN.check(array, computed[array]) <= 1


def test_only_the_position_tables_carry_no_gradient():
    method = pretraining_model(GOLDEN.state())
    method(GOLDEN.images("imgs"), noise=GOLDEN.noise(), progress=0.0).loss.backward()
    without = {name for name, parameter in method.named_parameters() if parameter.grad is None}
    assert without == {our_name(name, "mae") for name in named(GOLDEN.meta["no_grad"])}


def test_tables_made_afresh_equal_the_loaded_ones():
    fresh = timm.create_model("mae_vit_tiny", num_classes=0, **NETWORK)
    assert GOLDEN.difference("pos_embed", fresh.pos_embed).ratio <= 1


@pytest.mark.parametrize(("kind", "options"), [("ft", {}), ("ft_resized", {"img_size": 160})])
def test_fine_tuning_leaves_aside_what_the_reference_does(kind, options):
    state = GOLDEN.state()
    if options:
        state["pos_embed"] = resized_table(state["pos_embed"], (10, 10), prefix=1)
    _, misfit = fine_tuning_model(state, **options)
    told = GOLDEN.meta["load_msgs"][kind]
    assert set(misfit.missing_keys) == named(told["missing"])
    assert set(misfit.unexpected_keys) == named(told["unexpected"])


def test_every_norm_has_the_epsilon_of_the_reference():
    method, (network, _) = pretraining_model(GOLDEN.state()), fine_tuning_model(fine_tuning_state())
    for pattern, epsilon in GOLDEN.meta["norm_eps"].items():
        for name in names_of(pattern):
            assert method.get_submodule(our_name(f"{name}.", "mae").rstrip(".")).eps == epsilon
    for pattern, epsilon in GOLDEN.meta["norm_eps_ft"].items():
        assert {network.get_submodule(name).eps for name in names_of(pattern)} == {epsilon}
