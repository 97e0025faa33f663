"""Fine-tuning from official files gives the references' features, logits and resized tables (tiny models)."""

import pytest
import torch
from golden.recipe import Golden
from official_files import TINY, as_moco, as_training_script, finetuned, tiny_state

from mk11.models.classifier import create_classifier


def classifier(name, *, weights, image_size=None):
    architecture, options, size = TINY[name]
    return create_classifier(
        architecture=architecture,
        num_classes=5,
        image_size=image_size or size,
        drop_path=None,
        weights=str(weights),
        allow_partial=False,
        options=options,
        mean=(0.485, 0.456, 0.406),
        std=(0.229, 0.224, 0.225),
    )


@torch.no_grad()
def features(network, image):
    network.eval()
    return network.forward_head(network.forward_features(image), pre_logits=True)


@pytest.mark.parametrize("method", ["mae", "convmae"])
def test_the_norm_after_the_mean_starts_fresh_and_the_files_own_is_left_aside(method, saved):
    network = classifier(method, weights=saved(as_training_script(tiny_state(method))))
    assert torch.equal(network.fc_norm.weight, torch.ones(96))
    assert torch.equal(network.fc_norm.bias, torch.zeros(96))
    assert "norm.weight" not in network.state_dict()


def test_mixmim_keeps_its_norm(saved):
    network = classifier("mixmim", weights=saved(as_training_script(tiny_state("mixmim"))))
    assert torch.equal(network.norm.weight, tiny_state("mixmim")["norm.weight"])


@pytest.mark.parametrize("method", ["mae", "convmae", "mixmim"])
def test_a_fine_tuned_file_gives_the_references_features_and_logits(method, saved):
    golden = Golden(method)
    network = classifier(method, weights=saved(as_training_script(finetuned(method))))
    assert network.weights_report.replaced == ()
    image = golden.images("imgs")
    assert golden.check("ft_feat", features(network, image)) <= 1
    with torch.no_grad():
        assert golden.check("ft_logits", network(image)) <= 1


def test_the_online_encoder_of_moco_gives_the_references_features_and_logits(saved):
    golden = Golden("mocov3")
    network = classifier("vit", weights=saved(as_moco(tiny_state("vit"))))
    network.head.load_state_dict(
        {k: golden.entry(f"head.{k}", s) for k, s in (("weight", (5, 96)), ("bias", (5,)))}
    )
    assert golden.check("ft_feat", features(network, golden.images("x1"))) <= 1
    with torch.no_grad():
        assert golden.check("ft_logits", network(golden.images("x1"))) <= 1


def test_mae_at_another_image_size_equals_the_reference(saved):
    golden = Golden("mae")
    network = classifier(
        "mae", weights=saved({"model": finetuned("mae")}), image_size=golden.config["resized"]
    )
    image = golden.images("imgs_resized")
    assert golden.check("ft_resized_pos_embed", network.pos_embed.detach()) <= 1
    assert golden.check("ft_resized_feat", features(network, image)) <= 1
    with torch.no_grad():
        assert golden.check("ft_resized_logits", network(image)) <= 1


def test_mixmim_at_another_image_size_and_window_equals_the_reference(saved):
    golden = Golden("mixmim")
    network = classifier(
        "mixmim", weights=saved({"model": finetuned("mixmim")}), image_size=golden.config["resized"]
    )
    image, state = golden.images("imgs_resized"), network.state_dict()
    assert golden.check("ft_resized_absolute_pos_embed", state["absolute_pos_embed"]) <= 1
    tables = [name for name in golden.arrays if name.startswith("ft_resized_bias_table_")]
    assert tables == ["ft_resized_bias_table_l1b0", "ft_resized_bias_table_l3b0"]
    for name, layer in zip(tables, (1, 3), strict=True):
        table = state[f"layers.{layer}.blocks.0.attn.relative_position_bias_table"]
        assert golden.check(name, table) <= 1
    assert golden.check("ft_resized_feat", features(network, image)) <= 1
    with torch.no_grad():
        assert golden.check("ft_resized_logits", network(image)) <= 1


def test_convmae_runs_at_another_image_size_with_its_table_resized(saved):
    network = classifier("convmae", weights=saved(as_training_script(tiny_state("convmae"))), image_size=96)
    assert network.pos_embed.shape == (1, 36, 96)
    assert network.weights_report.missing == ()
    assert features(network, torch.rand(1, 3, 96, 96)).isfinite().all()
