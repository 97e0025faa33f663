"""Official files start a network, as `model.weights` would; tiny models with the references' numbers."""

import pytest
import torch
from golden.recipe import Golden
from official_files import (
    TINY,
    as_moco,
    as_training_script,
    encoder_only,
    in_our_names,
    published,
    tiny_state,
)

from mk11.errors import UserError
from mk11.models.classifier import create_classifier, create_encoder

IMAGENET = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}


def classifier(name, *, weights, image_size=None, num_classes=5, allow_partial=False, **options):
    architecture, own, size = TINY[name]
    return create_classifier(
        architecture=architecture,
        num_classes=num_classes,
        image_size=image_size or size,
        drop_path=None,
        weights=str(weights),
        allow_partial=allow_partial,
        options=own | options,
        **IMAGENET,
    )


def contents_of(name):
    """The whole pre-training file as its script writes it."""
    return (
        as_moco(tiny_state(name))
        if name in ("vit", "convstem", "resnet")
        else as_training_script(tiny_state(name))
    )


ASIDE = {
    "mae": {
        "decoder_embed",
        "decoder_blocks",
        "decoder_norm",
        "decoder_pred",
        "decoder_pos_embed",
        "mask_token",
    }
    | {"norm"},
    "mixmim": {
        "decoder_embed",
        "decoder_blocks",
        "decoder_norm",
        "decoder_pred",
        "decoder_pos_embed",
        "mask_token",
    }
    | {"layers"},  # the window's index buffers
    "vit": {"projector", "momentum_encoder", "predictor"},
}
ASIDE["convmae"] = ASIDE["mae"] | {"stage1_output_decode", "stage2_output_decode"}
ASIDE["convstem"] = ASIDE["resnet"] = ASIDE["vit"]


@pytest.mark.parametrize("name", TINY)
def test_a_pre_training_file_fills_the_whole_encoder(name, saved):
    network = classifier(name, weights=saved(contents_of(name)))
    report, own, theirs = network.weights_report, network.state_dict(), tiny_state(name)
    assert (report.missing, report.unexpected) == ((), ())
    assert {name.split(".")[0] for name in report.replaced} <= {"head", "fc_norm", "fc"}
    assert {name.split(".")[0] for name in report.aside} - {"optimizer", "scaler", "args"} == ASIDE[name]
    assert "optimizer" in report.aside
    prefix = "base_encoder." if name in ("vit", "convstem", "resnet") else ""
    assert all(torch.equal(own[key], theirs[prefix + key]) for key in report.matched)
    untouched = set(own) - set(report.matched) - set(report.replaced)
    assert {key.split(".")[-1] for key in untouched} <= {"relative_position_index", "num_batches_tracked"}


@pytest.mark.parametrize("name", TINY)
def test_the_log_line_counts_what_is_left_aside(name, saved):
    report = classifier(name, weights=saved(contents_of(name))).weights_report
    told = report.sentence()
    assert (
        f"{len(report.matched)} tensors matched, 0 missing, 0 unexpected, {len(report.aside)} left aside ("
        in told
    )
    assert "fresh: " in told
    assert report.method == (name if name in ("mae", "convmae", "mixmim") else "mocov3")
    assert len(told) < 400


@pytest.mark.parametrize("wrap", [dict, lambda state: {"model": state}, lambda state: {"state_dict": state}])
@pytest.mark.parametrize("method", ["mae", "convmae"])
def test_an_encoder_only_file_loads_in_every_container(method, wrap, saved):
    report = classifier(method, weights=saved(wrap(encoder_only(method, tiny_state(method))))).weights_report
    assert (report.missing, report.unexpected) == ((), ())
    assert set(report.aside) == {"norm.weight", "norm.bias"}
    assert set(report.replaced) == {"head.weight", "head.bias", "fc_norm.weight", "fc_norm.bias"}


def test_a_mae_file_starts_timms_own_vit_on_its_class_token(saved):
    network = create_classifier(
        architecture="vit_base_patch16_224",
        num_classes=5,
        image_size=160,
        drop_path=None,
        weights=str(saved(contents_of("mae"))),
        allow_partial=False,
        options={"embed_dim": 96, "depth": 3, "num_heads": 3},
        **IMAGENET,
    )
    assert network.weights_report.missing == ()
    assert torch.equal(network.norm.weight, tiny_state("mae")["norm.weight"])
    assert Golden("mae").check("ft_resized_pos_embed", network.pos_embed.detach()) <= 1, (
        "MAE's way of resizing"
    )


def test_pre_training_goes_on_from_an_official_encoder(saved):
    architecture, options, size = TINY["mae"]
    network = create_encoder(
        architecture=architecture, image_size=size, options=options, weights=str(saved(contents_of("mae")))
    )
    assert (network.weights_report.missing, network.weights_report.replaced) == ((), ())
    assert torch.equal(network.norm.weight, tiny_state("mae")["norm.weight"])


@pytest.mark.parametrize("name", TINY)
def test_a_checkpoint_of_our_own_pre_training_starts_a_network(name, saved):
    method = name if name in ("mae", "convmae", "mixmim") else "mocov3"
    ours = {f"method.{key}": tensor for key, tensor in in_our_names(tiny_state(name), method).items()}
    told = {"architecture": TINY[name][0], "options": TINY[name][1], "trained_on": [], **IMAGENET}
    official = classifier(name, weights=saved(contents_of(name))).state_dict()
    path = saved({"state_dict": ours, "mk11": told, "epoch": 3, "optimizer_states": [{"state": {}}]})
    network = classifier(name, weights=path)
    report = network.weights_report
    assert (report.missing, report.unexpected, report.method) == ((), (), method)
    assert all(torch.equal(network.state_dict()[key], official[key]) for key in report.matched)
    assert "optimizer_states" in report.aside


def test_one_missing_tensor_of_an_official_file_is_refused(saved):
    state = tiny_state("convmae")
    del state["blocks2.1.attn.bias"]
    path = saved({"model": state})
    with pytest.raises(UserError, match=r"1 of its tensors are missing .*\(blocks2\.1\.attn\.bias\)"):
        classifier("convmae", weights=path)
    report = classifier("convmae", weights=path, allow_partial=True).weights_report
    assert report.missing == ("blocks2.1.attn.bias",)


def test_another_size_of_the_same_method_is_refused_and_named(saved):
    path = saved({"model": published("mae", "unofficial_mae_vit_small_patch16_dec512d8b")})
    with pytest.raises(
        UserError,
        match=r"none of its tensors fits .*MAE's \(width 384\), which model=mae model\.variant=small",
    ):
        classifier("mae", weights=path)
    with pytest.raises(
        UserError, match=r"must fill the whole encoder .* model\.variant=small fits; model\.allow_partial"
    ):
        classifier("mae", weights=path, embed_dim=384, depth=6, num_heads=6)


def test_weights_under_another_normalisation_are_warned_of(saved):
    path = saved(contents_of("mae"))
    with pytest.warns(
        UserWarning, match=r"official\.pth was trained with mean \(0\.485.* but model\.mean is \(0\.5"
    ):
        create_classifier(
            architecture=TINY["mae"][0],
            num_classes=5,
            image_size=224,
            drop_path=None,
            weights=str(path),
            allow_partial=False,
            options=TINY["mae"][1],
            mean=(0.5, 0.5, 0.5),
            std=(0.5, 0.5, 0.5),
        )
