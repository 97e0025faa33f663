import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mk11.runs.identity import NEUTRAL, flatten, identity, relevant

CONFIG = {
    "data": {"name": "a", "root": "/here", "resize": "short_side", "target_um_per_pixel": None},
    "model": {"architecture": "resnet18", "weights": "none", "options": {}},
    "optim": {"base_lr": 1e-3, "betas": [0.9, 0.999]},
    "trainer": {"precision": "auto", "devices": 1},
    "mix": {"mixup_alpha": 0.0},
    "logger": {"wandb": {"mode": "online"}},
    "workers": 2,
    "runs": "runs",
    "name": "a",
    "fold": 0,
}
CONTENT = {"fold": "0123", "classes": ("a", "b"), "weights": None, "precision": "32-true"}


def changed(key, value):
    config = copy.deepcopy(CONFIG)
    node = config
    *path, last = key.split(".")
    for name in path:
        node = node.setdefault(name, {})
    node[last] = value
    return config


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("data.root", "/there"),
        ("data.name", "b"),
        ("logger.wandb.mode", "offline"),
        ("workers", 8),
        ("runs", "elsewhere"),
        ("rerun", True),
        ("dry", True),
        ("threads", 4),
        ("trainer.progress", "none"),
        ("model.weights", "/a/copy/of/the/same/file"),
    ],
)
def test_what_cannot_change_a_result_leaves_the_identity_alone(key, value):
    assert identity(changed(key, value), CONTENT) == identity(CONFIG, CONTENT)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("fold", 1),
        ("data.resize", "fixed_scale"),
        ("optim.base_lr", 2e-3),
        ("optim.betas", [0.9, 0.95]),
        ("model.architecture", "resnet34"),
        ("trainer.devices", 2),
        ("mix.mixup_alpha", 0.8),
        ("ema_decay", 0.99),
    ],
)
def test_what_can_change_a_result_changes_the_identity(key, value):
    assert identity(changed(key, value), CONTENT) != identity(CONFIG, CONTENT)


@pytest.mark.parametrize("key", CONTENT)
def test_other_content_is_another_run(key):
    assert identity(CONFIG, {**CONTENT, key: "other"}) != identity(CONFIG, CONTENT)


@given(st.sampled_from(sorted(NEUTRAL)))
def test_a_key_at_its_neutral_value_orphans_no_finished_run(key):
    assert identity(changed(key, NEUTRAL[key]), CONTENT) == identity(CONFIG, CONTENT)


@pytest.mark.parametrize(
    ("key", "one", "other"),
    [
        ("clip_norm", 1, 1.0),
        ("mix.probability", 1.0, 0.5),  # nothing is mixed
        ("data.target_um_per_pixel", None, 0.5),  # the short side decides
    ],
)
def test_values_without_a_difference_are_one_run(key, one, other):
    assert identity(changed(key, one), CONTENT) == identity(changed(key, other), CONTENT)


def test_the_order_of_keys_does_not_matter():
    assert identity(dict(reversed(CONFIG.items())), CONTENT) == identity(CONFIG, CONTENT)


def test_flatten_keeps_lists_whole_and_joins_names_with_dots():
    assert dict(flatten({"a": {"b": [1, 2], "c": {}}})) == {"a.b": [1, 2], "a.c": {}}


def test_of_the_data_group_only_what_the_fingerprint_does_not_cover_is_relevant():
    assert {key for key in relevant(CONFIG) if key.startswith("data")} == {"data.resize"}
