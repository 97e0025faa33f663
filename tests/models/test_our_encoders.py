"""Our encoders as classifiers, at any size, and every network without its head."""

import pytest
import torch
from timm.layers import DropPath

from mk11.errors import UserError
from mk11.models.classifier import create_classifier, create_encoder

OURS = {  # cut down in depth: architecture: options
    "mae_vit_tiny": {"depth": 2},
    "convmae_tiny": {"depth": [1, 1, 1]},
    "mixmim_tiny": {"depths": [1, 1, 2, 1]},
    "mocov3_vit_tiny": {"depth": 2},
    "mocov3_vit_conv_tiny": {"depth": 2},
}
NORMALISATION = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}
each_of_ours = pytest.mark.parametrize("architecture", OURS)


def logits_of(network, size):
    with torch.no_grad():
        return network.eval()(torch.rand(2, 3, size, size))


def ours(architecture, *, image_size=96, drop_path=0.1, **options):
    return create_classifier(
        architecture=architecture,
        num_classes=5,
        image_size=image_size,
        drop_path=drop_path,
        weights="none",
        allow_partial=False,
        options=OURS[architecture] | options,
        **NORMALISATION,
    )


@each_of_ours
def test_our_encoders_classify_pictures_of_ninety_six_pixels(architecture):
    network = ours(architecture)
    logits = logits_of(network, 96)
    assert logits.shape == (2, 5)
    assert logits.isfinite().all()
    assert network.weights_report is None
    assert not next(network.parameters()).is_meta


@each_of_ours
def test_drop_path_reaches_our_encoders_and_rises_with_depth(architecture):
    rates = [m.drop_prob for m in ours(architecture, drop_path=0.3).modules() if isinstance(m, DropPath)]
    assert rates
    assert rates == sorted(rates)
    assert max(rates) == pytest.approx(0.3)


@pytest.mark.parametrize("architecture", ["mae_vit_tiny", "convmae_tiny", "mixmim_tiny"])
def test_a_new_head_starts_next_to_zero(architecture):
    head = ours(architecture).get_classifier()
    assert 1e-5 < head.weight.std() < 3e-5
    assert head.bias.abs().max() == 0


@pytest.mark.parametrize(
    ("architecture", "pooled_norm"), [("mae_vit_tiny", 1), ("convmae_tiny", 1), ("mixmim_tiny", 0)]
)
def test_the_norm_comes_after_the_mean_in_mae_and_convmae_alone(architecture, pooled_norm):
    network = ours(architecture)
    assert isinstance(network.fc_norm, torch.nn.LayerNorm) == bool(pooled_norm)
    assert isinstance(network.norm, torch.nn.LayerNorm) != bool(pooled_norm)


@pytest.mark.parametrize("pool", ["avg", "token"])
def test_mae_can_read_its_class_token_instead(pool):
    network = ours("mae_vit_tiny", global_pool=pool).eval()
    image = torch.rand(2, 3, 96, 96)
    with torch.no_grad():
        tokens = network.forward_features(image)
        read = network.fc_norm(tokens[:, 1:].mean(dim=1)) if pool == "avg" else tokens[:, 0]
        assert torch.allclose(network(image), network.head(read), atol=1e-6)


@pytest.mark.parametrize("architecture", ["mae_vit_tiny", "convmae_tiny", "mixmim_tiny", "mocov3_vit_tiny"])
def test_a_size_that_our_encoder_cannot_take_is_refused_by_its_key(architecture):
    with pytest.raises(UserError, match=rf"^image_size must (?=.*50)(?=.*{architecture})"):
        ours(architecture, image_size=50)


@pytest.mark.parametrize("architecture", ["mae_vit_tiny", "mocov3_vit_tiny"])
def test_a_patch_that_does_not_divide_timms_own_size_is_fine(architecture):
    assert logits_of(ours(architecture, image_size=60, patch_size=12), 60).shape == (2, 5)


@pytest.mark.parametrize("architecture", [*OURS, "test_vit", "test_resnet", "test_convnext"])
def test_an_encoder_is_the_network_without_a_head(architecture):
    options = OURS.get(architecture, {})
    network = create_encoder(architecture=architecture, image_size=96, options=options)
    assert network.training
    assert not list(network.get_classifier().parameters())
    with torch.no_grad():
        pooled = network.eval()(torch.rand(2, 3, 96, 96))
    assert pooled.shape == (2, network.num_features)


@pytest.mark.parametrize("architecture", [*OURS, "test_vit", "test_resnet"])
def test_recomputing_activations_changes_no_gradient(architecture):
    gradients = []
    for again in (False, True):
        torch.manual_seed(0)
        network = create_encoder(
            architecture=architecture,
            image_size=64,
            options=OURS.get(architecture, {}),
            grad_checkpointing=again,
        )
        network(torch.rand(2, 3, 64, 64)).square().sum().backward()
        gradients.append([p.grad for p in network.parameters() if p.grad is not None])
    assert all(torch.allclose(a, b, atol=1e-5) for a, b in zip(*gradients, strict=True))


def test_a_network_that_cannot_recompute_is_told_by_the_key():
    with pytest.raises(UserError, match=r"trainer\.grad_checkpointing must be false for vgg11"):
        create_encoder(
            architecture="vgg11", image_size=64, options={"mlp_ratio": 1 / 64}, grad_checkpointing=True
        )


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"architecture": "convmae_bse"}, r"such as .*convmae_base"),
        ({"image_size": 50}, "image_size must be a multiple"),
    ],
)
def test_an_encoder_is_refused_in_the_words_of_a_classifier(changes, sentence):
    with pytest.raises(UserError, match=sentence):
        create_encoder(**{"architecture": "convmae_tiny", "image_size": 96, "options": {}} | changes)
