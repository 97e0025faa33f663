"""Stages in their order: a training that starts from an encoder has it pre-trained first, if it is not there.

`model.weights=stage:pretrain` stands for the pre-training of the same data, fold, seed and network that
`pretrain.ssl` and `pretrain.overrides` describe. Its run folder follows from that, so that every fold finds
its own encoder, and all trainings that mean the same one share it.
"""

import os
import re
import shlex
from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any, cast

from filelock import FileLock
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from omegaconf import DictConfig, OmegaConf, open_dict

from mk11.cli.base import BaseJob, groups
from mk11.cli.matrix.cells import is_finished, script_command
from mk11.cli.matrix.supervise import Watch, supervise
from mk11.cli.pretrain.job import PretrainJob
from mk11.errors import UserError
from mk11.runs.identity import flatten
from mk11.training.loggers import without_sweep

STAGED = "stage:pretrain"
PLAIN = re.compile(r"[A-Za-z_/][A-Za-z0-9_./-]*")
NO_WORDS = ("true", "false", "null", "nan", "inf", "infinity")  # to Hydra, values of another kind
BEFORE_QUOTE = re.compile(r"(\\+)(?='|\Z)")
CONF = Path(__file__).resolve().parents[2] / "conf"
PASSED_GROUPS = ("data", "data/label_map", "model", "trainer", "logger")
PASSED_KEYS = ("fold", "seed", "runs", "name", "workers", "threads")
# Set for one of several processes of a training; the pre-training starts its own.
OF_A_PROCESS_GROUP = ("LOCAL_RANK", "NODE_RANK", "RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
OF_THE_NETWORK = ("architecture", "variant", "options", "mean", "std")  # keys of `model` that are passed


def pretraining_of(job: BaseJob) -> PretrainJob:
    """The pre-training that a training's `stage:pretrain` stands for.

    Raises:
        UserError: pretrain.ssl says no method, or the overrides do not compose.
    """
    given = job.config["pretrain"]
    if given["ssl"] is None:
        raise UserError(f"pretrain.ssl must be a method for model.weights={STAGED}, such as mae, but is null")
    own = [str(override) for override in given["overrides"]]
    chosen = [f"{group}={job.choices[group]}" for group in PASSED_GROUPS if job.choices.get(group)]
    passed = [f"ssl={given['ssl']}", *chosen]
    passed += [f"{key}={quoted(job.config[key])}" for key in PASSED_KEYS if job.config[key] is not None]
    cfg, _ = _composed([*_without(passed, own), *own])
    passed += _differences(job.config, cfg)
    overrides = [*_without(passed, own), *own]
    cfg, choices = _composed(overrides)
    return PretrainJob(cfg=cfg, choices=choices, overrides=overrides)


def check_stage(stage: PretrainJob | None) -> None:
    """As `PretrainJob.check`, told as what it is to the command at hand."""
    try:
        if stage is not None:
            stage.check()
    except UserError as error:
        raise UserError(f"pretrain.overrides must describe a pre-training, but in it {error}") from error


def ensure_pretrained(stage: PretrainJob | None, *, script: Path) -> None:
    """Run the pre-training that a training needs, unless it is finished or there is none.

    Trainings that need the same one wait for whichever came first.

    Args:
        stage: The pre-training; None where the training needs none.
        script: The file of `pretrain.py`.

    Raises:
        UserError: It ended without an encoder.
    """
    if stage is None:
        return
    folder = stage.folder
    folder.path.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.path.with_name(f".{folder.path.name}.stage")):
        if is_finished(stage) and folder.encoder.exists():
            print(f"{STAGED} is {folder.path}", flush=True)
            return
        command = script_command(script, stage.overrides)
        environment = {
            key: value for key, value in without_sweep(os.environ).items() if key not in OF_A_PROCESS_GROUP
        }
        print(f"{STAGED} comes first: {shlex.join(['python', 'pretrain.py', *stage.overrides])}", flush=True)
        log = folder.path / "stage.log"
        watch = Watch(command=command, environment=environment, log=log, say=_say, silence=None)
        status = supervise(watch)
    if status != 0 or not folder.encoder.exists():
        raise UserError(f"{STAGED} must end with an encoder, but ended with status {status}: see {log}")


def quoted(value: object) -> str:
    """A value as Hydra's command line reads it."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | tuple):
        return f"[{','.join(map(quoted, value))}]"
    if isinstance(value, Mapping):
        return f"{{{','.join(f'{key}:{quoted(each)}' for key, each in value.items())}}}"
    if isinstance(value, str) and PLAIN.fullmatch(value) and value.lower() not in NO_WORDS:
        return value
    if isinstance(value, str):
        # A backslash stands for itself, but before a quote it has to be doubled.
        return "'" + BEFORE_QUOTE.sub(r"\1\1", value).replace("'", "\\'") + "'"
    return repr(value)


def _composed(overrides: list[str]) -> tuple[DictConfig, dict[str, str | None]]:
    """The config of `pretrain.py` with these overrides, and its groups' choices."""
    begun = GlobalHydra.instance().is_initialized()
    place = nullcontext() if begun else initialize_config_dir(str(CONF), version_base="1.3")
    with place:
        cfg = compose("pretrain", overrides=overrides, return_hydra_config=True)
    choices = groups(cfg.hydra.runtime.choices)
    with open_dict(cfg):
        del cfg["hydra"]
    return cfg, choices


def _differences(config: Mapping[str, Any], cfg: DictConfig) -> list[str]:
    """What data, network, trainer and loggers of a training say otherwise, as overrides."""
    theirs = cast(dict[str, Any], OmegaConf.to_container(cfg, resolve=True, throw_on_missing=False))
    known = dict(_leaves(theirs))
    missing = object()
    return [f"++{key}={quoted(value)}" for key, value in _leaves(config) if known.get(key, missing) != value]


def _leaves(config: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Dotted keys and values of what is passed on."""
    model = {key: config["model"][key] for key in OF_THE_NETWORK if key in config["model"]}
    passed = {group: config[group] for group in ("data", "trainer", "logger")}
    return flatten({**passed, "model": model})


def _without(overrides: list[str], others: list[str]) -> list[str]:
    """Overrides of keys that others do not give."""
    given = {override.lstrip("+~").partition("=")[0] for override in others}
    return [one for one in overrides if one.lstrip("+~").partition("=")[0] not in given]


def _say(line: str) -> None:
    print(line, flush=True)
