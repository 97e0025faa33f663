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
from mk11.cli.pretrain.job import PretrainJob
from mk11.cli.selection.job import SelectJob
from mk11.ssl.settings import HealthSettings
from mk11.ssl.settings import Settings as PretrainSettings
from mk11.training.settings import Settings

CONF = Path(__file__).resolve().parents[1] / "conf"
GROUPS = {
    "train": ("data", "model", "augment", "imbalance", "trainer", "logger", "recipe", "data/label_map"),
    "pretrain": (
        "data",
        "model",
        "augment",
        "trainer",
        "logger",
        "pool",
        "ssl",
        "recipe/pretrain",
        "data/label_map",
    ),
    "select": ("data", "fields", "filter", "crop", "encoder", "selection", "trainer"),
}
PARTS = {
    "train": {"data", "models", "training"},
    "pretrain": {"data", "models", "ssl"},
    "select": {"data", "selection"},
}
JOBS = {"train": Job, "pretrain": PretrainJob, "select": SelectJob}


def options(group):
    return [path.stem for path in sorted((CONF / group).glob("*.yaml")) if not path.stem.startswith("_")]


def choices(script, group):
    """What the command line can say of a group: `recipe=pretrain/small` is a file of recipe/pretrain."""
    prefix = f"{group.partition('/')[2]}/" if group == "recipe/pretrain" else ""
    name = group.partition("/")[0] if prefix else group
    return [f"{name}={prefix}{option}" for option in options(group)]


EXPERIMENTS = {
    path.relative_to(CONF / "experiment").with_suffix("").as_posix(): "pretrain"
    if "pretrain" in path.parts
    else "train"
    for path in sorted((CONF / "experiment").rglob("*.yaml"))
}
COMPOSED = [
    (script, choice)
    for script, groups in GROUPS.items()
    for group in groups
    for choice in choices(script, group)
]
COMPOSED += [(script, f"experiment={name}") for name, script in EXPERIMENTS.items()]


def composed(*overrides, script="train"):
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return compose(script, overrides=[*overrides], return_hydra_config=True)


def as_job(cfg):
    chosen = dict(cfg.hydra.runtime.choices)
    OmegaConf.set_struct(cfg, False)
    hydra = cfg.pop("hydra")
    OmegaConf.set_struct(cfg, True)
    del hydra
    return JOBS[cfg.stage](cfg=cfg, choices=chosen, overrides=[])


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
    "mk11.selection.filters.fit.fitted_filter": {"held_out"},
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


@pytest.mark.parametrize(("script", "override"), COMPOSED)
def test_each_target_takes_exactly_the_keys_under_it(script, override):
    cfg = OmegaConf.to_container(as_job(composed(override, script=script)).cfg, resolve=False)
    found = list(targets(cfg))
    assert {node["_target_"].split(".")[1] for node in found} >= PARTS[script]
    for node in found:
        signature = full_signature(get_object(node["_target_"]))
        keys = {key: None for key in node if not key.startswith("_")} | dict.fromkeys(given(node))
        (signature.bind_partial if node.get("_partial_") else signature.bind)(**keys)


@pytest.mark.parametrize(("script", "override"), COMPOSED)
def test_no_tunable_value_has_a_second_home_in_python(script, override):
    cfg = OmegaConf.to_container(as_job(composed(override, script=script)).cfg, resolve=False)
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


@pytest.mark.parametrize("override", [*choices("pretrain", "ssl"), *choices("pretrain", "recipe/pretrain")])
def test_the_pre_training_keys_fit_the_settings(override):
    given = ("epochs=9", "batch_size=8") if override.endswith("/method") else ()
    job = as_job(composed(override, *given, "data.root=.", script="pretrain"))
    assert isinstance(job.settings, PretrainSettings)
    assert isinstance(HealthSettings(**job.config["health"]), HealthSettings)


SSL = ("mae", "convmae", "mocov3", "mocov3_resnet", "mixmim")


@pytest.mark.parametrize("ssl", SSL)
def test_the_published_pre_training_is_the_published_one(ssl):
    settings = as_job(composed(f"ssl={ssl}", "recipe=pretrain/published", script="pretrain")).settings
    assert (settings.name, settings.weight_decay, settings.batch_size) == ("adamw", 0.05, 64)
    assert settings.lr == pytest.approx(2.5e-4)
    assert (settings.epochs, settings.warmup_epochs, settings.layer_decay) == (400, 5, 0.75)
    assert settings.betas == ((0.9, 0.999) if ssl.startswith("mocov3") else (0.9, 0.95))
    cfg = composed(f"ssl={ssl}", "recipe=pretrain/published", script="pretrain")
    assert (cfg.image_size, cfg.hydra.runtime.choices["model"]) == (224, ssl)


@pytest.mark.parametrize("ssl", SSL)
def test_a_small_pre_training_has_the_optimiser_of_its_learning_rate(ssl):
    settings = as_job(composed(f"ssl={ssl}", "recipe=pretrain/small", script="pretrain")).settings
    assert (settings.name, settings.lr) == ("adamw", pytest.approx(1e-3))


def test_each_method_has_its_own_published_values():
    published = {
        "mae": (4096, 2.4e-3, 0.05, 40),
        "convmae": (2048, 1.2e-3, 0.05, 40),
        "mixmim": (2048, 1.2e-3, 0.05, 40),
        "mocov3": (4096, 2.4e-3, 0.1, 40),
        "mocov3_resnet": (4096, 4.8, 1e-6, 10),
    }
    for name, (batch, lr, decay, warmup) in published.items():
        settings = as_job(composed(f"experiment=pretrain/{name}", script="pretrain")).settings
        assert (settings.batch_size, settings.weight_decay, settings.warmup_epochs) == (batch, decay, warmup)
        assert settings.lr == pytest.approx(lr)


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
    assert second.startswith(f"# python {EXPERIMENTS[name]}.py experiment={name}")


def test_an_unknown_key_is_refused_at_composition():
    with pytest.raises(ConfigCompositionException, match=r"optim\.base_lrr"):
        composed("optim.base_lrr=1")


@pytest.mark.parametrize("script", ["train", "pretrain"])
def test_hydra_writes_no_folder_of_its_own(script):
    cfg = composed(script=script)
    HydraConfig.instance().set_config(cfg)
    assert cfg.hydra.output_subdir is None
    assert cfg.hydra.run.dir == "."
