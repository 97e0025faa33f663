"""MixMIM equals its reference implementation, quantity by quantity."""

import pytest
import timm
import torch
from golden.networks import features, gradient_arrays, named, watched
from golden.recipe import Golden, low_variance, names_of, our_name

from mk11.models.encoders.window_stage import relative_places
from mk11.models.encoders.windows import on_finer_grid
from mk11.models.positions import resized_bias, resized_table, sincos_table
from mk11.ssl.mixmim import MixMIM
from mk11.ssl.patches import normalise_patches, patchify

GOLDEN = Golden("mixmim")
PATCH, GRID = 32, (7, 7)
NETWORK = {"embed_dim": 32, "depths": (2, 2, 3, 2), "num_heads": (1, 2, 4, 8)}
DECODER = {"decoder_dim": 64, "decoder_depth": 2, "decoder_heads": 4}
CHANGED = 1e-4  # of a token that has seen the other image


def pretraining_model(state, *, normalise_target=True):
    method = MixMIM(
        encoder=timm.create_model("mixmim_tiny", num_classes=0, **NETWORK),
        mask_ratio=0.5,
        normalise_target=normalise_target,
        reference_compatible=True,
        **DECODER,
    )
    method.load_state_dict({our_name(name, "mixmim"): value for name, value in state.items()})
    return method


def fine_tuning_state():
    shapes = {"head.weight": (5, 256), "head.bias": (5,)}
    return GOLDEN.state() | {name: GOLDEN.entry(name, shape) for name, shape in shapes.items()}


def fine_tuning_model(state, **options):
    network = timm.create_model("mixmim_tiny", num_classes=5, **NETWORK, **options).eval()
    return network, network.load_state_dict(state, strict=False)


