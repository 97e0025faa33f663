"""The optimiser that a recipe gives a ResNet makes it learn: a few steps, as `pretrain.py` makes them."""

from pathlib import Path

import pytest
import torch
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate
from omegaconf import OmegaConf

from mk11.models.classifier import create_encoder
from mk11.ssl.optimiser import optimiser_of
from mk11.ssl.settings import Settings

CONF = Path(__file__).resolve().parents[2] / "conf"
BATCH, SIDE = 8, 32
NARROW = {"channels": (32, 64, 128, 128), "stem_width": 16}


def made(*overrides):
    """A tiny ResNet under MoCo v3, and its optimiser."""
    with initialize_config_dir(str(CONF), version_base="1.3"):
        cfg = compose(
            "pretrain",
            overrides=["ssl=mocov3_resnet", "model=mocov3_resnet_tiny", "batch_size=64", *overrides],
        )
    torch.manual_seed(0)
    encoder = create_encoder(architecture=cfg.model.architecture, image_size=SIDE, options=NARROW)
    task = {"projector_dim": 64, "output_dim": 16}
    method = instantiate(cfg.ssl, encoder=encoder, **task)
    optim = OmegaConf.to_container(cfg.optim)
    optim["betas"] = tuple(optim["betas"])
    settings = Settings(
        epochs=9, batch_size=64, accumulate=1, clip_norm=None, seed=0, reference_compatible=False, **optim
    )
    return method, optimiser_of(method, settings)


def share_of_chance(method, optimiser, steps=20):
    """The loss after some steps on views of the same images, relative to the chance level."""
    generator = torch.Generator().manual_seed(0)
    cell = torch.randn(BATCH, 1, 3, SIDE, SIDE, generator=generator)
    for _ in range(steps):
        views = cell + 0.3 * torch.randn(BATCH, 2, 3, SIDE, SIDE, generator=generator)
        outcome = method(views, noise=method.draw(BATCH, views.device), progress=0.0)
        optimiser.zero_grad()
        outcome.loss.backward()
        optimiser.step()
    return outcome.loss.item() / outcome.logged["chance"]


@pytest.mark.parametrize(
    "overrides",
    [
        ("recipe=pretrain/small",),
        ("recipe=pretrain/published", "model=mocov3_resnet_tiny"),
        ("recipe=pretrain/method", "model=mocov3_resnet_tiny", "epochs=9", "optim.base_lr=2.0"),
    ],
    ids=["small", "published", "LARS"],
)
def test_a_few_steps_bring_a_resnet_below_chance(overrides):
    assert share_of_chance(*made(*overrides)) < 0.95


def test_lars_at_the_rate_of_adamw_would_stand_still():
    """What the recipes guard against: this test's loss can tell a network that does not learn."""
    assert share_of_chance(*made("recipe=pretrain/small", "optim.name=lars")) > 0.97
