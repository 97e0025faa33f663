from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from mk11.cli.checks import check_config
from mk11.cli.rules import check_given
from mk11.errors import UserError

CONF = Path(__file__).resolve().parents[2] / "conf"


def composed(*overrides):
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return compose("train", overrides=list(overrides))


def checked(*overrides):
    check_config(OmegaConf.to_container(composed(*overrides), resolve=True))


@pytest.mark.parametrize("recipe", ["small", "published"])
@pytest.mark.parametrize("model", ["convnext", "vit", "vgg", "efficientnet", "resnet"])
def test_what_the_project_ships_breaks_no_rule(recipe, model):
    checked(f"recipe={recipe}", f"model={model}", "logger=wandb")


@pytest.mark.parametrize(
    ("override", "told"),
    [
        ("epochs=abc", "epochs must be a whole number of at least 1, but is abc"),
        ("epochs=1.5", "epochs must be a whole number of at least 1, but is 1.5"),
        ("epochs=null", "epochs must be a whole number of at least 1, but is None"),
        ("batch_size=0", "batch_size must be a whole number of at least 1, but is 0"),
        ("fold=1.0", "fold must be all, final or a whole number of at least 0, but is 1.0"),
        ("fold=true", "fold must be all, final or a whole number of at least 0, but is True"),
        ("seed=-1", "seed must be a whole number of at least 0, but is -1"),
        ("workers=two", "workers must be a whole number of at least 0, but is two"),
        ("threads=-1", "threads must be a whole number of at least 1, but is -1"),
        ("image_size=abc", "image_size must be a whole number of at least 1, but is abc"),
        ("trainer.devices=auto", "trainer.devices must be a whole number of at least 1, but is auto"),
        ("optim.base_lr=high", "optim.base_lr must be a number above 0, but is high"),
        ("optim.base_lr=nan", "optim.base_lr must be a number above 0, but is nan"),
        ("optim.layer_decay=1.5", "optim.layer_decay must be a number in (0, 1], but is 1.5"),
        ("optim.min_lr=1", "optim.min_lr must be below the learning rate 0.001, but is 1"),
        ("optim.warmup_epochs=60", "optim.warmup_epochs must be at most epochs=15, but is 60"),
        ("optim.betas=[0.9]", "optim.betas must be a list of 2 numbers, but is [0.9]"),
        ("optim.betas=[0.9,1.5]", "each number of optim.betas must be a number in [0, 1), but is 1.5"),
        ("model.mean=0.5", "model.mean must be a list of 3 numbers, but is 0.5"),
        ("model.std=[0,0,0]", "each number of model.std must be a number above 0, but is 0"),
        ("model.drop_path=2", "model.drop_path must be a number in [0, 1), but is 2"),
        ("model.weights=null", "model.weights must be none, imagenet, stage:pretrain or a file, but is None"),
        ("augment.brightness=5", "augment.brightness must be a number in [0, 1], but is 5"),
        (
            "augment=paper augment.scale=[2,3]",
            "each number of augment.scale must be a number in (0, 1], but is 2",
        ),
        (
            "augment=paper augment.scale=[0.9,0.1]",
            "augment.scale must rise from least to most, but is [0.9, 0.1]",
        ),
        ("clip_norm=0", "clip_norm must be a number above 0, but is 0"),
        ("ema_decay=1", "ema_decay must be a number in [0, 1), but is 1"),
        ("mix.probability=2", "mix.probability must be a number in [0, 1], but is 2"),
        ("monitor=f1", "monitor must be one of accuracy, balanced_accuracy"),
        ("rerun=maybe", "rerun must be one of false, true, stale, but is maybe"),
        ("trainer.precision=fp8", "trainer.precision must be one of auto, fp32, bf16, fp16, but is fp8"),
        ("trainer.progress=loud", "trainer.progress must be one of auto, bar, lines, none, but is loud"),
        ("trainer.accelerator=foo", "trainer.accelerator must be one of auto, cpu, gpu, but is foo"),
        ("accumulate=3", "batch_size must be a multiple of devices x accumulate (1 x 3), but is 32"),
        (
            "batch_size=15 mix.mixup_alpha=0.8",
            "batch_size must give each device an even batch for mixing, but gives 15",
        ),
        (
            "logger=wandb logger.wandb.mode=on",
            "logger.wandb.mode must be one of online, offline, disabled, but is on",
        ),
    ],
)
def test_a_broken_rule_is_told_with_key_rule_and_value(override, told):
    with pytest.raises(UserError) as error:
        checked(*override.split())
    assert str(error.value).startswith(told)


def test_null_is_a_value_where_it_means_something():
    checked("clip_norm=null", "threads=null", "model.drop_path=null")


def test_a_key_without_a_value_is_named():
    with pytest.raises(UserError, match=r"data\.root must be given: add data\.root=\.\.\. to the command"):
        check_given(composed("data=folder"))
