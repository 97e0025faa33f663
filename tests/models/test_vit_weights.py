"""Files of DINOv2, DinoBloom and DeiT start timm's Vision Transformers."""

import pytest
import timm
import torch
from official_files import as_dinov2, dinov2_names

from mk11.errors import UserError
from mk11.models.classifier import create_classifier

IMAGENET = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}


@torch.no_grad()
def features(network, image):
    network.eval()
    return network.forward_head(network.forward_features(image), pre_logits=True)


def dinov2(*, weights="none", image_size=56, architecture="vit_small_patch14_dinov2"):
    return create_classifier(
        architecture=architecture,
        num_classes=5,
        image_size=image_size,
        drop_path=None,
        weights=str(weights),
        allow_partial=False,
        options={"embed_dim": 24, "depth": 4, "num_heads": 2},
        **IMAGENET,
    )


@pytest.mark.parametrize("architecture", ["vit_small_patch14_dinov2", "vit_small_patch14_reg4_dinov2"])
@pytest.mark.parametrize("chunks", [1, 2])
def test_a_dinov2_or_dinobloom_file_fills_timms_network(architecture, chunks, saved):
    trained = dinov2(architecture=architecture)
    torch.nn.init.normal_(trained.pos_embed)
    torch.nn.init.normal_(trained.cls_token)
    path = saved(as_dinov2(dinov2_names(trained), chunks=chunks))
    again = dinov2(architecture=architecture, weights=path)
    report = again.weights_report
    assert report.method == "dinov2"
    assert (report.missing, report.unexpected) == ((), ())
    assert {"mask_token", "dino_head", "ibot_head"} == {name.split(".")[0] for name in report.aside}
    image = torch.rand(1, 3, 56, 56)
    assert torch.allclose(features(again, image), features(trained, image), atol=1e-5)
    larger = dinov2(architecture=architecture, weights=path, image_size=112)
    assert larger.weights_report.missing == ()
    assert features(larger, torch.rand(1, 3, 112, 112)).isfinite().all()


def deit(architecture, **changes):
    return create_classifier(
        architecture=architecture,
        num_classes=changes.pop("num_classes", 5),
        image_size=changes.pop("image_size", 32),
        drop_path=None,
        weights=str(changes.pop("weights", "none")),
        allow_partial=False,
        options={"depth": 2},
        **IMAGENET,
    )


def test_a_deit_file_loads_and_its_table_is_resized_as_timm_does(saved):
    trained = timm.create_model("deit_tiny_patch16_224", depth=2)
    network = deit("deit_tiny_patch16_224", weights=saved({"model": trained.state_dict()}), image_size=64)
    report = network.weights_report
    assert (report.missing, report.unexpected, report.aside) == ((), (), ())
    assert set(report.replaced) == {"head.weight", "head.bias"}


def test_a_distilled_deit_is_refused_by_a_plain_vit_and_taken_by_its_own(saved):
    trained = timm.create_model("deit_tiny_distilled_patch16_224", depth=2)
    path = saved({"model": trained.state_dict()})
    with pytest.raises(
        UserError, match=r"has no dist_token, .* model\.architecture=deit_tiny_distilled_patch16_224"
    ):
        deit("deit_tiny_patch16_224", weights=path)
    report = deit("deit_tiny_distilled_patch16_224", weights=path).weights_report
    assert (report.missing, report.unexpected) == ((), ())
    assert set(report.replaced) == {"head.weight", "head.bias", "head_dist.weight", "head_dist.bias"}
