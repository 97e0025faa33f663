"""Every key of every config is tied to the code that takes it."""

import inspect
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from hydra.core.hydra_config import HydraConfig
from hydra.errors import ConfigCompositionException
from hydra.utils import get_object
from omegaconf import OmegaConf

from mk11.cli.job import Job
from mk11.training.settings import Settings

CONF = Path(__file__).resolve().parents[1] / "conf"
GROUPS = ("data", "model", "augment", "imbalance", "trainer", "logger", "recipe", "data/label_map")


def options(group):
    return [path.stem for path in sorted((CONF / group).glob("*.yaml")) if not path.stem.startswith("_")]


EXPERIMENTS = [
    path.relative_to(CONF / "experiment").with_suffix("").as_posix()
    for path in sorted((CONF / "experiment").rglob("*.yaml"))
]
COMPOSED = [f"{group}={option}" for group in GROUPS for option in options(group)]
COMPOSED += [f"experiment={name}" for name in EXPERIMENTS]


def composed(*overrides):
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return compose("train", overrides=[*overrides], return_hydra_config=True)


def as_job(cfg):
    choices = dict(cfg.hydra.runtime.choices)
    OmegaConf.set_struct(cfg, False)
    hydra = cfg.pop("hydra")
    OmegaConf.set_struct(cfg, True)
    del hydra
    return Job(cfg=cfg, choices=choices, overrides=[])


def targets(node):
    """Every mapping with a `_target_`, at any depth."""
    if isinstance(node, dict):
        if "_target_" in node:
            yield node
        for child in node.values():
            yield from targets(child)
    elif isinstance(node, list):
        for child in node:
            yield from targets(child)


GIVEN_BY_THE_SCRIPT = {
    "mk11.models.classifier.create_classifier": {"num_classes"},
    "mk11.training.loggers.tensorboard": {"folder", "config", "record"},
    "mk11.training.loggers.wandb_run": {"folder", "config", "record"},
}


def given(node):
    if node["_target_"].startswith("mk11.data.transforms."):
        return {"resize"}
    return GIVEN_BY_THE_SCRIPT.get(node["_target_"], set())


def full_signature(target):
    """The signature, with the base class's parameters in place of a `**rest` that is handed on to it."""
    signature = inspect.signature(target)
    named = [p for p in signature.parameters.values() if p.kind is not inspect.Parameter.VAR_KEYWORD]
    if len(named) < len(signature.parameters):
        own = {parameter.name for parameter in named}
        base = full_signature(target.__mro__[1])
        named += [parameter for name, parameter in base.parameters.items() if name not in own]
    return signature.replace(parameters=named)


@pytest.mark.parametrize("override", COMPOSED)
def test_each_target_takes_exactly_the_keys_under_it(override):
    cfg = OmegaConf.to_container(as_job(composed(override)).cfg, resolve=False)
    found = list(targets(cfg))
    assert {node["_target_"].split(".")[1] for node in found} >= {"data", "models", "training"}
    for node in found:
        signature = full_signature(get_object(node["_target_"]))
        keys = {key: None for key in node if not key.startswith("_")} | dict.fromkeys(given(node))
        (signature.bind_partial if node.get("_partial_") else signature.bind)(**keys)


@pytest.mark.parametrize("override", COMPOSED)
def test_no_tunable_value_has_a_second_home_in_python(override):
    cfg = OmegaConf.to_container(as_job(composed(override)).cfg, resolve=False)
    for node in targets(cfg):
        if node.get("_partial_"):
            continue
        for name, parameter in inspect.signature(get_object(node["_target_"])).parameters.items():
            if parameter.default not in (inspect.Parameter.empty, None):
                pytest.fail(f"{node['_target_']}({name}={parameter.default!r}) has its default in Python")


@pytest.mark.parametrize(
    "override", [*(f"recipe={name}" for name in options("recipe")), "experiment=mk11/vit"]
)
def test_the_training_keys_fit_the_settings(override):
    settings = as_job(composed(override, "data.root=.")).settings
    assert isinstance(settings, Settings)


def test_the_published_recipe_is_the_published_one():
    settings = as_job(composed("experiment=mk11/convnext")).settings
    assert settings.lr == pytest.approx(2.5e-4)
    assert (settings.epochs, settings.warmup_epochs, settings.min_lr) == (50, 5, 1e-6)
    assert (settings.weight_decay, settings.layer_decay, settings.label_smoothing) == (0.05, 0.75, 0.1)
    cfg = composed("experiment=mk11/convnext")
    assert (cfg.image_size, cfg.model.drop_path, cfg.model.weights) == (224, 0.1, "imagenet")
    assert cfg.hydra.runtime.choices["augment"] == "paper"


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_an_experiment_opens_with_its_command(name):
    first, second = (CONF / "experiment" / f"{name}.yaml").read_text().splitlines()[:2]
    assert first == "# @package _global_"
    assert second.startswith(f"# python train.py experiment={name}")


def test_an_unknown_key_is_refused_at_composition():
    with pytest.raises(ConfigCompositionException, match=r"optim\.base_lrr"):
        composed("optim.base_lrr=1")


def test_hydra_writes_no_folder_of_its_own():
    cfg = composed()
    HydraConfig.instance().set_config(cfg)
    assert cfg.hydra.output_subdir is None
    assert cfg.hydra.run.dir == "."
