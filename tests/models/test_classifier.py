import inspect
from pathlib import Path

import pytest
import timm
import torch
from hydra.utils import get_object, instantiate
from omegaconf import OmegaConf
from timm.layers import DropPath
from torch.nn import functional as F

from mk11.errors import UserError
from mk11.models.classifier import create_classifier

CONFIGS = sorted(Path(__file__).parents[2].glob("conf/model/*.yaml"))
FAMILIES = ["convnext_test", "vit_test", "vgg_test", "efficientnet_test", "resnet_test"]
VARIANTS = {
    "convnext": ["tiny", "small", "base"],
    "vit": ["base", "small", "tiny"],
    "deit": ["base", "small", "tiny"],
    "vgg": ["16", "11", "13", "19", "16_bn"],
    "efficientnet": ["b0", "b1"],
    "resnet": ["50", "34", "18"],
}
every_family = pytest.mark.parametrize("name", FAMILIES)


def config(name, *, image_size=32, **changes):
    path = next(path for path in CONFIGS if path.stem == name)
    return OmegaConf.merge(
        {"image_size": image_size, "model": OmegaConf.load(path)}, {"model": changes}
    ).model


def create(name, *, num_classes=5, **changes):
    model = OmegaConf.to_container(config(name, **changes), resolve=True)
    return create_classifier(num_classes=num_classes, **{k: v for k, v in model.items() if k[0] != "_"})


def logits_of(network, size, images=2):
    with torch.no_grad():
        return network.eval()(torch.rand(images, 3, size, size))


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_each_config_opens_with_its_command_and_fits_the_signature(path):
    model = config(path.stem)
    assert path.read_text().startswith(f"# python train.py model={path.stem} ")
    keys = {key for key in model if not key.startswith("_")}
    inspect.signature(get_object(model["_target_"])).bind(**dict.fromkeys(keys), num_classes=5)


@pytest.mark.parametrize("name", ["convnext", "vit", "vgg", "efficientnet", "resnet"])
def test_the_published_networks_have_one_logit_per_subtype(name):
    network = instantiate(config(name, image_size=64), num_classes=11)
    assert network.training
    assert network.weights_report is None
    assert logits_of(network, 64, images=1).shape == (1, 11)


@pytest.mark.parametrize(
    ("name", "variant"), [(name, variant) for name, variants in VARIANTS.items() for variant in variants]
)
def test_every_variant_is_a_network_with_imagenet_weights(name, variant):
    weights = timm.get_pretrained_cfg(config(name, variant=variant).architecture)
    assert weights.hf_hub_id
    assert weights.num_classes == 1000


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_mean_and_deviation_are_those_of_the_imagenet_weights(path):
    model = config(path.stem)
    weights = timm.get_pretrained_cfg(model.architecture)
    assert (tuple(model.mean), tuple(model.std)) == (weights.mean, weights.std)


@every_family
@pytest.mark.parametrize("size", [32, 50, 72])
def test_any_image_size_gives_finite_logits(name, size):
    logits = logits_of(create(name, image_size=size), size)
    assert logits.shape == (2, 5)
    assert logits.isfinite().all()


def test_a_vit_pads_an_odd_size_to_whole_patches():
    network = create("vit_test", image_size=70).eval()
    image = torch.rand(1, 3, 70, 70)
    assert network.patch_embed.grid_size == (5, 5)
    assert torch.equal(network(image), network(F.pad(image, (0, 10, 0, 10))))


@every_family
def test_creating_is_a_function_of_the_seed_and_draws_no_more_than_timm(name):
    networks, states = [], []
    for _ in range(2):
        torch.manual_seed(3)
        networks.append(create(name).state_dict())
        states.append(torch.get_rng_state())
    torch.manual_seed(3)
    model = config(name)
    image = {"img_size": 32} if "vit" in name else {}
    timm.create_model(model.architecture, num_classes=5, **model.options, **image)
    assert all(torch.equal(a, b) for a, b in zip(*(n.values() for n in networks), strict=True))
    assert torch.equal(states[0], torch.get_rng_state())


@every_family
def test_compiling_in_place_keeps_the_checkpoint_keys(name):
    network = create(name)
    keys = list(network.state_dict())
    network.compile()
    assert list(network.state_dict()) == keys


@pytest.mark.parametrize("name", ["convnext_test", "vit_test", "efficientnet_test", "resnet_test"])
def test_drop_path_reaches_the_network_and_rises_with_depth(name):
    rates = [m.drop_prob for m in create(name, drop_path=0.3).modules() if isinstance(m, DropPath)]
    assert rates
    assert rates == sorted(rates)
    assert max(rates) <= 0.3 + 1e-6
    assert not [m for m in create(name, drop_path=0.0).modules() if isinstance(m, DropPath) and m.drop_prob]


@pytest.mark.parametrize(
    ("name", "changes", "sentence"),
    [
        (
            "convnext_test",
            {"architecture": "convnxt_tiny"},
            r"model\.architecture must .*convnext_tiny.*but is convnxt_tiny",
        ),
        ("convnext", {"variant": "huge"}, r"model\.variant must .*but is convnext_huge"),
        (
            "convnext_test",
            {"architecture": "convnext_tiny.fb_in9k"},
            r"model\.architecture must .*convnext_tiny\..*but is convnext_tiny\.fb_in9k",
        ),
        ("vgg_test", {"drop_path": 0.1}, r"model\.drop_path must be null for vgg11_bn.*but is 0\.1"),
        ("resnet_test", {"options": {"colour": 3}}, r"model\.options must .*'colour': 3"),
        ("resnet_test", {"options": {"num_classes": 3}}, r"model\.options"),
        ("resnet_test", {"mean": [0.5]}, r"model\.mean must have three numbers.*but is \[0\.5\]"),
        ("convnext_test", {"image_size": 3}, r"image_size .*must suit test_convnext, but 3 px"),
        ("vit_test", {"image_size": 0}, r"image_size must be at least 1"),
        ("vit_test", {"options": {"global_pool": ""}}, r"one logit per class, shape \(1, 5\)"),
    ],
)
def test_a_mistake_is_one_sentence_that_names_the_key(name, changes, sentence):
    with pytest.raises(UserError, match=sentence):
        create(name, **changes)


def test_arguments_are_given_by_name():
    assert {p.kind for p in inspect.signature(create_classifier).parameters.values()} == {
        inspect.Parameter.KEYWORD_ONLY
    }
