"""ConvMAE equals its reference implementation, quantity by quantity."""

import pytest
import timm
import torch
from golden.networks import features, gradient_arrays, named, restoring, watched
from golden.recipe import Golden, low_variance, names_of, our_name
from ssl_methods import hide_from_convolutions

from mk11.models.positions import sincos_table
from mk11.ssl.convmae import ConvMAE
from mk11.ssl.patches import normalise_patches, patchify, unpatchify

GOLDEN = Golden("convmae")
GRID, PATCH = (14, 14), 16
NETWORK = {"embed_dim": (32, 48, 96), "depth": (2, 2, 3), "num_heads": 3}
DECODER = {"decoder_dim": 64, "decoder_depth": 2, "decoder_heads": 4}


def pretraining_model(state, *, normalise_target=True):
    method = ConvMAE(
        encoder=timm.create_model("convmae_tiny", num_classes=0, **NETWORK),
        mask_ratio=0.75,
        normalise_target=normalise_target,
        reference_compatible=True,
        **DECODER,
    )
    method.load_state_dict({our_name(name, "convmae"): value for name, value in state.items()})
    return method


def fine_tuning_state():
    shapes = {"head.weight": (5, 96), "head.bias": (5,), "fc_norm.weight": (96,), "fc_norm.bias": (96,)}
    return GOLDEN.state() | {name: GOLDEN.entry(name, shape) for name, shape in shapes.items()}


def fine_tuning_model(state, **options):
    network = timm.create_model("convmae_tiny", num_classes=5, **NETWORK, **options).eval()
    return network, network.load_state_dict(state, strict=False)


def channels_first(picture):
    return picture.permute(0, 3, 1, 2)


def all_places_arrays():
    """What the reference computes at all places, visible or not; our way computes the visible ones alone."""
    method, image = pretraining_model(GOLDEN.state()), GOLDEN.images("imgs")
    removed = method.mask(GOLDEN.noise()).removed
    keep = hide_from_convolutions(method.encoder, ~removed, GRID, method.places)
    yield "keep_mask_stage1", keep[0]
    yield "keep_mask_stage2", keep[1]
    names = ("patch_embed1", "patch_embed2", "patch_embed3")
    seen = watched(**{name: (getattr(method.encoder, name), "out") for name in names})
    first, second, _ = method.encoder.stages(image.permute(0, 2, 3, 1), (None, None))
    yield from ((name, channels_first(value)) for name, value in seen.items())
    yield "stage1_out", channels_first(first)
    yield "stage2_out", channels_first(second)
    yield "stage1_decode", method.stage1_output_decode(channels_first(first))
    yield "stage2_decode", method.stage2_output_decode(channels_first(second))


def pretraining_arrays():
    method = pretraining_model(GOLDEN.state())
    image, noise = GOLDEN.images("imgs"), GOLDEN.noise()
    mask, pixels = method.mask(noise), patchify(image, PATCH)
    yield "mask", mask.removed
    yield "ids_restore", restoring(mask, noise)
    seen = watched(
        stage3_in=(method.encoder.blocks3[0], "in"),
        stage3_visible_out=(method.encoder.blocks3[-1], "out"),
        dec_in=(method.decoder.blocks[0], "in"),
        dec_block_last=(method.decoder.blocks[-1], "out"),
    )
    latent = method.encode(pixels, mask)
    yield "latent", latent
    yield "pred", method.predict(pixels, mask)
    yield from seen.items()
    changed = patchify(
        image + 3.0 * unpatchify(mask.removed[..., None].expand_as(pixels) * 1.0, PATCH, GRID), PATCH
    )
    yield "leakage_max", (method.encode(changed, mask) - latent).abs().max()
    yield "target_raw", pixels
    yield "target_normpix", normalise_patches(pixels)
    yield "target_normpix_first4", normalise_patches(pixels)[:1, :4]
    raw = pretraining_model(GOLDEN.state(), normalise_target=False)
    yield "loss_raw", raw(image, noise=noise, progress=0.0).loss


def loss_and_gradient_arrays():
    method = pretraining_model(GOLDEN.state())
    outcome = method(GOLDEN.images("imgs"), noise=GOLDEN.noise(), progress=0.0)
    outcome.loss.backward()
    yield "loss_normpix", outcome.loss
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
        yield name, sincos_table(GOLDEN.keys()[name][-1], GRID, row_first=False, class_token=False)


def fine_tuning_arrays():
    image = GOLDEN.images("imgs")
    network, _ = fine_tuning_model(fine_tuning_state(), drop_path_rate=0.1)
    yield "ft_feat", features(network, image)
    yield "ft_logits", network(image)
    convolutions = [block.drop_path for blocks in (network.blocks1, network.blocks2) for block in blocks]
    paths = [*convolutions, *(block.drop_path1 for block in network.blocks3)]
    yield "ft_drop_path_rates", torch.tensor([getattr(path, "drop_prob", 0.0) for path in paths])
    by_first_token, _ = fine_tuning_model(fine_tuning_state(), global_pool="token")
    yield "ft_tok0_feat", features(by_first_token, image)
    yield "ft_tok0_logits", by_first_token(image)


PARTS = (
    all_places_arrays,
    pretraining_arrays,
    loss_and_gradient_arrays,
    low_variance_arrays,
    table_arrays,
    fine_tuning_arrays,
)


@pytest.fixture(scope="module")
def computed():
    """Every quantity as our code gives it, by the reference's name."""
    return {name: value for part in PARTS for name, value in part()}


@pytest.mark.parametrize("array", GOLDEN.arrays)
def test_each_quantity_equals_the_reference(array, computed):
    assert GOLDEN.check(array, computed[array]) <= 1


def test_removed_pixels_reach_no_visible_token_at_all(computed):
    assert computed["leakage_max"] == 0


def test_only_the_position_tables_carry_no_gradient():
    method = pretraining_model(GOLDEN.state())
    method(GOLDEN.images("imgs"), noise=GOLDEN.noise(), progress=0.0).loss.backward()
    without = {name for name, parameter in method.named_parameters() if parameter.grad is None}
    assert without == {our_name(name, "convmae") for name in named(GOLDEN.meta["no_grad"])}


@pytest.mark.parametrize(("kind", "pool"), [("ft", "avg"), ("ft_tok0", "token")])
def test_fine_tuning_leaves_aside_what_the_reference_does(kind, pool):
    _, misfit = fine_tuning_model(GOLDEN.state(), global_pool=pool)
    told = GOLDEN.meta["load_msgs"][kind]
    assert set(misfit.missing_keys) == named(told["missing"])
    assert set(misfit.unexpected_keys) == named(told["unexpected"])


def test_an_encoder_only_file_fills_the_encoder():
    absent = tuple(GOLDEN.manifest["encoder_only_file"]["missing_prefixes"])
    state = {name: value for name, value in GOLDEN.state().items() if not name.startswith(absent)}
    encoder = timm.create_model("convmae_tiny", num_classes=0, **NETWORK)
    encoder.load_state_dict(state)  # strictly: nothing missing, nothing over


def test_every_norm_has_the_epsilon_of_the_reference():
    method, (network, _) = pretraining_model(GOLDEN.state()), fine_tuning_model(fine_tuning_state())
    for pattern, epsilon in GOLDEN.meta["norm_eps"].items():
        names = [our_name(f"{name}.", "convmae").rstrip(".") for name in names_of(pattern)]
        assert {method.get_submodule(name).eps for name in names} == {epsilon}
    for pattern, epsilon in GOLDEN.meta["norm_eps_ft"].items():
        assert {network.get_submodule(name).eps for name in names_of(pattern)} == {epsilon}
