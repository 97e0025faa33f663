"""Pooled features of timm networks and of our encoders."""

import pytest
import timm
import torch
from torch import nn

from mk11.models.classifier import create_encoder
from mk11.models.features import evaluating, features, pooled

SIDE, CPU = 32, torch.device("cpu")


def network_of(name, **options):
    torch.manual_seed(0)
    options = {"img_size": SIDE} | options if "vit" in name else options
    return timm.create_model(name, **options)


def batches(*sizes):
    generator = torch.Generator().manual_seed(0)
    start = 0
    for size in sizes:
        yield {
            "image": torch.randn(size, 3, SIDE, SIDE, generator=generator),
            "label": torch.arange(start, start + size) % 3,
            "index": torch.arange(start, start + size) + 100,
        }
        start += size


def images(*sizes):
    return torch.cat([batch["image"] for batch in batches(*sizes)])


@pytest.mark.parametrize("name", ["test_vit", "test_resnet", "test_convnext", "test_efficientnet"])
@pytest.mark.parametrize("num_classes", [0, 5])
def test_features_are_what_the_head_would_read(name, num_classes):
    network = network_of(name, num_classes=num_classes).eval()
    image = images(4)
    with torch.no_grad():
        found, logits = pooled(network, image), network(image)
        read = network.get_classifier()(found) if num_classes else found
    assert found.shape == (4, network.num_features)
    assert torch.allclose(read, logits, atol=1e-6)


def test_a_vits_feature_is_its_normed_class_token():
    network = network_of("test_vit", num_classes=0).eval()
    with torch.no_grad():
        tokens = network.forward_features(images(2))  # (2, 1 + patches, dim)
        assert torch.equal(pooled(network, images(2)), tokens[:, 0])


def test_a_convolutional_networks_feature_is_the_mean_of_its_map():
    network = network_of("test_resnet", num_classes=0).eval()
    with torch.no_grad():
        expected = network.forward_features(images(2)).mean(dim=(2, 3))
        assert torch.allclose(pooled(network, images(2)), expected, atol=1e-6)


POOLING = {  # of encoders as pre-trained, on what their own norm gives
    "mae_vit_tiny": lambda tokens: tokens[:, 1:].mean(1),
    "mocov3_vit_tiny": lambda tokens: tokens[:, 0],
    "mocov3_vit_conv_tiny": lambda tokens: tokens[:, 0],
    "convmae_tiny": lambda tokens: tokens.mean(1),
    "mixmim_tiny": lambda tokens: tokens.mean(1),
}


@pytest.mark.parametrize("name", POOLING)
def test_each_methods_encoder_is_pooled_after_its_own_norm(name):
    network = create_encoder(architecture=name, image_size=64, options={}).eval()
    image = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    seen = []
    network.norm.register_forward_hook(lambda *arguments: seen.append(arguments[-1]))
    with torch.no_grad():
        found = pooled(network, image)
    tokens = seen[0].flatten(1, -2)  # MixMIM keeps rows and columns apart
    assert isinstance(network.norm, nn.LayerNorm)
    assert torch.allclose(found, POOLING[name](tokens), atol=1e-5)


def test_all_batches_arrive_in_order_without_gradient():
    network = network_of("test_resnet", num_classes=0)
    found = features(network, batches(3, 3, 1), device=CPU, autocast=None)
    assert found.rows.tolist() == list(range(100, 107))
    assert found.labels.tolist() == [0, 1, 2, 0, 1, 2, 0]
    with torch.no_grad():
        expected = pooled(network.eval(), images(3, 3, 1))
    assert torch.allclose(found.values, expected, atol=1e-5)
    assert not found.values.requires_grad


def test_a_probe_may_be_trained_on_the_features():
    found = features(network_of("test_resnet", num_classes=0), batches(4), device=CPU, autocast=None)
    head = nn.Linear(found.values.shape[1], 3)
    nn.functional.cross_entropy(head(found.values), found.labels).backward()
    assert head.weight.grad.abs().sum() > 0


def test_dropout_and_batch_statistics_are_off_while_features_are_taken():
    network = network_of("test_resnet", num_classes=0, drop_path_rate=0.9, drop_rate=0.9).train()
    before = {name: buffer.clone() for name, buffer in network.named_buffers()}
    twice = [features(network, batches(4), device=CPU, autocast=None).values for _ in range(2)]
    assert torch.equal(*twice)
    assert all(torch.equal(buffer, before[name]) for name, buffer in network.named_buffers())


def test_each_module_keeps_the_mode_it_was_in():
    network = network_of("test_resnet", num_classes=0).train()
    network.layer1.eval()  # a frozen part
    before = [module.training for module in network.modules()]
    features(network, batches(2), device=CPU, autocast=None)
    assert [module.training for module in network.modules()] == before
    assert len(set(before)) == 2


def test_the_mode_is_put_back_after_an_error():
    network = network_of("test_resnet").train()
    with pytest.raises(KeyError):  # a batch without an image
        features(network, [{}], device=CPU, autocast=None)
    assert all(module.training for module in network.modules())


def test_evaluation_mode_holds_within():
    network = network_of("test_resnet").train()
    with evaluating(network):
        assert not any(module.training for module in network.modules())


def test_half_precision_changes_features_a_little_and_their_type_not_at_all():
    network = network_of("test_vit", num_classes=0)
    full = features(network, batches(4), device=CPU, autocast=None).values
    half = features(network, batches(4), device=CPU, autocast=torch.bfloat16).values
    assert half.dtype == full.dtype == torch.float32
    assert not torch.equal(half, full)
    assert nn.functional.cosine_similarity(half, full).min() > 0.99