def resized_state(state, *, side, windows):
    """The tables at another image size, as the reference makes them; the indices are left to the network."""
    state = {name: value for name, value in state.items() if not name.endswith("relative_position_index")}
    for name, value in state.items():
        if name.endswith("relative_position_bias_table"):
            state[name] = resized_bias(value, 2 * windows[int(name.split(".")[1])] - 1)
    table = resized_table(state["absolute_pos_embed"], (side // 4, side // 4), prefix=0)
    return state | {"absolute_pos_embed": table}


def mask_arrays():
    replaced = pretraining_model(GOLDEN.state()).mask(GOLDEN.noise())
    for stage in range(4):
        grid = (56 >> stage, 56 >> stage)
        yield f"mask_s{stage + 1}", on_finer_grid(replaced.view(GRID), grid).reshape(1, -1, 1)
    yield "n_masked", replaced.sum()


def pretraining_arrays():
    method = pretraining_model(GOLDEN.state())
    image, pixels = GOLDEN.images("imgs"), patchify(GOLDEN.images("imgs"), PATCH)
    replaced = method.mask(GOLDEN.noise())
    layers = method.encoder.layers
    stages = {f"stage{stage + 1}_out": (layer, "out") for stage, layer in enumerate(layers)}
    pictures = watched(patch_embed=(method.encoder.patch_embed, "out"), mixed_in=(layers[0], "in"), **stages)
    decoder = watched(
        dec_in=(method.decoder.blocks[0], "in"), dec_block_last=(method.decoder.blocks[-1], "out")
    )
    latent = method.encode(image, replaced)
    yield "latent", latent
    yield from ((name, picture.flatten(1, 2)) for name, picture in pictures.items())
    yield "pred_2B", method.reconstruct(latent, replaced)
    yield from decoder.items()
    yield "unmixed_pred", method.predict(image, replaced)
    yield "latent_no_mask_no_mix", method.encoder.forward_features(image)
    image[0] += 0.5 * image[1]
    yield "probe_image0_changed", (method.encode(image, replaced) - latent).abs().amax(dim=2) > CHANGED
    yield "target_raw", pixels
    yield "target_normpix", normalise_patches(pixels)
    yield "target_normpix_first2", normalise_patches(pixels)[:1, :2]


def loss_and_gradient_arrays():
    image, noise = GOLDEN.images("imgs"), GOLDEN.noise()
    method = pretraining_model(GOLDEN.state())
    outcome = method(image, noise=noise, progress=0.0)
    outcome.loss.backward()
    yield "loss_normpix", outcome.loss
    yield from gradient_arrays(GOLDEN, method)
    raw = pretraining_model(GOLDEN.state(), normalise_target=False)
    yield "loss_raw", raw(image, noise=noise, progress=0.0).loss
    odd = image[: GOLDEN.config["odd_batch"]]
    yield "loss_raw_odd_batch", raw(odd, noise=noise, progress=0.0).loss


@torch.no_grad()  # so that torch's fused attention is compared as well
def low_variance_arrays():
    method = pretraining_model(low_variance(GOLDEN.state()))
    image, noise = GOLDEN.images("imgs"), GOLDEN.noise()
    latent = method.encode(image, method.mask(noise))
    yield "lowvar_latent", latent
    yield "lowvar_pred", method.reconstruct(latent, method.mask(noise))
    yield "lowvar_loss_normpix", method(image, noise=noise, progress=0.0).loss
    network, _ = fine_tuning_model(low_variance(fine_tuning_state()))
    yield "lowvar_ft_feat", features(network, image)


def table_arrays():
    for name, grid in {"absolute_pos_embed": (56, 56), "decoder_pos_embed": GRID}.items():
        yield name, sincos_table(GOLDEN.keys()[name][-1], grid, row_first=False, class_token=False)
    for side in (7, 14):
        yield f"rel_index_w{side}", relative_places(side)


@torch.no_grad()
def fine_tuning_arrays():
    image = GOLDEN.images("imgs")
    network, _ = fine_tuning_model(fine_tuning_state(), drop_path_rate=0.1)
    yield "ft_feat", features(network, image)
    yield "ft_logits", network(image)
    paths = [block.drop_path for layer in network.layers for block in layer.blocks]
    yield "ft_drop_path_rates", torch.tensor([getattr(path, "drop_prob", 0.0) for path in paths])


@torch.no_grad()
def resized_arrays():
    side, windows = GOLDEN.config["resized"], GOLDEN.config["resized_window_size"]
    state = resized_state(fine_tuning_state(), side=side, windows=windows)
    yield "ft_resized_absolute_pos_embed", state["absolute_pos_embed"]
    for stage in (1, 3):
        table = state[f"layers.{stage}.blocks.0.attn.relative_position_bias_table"]
        yield f"ft_resized_bias_table_l{stage}b0", table
    network, _ = fine_tuning_model(state, img_size=side, window_size=windows)
    yield "ft_resized_feat", features(network, GOLDEN.images("imgs_resized"))
    yield "ft_resized_logits", network(GOLDEN.images("imgs_resized"))


PARTS = (
    mask_arrays,
    pretraining_arrays,
    loss_and_gradient_arrays,
    low_variance_arrays,
    table_arrays,
    fine_tuning_arrays,
    resized_arrays,
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
    assert without == {our_name(name, "mixmim") for name in named(GOLDEN.meta["no_grad"])}


@pytest.mark.parametrize(("kind", "side"), [("ft", 224), ("ft_resized", 256)])
def test_fine_tuning_leaves_aside_what_the_reference_does(kind, side):
    windows = {224: GOLDEN.config["window_size"], 256: GOLDEN.config["resized_window_size"]}[side]
    _, misfit = fine_tuning_model(resized_state(GOLDEN.state(), side=side, windows=windows), img_size=side)
    told = GOLDEN.meta["load_msgs"][kind]
    assert set(misfit.missing_keys) == named(told["missing"])
    assert set(misfit.unexpected_keys) == named(told["unexpected"])


def test_every_norm_has_the_epsilon_of_the_reference():
    method, (network, _) = pretraining_model(GOLDEN.state()), fine_tuning_model(fine_tuning_state())
    for pattern, epsilon in GOLDEN.meta["norm_eps"].items():
        names = [our_name(f"{name}.", "mixmim").rstrip(".") for name in names_of(pattern)]
        assert {method.get_submodule(name).eps for name in names} == {epsilon}
    for pattern, epsilon in GOLDEN.meta["norm_eps_ft"].items():
        assert {network.get_submodule(name).eps for name in names_of(pattern)} == {epsilon}
