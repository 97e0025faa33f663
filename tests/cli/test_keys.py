"""Keys that are not there, and keys that nothing reads."""

import copy
from pathlib import Path

import pytest
from conftest import composed
from omegaconf import OmegaConf

from mk11.cli import checks
from mk11.cli.keys import WHOLE, check_keys
from mk11.cli.pretrain import checks as pretrain_checks
from mk11.cli.selection import checks as select_checks
from mk11.errors import UserError

KNOWN = {"train": checks.KEYS, "pretrain": pretrain_checks.KEYS, "select": select_checks.KEYS}


@pytest.fixture(scope="module")
def configs():
    """The default config of each script."""
    return {script: OmegaConf.to_container(composed(script), resolve=True) for script in KNOWN}


def changed(config, dotted, value):
    """A config with one key more, or one less."""
    config = copy.deepcopy(config)
    *path, last = dotted.split(".")
    node = config
    for part in path:
        node = node[part]
    if value is None:
        del node[last]
    else:
        node[last] = value
    return config


OF_ALL = ["foo", "trainer.foo", "seeds"]
OF_TRAINING = ["optim.foo", "select.foo", "model.foo", "optim.baselr"]


@pytest.mark.parametrize(
    ("script", "key"),
    [(script, key) for script in KNOWN for key in OF_ALL]
    + [(script, key) for script in ("train", "pretrain") for key in OF_TRAINING],
)
def test_a_key_that_nothing_reads_is_refused(configs, script, key):
    with pytest.raises(UserError) as error:
        check_keys(changed(configs[script], key, 1), KNOWN[script])
    assert str(error.value).startswith(f"{key} must be a key of this command, but there is none of that name")


@pytest.mark.parametrize(
    ("script", "key"),
    [
        ("train", "loss.foo"),
        ("train", "mix.foo"),
        ("train", "pretrain.foo"),
        ("pretrain", "health.evry"),
        ("select", "encoder.foo"),
    ],
)
def test_keys_of_one_script_are_known_too(configs, script, key):
    with pytest.raises(UserError, match=f"^{key} must be a key of this command"):
        check_keys(changed(configs[script], key, 1), KNOWN[script])


def test_the_key_that_may_be_meant_is_named(configs):
    with pytest.raises(UserError, match=r"health\.evry must .*; health\.every is one$"):
        check_keys(changed(configs["pretrain"], "health.evry", 3), KNOWN["pretrain"])


@pytest.mark.parametrize("script", KNOWN)
def test_each_key_that_is_taken_away_is_named(configs, script):
    for part, known in KNOWN[script].items():
        for key in known.must:
            dotted = f"{part}.{key}" if part else key
            with pytest.raises(UserError, match=f"^{dotted} must be given, but has been taken away$"):
                check_keys(changed(configs[script], dotted, None), {WHOLE: KNOWN[script][WHOLE], part: known})


def test_a_part_that_has_no_keys_is_told(configs):
    with pytest.raises(UserError, match=r"^health must have the keys .*every.*, but is 3$"):
        check_keys(changed(configs["pretrain"], "health", 3), KNOWN["pretrain"])


def test_the_shipped_defaults_have_the_keys_of_their_script(configs):
    conf = Path(__file__).resolve().parents[2] / "conf"
    for script in KNOWN:
        check_keys(configs[script], KNOWN[script])
        given = OmegaConf.load(conf / f"{script}.yaml").keys() - {"defaults", "hydra"}
        assert given <= KNOWN[script][WHOLE].must
