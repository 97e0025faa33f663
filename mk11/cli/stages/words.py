"""A stage's config as the words of its command line."""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any, cast

from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf, open_dict

from mk11.cli.base import BaseJob, groups
from mk11.errors import UserError
from mk11.runs.identity import flatten

PLAIN = re.compile(r"[A-Za-z_/][A-Za-z0-9_./-]*")
NO_WORDS = ("true", "false", "null", "nan", "inf", "infinity")  # to Hydra, values of another kind
BEFORE_QUOTE = re.compile(r"(\\+)(?='|\Z)")
CONF = Path(__file__).resolve().parents[3] / "conf"


def stage_config(
    name: str,
    job: BaseJob,
    *,
    first: Sequence[str],
    groups: Sequence[str],
    keys: Sequence[str],
    parts: Mapping[str, Sequence[str] | None],
    own: Sequence[str],
) -> tuple[DictConfig, dict[str, str | None], list[str]]:
    """Config, choices and overrides of the stage before a job: alike in what is passed on.

    Args:
        name: Of the stage's config.
        job: What the stage is for.
        first: Overrides that say what the stage is.
        groups: Config groups that are chosen alike.
        keys: Keys of the top level that have the same value, where it is not null.
        parts: Config groups whose keys have the same values, and which of their keys; None: all.
        own: The user's overrides of the stage, which outweigh all else.
    """
    chosen = [f"{group}={job.choices[group]}" for group in groups if job.choices.get(group)]
    passed = [*first, *chosen]
    passed += [f"{key}={quoted(job.config[key])}" for key in keys if job.config[key] is not None]
    cfg, _ = composed(name, [*without(passed, own), *own])
    passed += _differences(job.config, cfg, parts)
    overrides = [*without(passed, own), *own]
    cfg, choices = composed(name, overrides)
    return cfg, choices, overrides


def next_words(
    name: str, job: BaseJob, *, first: Sequence[str], parts: Mapping[str, Sequence[str]]
) -> list[str]:
    """What a script's command line says for a run on the same data, fold and seed as a finished job's.

    However the job came to them: from its command line, an experiment or a sweep.

    Args:
        name: Of the script's config.
        job: The finished one.
        first: Overrides that say what the run is.
        parts: Config groups beside `data` whose keys have the same values, and which of their keys.
    """
    default, choices = composed(name, [])
    chosen = [
        f"{group}={job.choices[group]}"
        for group in ("data", "data/label_map")
        if job.choices.get(group) and job.choices[group] != choices.get(group)
    ]
    cfg, _ = composed(name, [*first, *chosen])
    passed = {"data": None, **parts}
    known = dict(_leaves(cast(dict[str, Any], OmegaConf.to_container(cfg, resolve=True)), passed))
    alike = [one.removeprefix("++") for one in _differences(job.config, cfg, passed)]
    words = [one if one.partition("=")[0] in known else f"+{one}" for one in alike]
    top = [key for key in ("fold", "seed", "runs") if job.config[key] != default[key]]
    return [*first, *chosen, *words, *(f"{key}={quoted(job.config[key])}" for key in top)]


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


def composed(name: str, overrides: list[str]) -> tuple[DictConfig, dict[str, str | None]]:
    """A script's config with these overrides, and its groups' choices.

    Raises:
        UserError: Hydra knows no such choice or key.
    """
    begun = GlobalHydra.instance().is_initialized()
    place = nullcontext() if begun else initialize_config_dir(str(CONF), version_base="1.3")
    try:
        with place:
            cfg = compose(name, overrides=overrides, return_hydra_config=True)
    except HydraException as error:
        told = " ".join(str(error).partition("Config search path")[0].split())
        raise UserError(f"the keys of `{name}` must describe a run of {name}.py, but: {told}") from error
    choices = groups(cfg.hydra.runtime.choices)
    with open_dict(cfg):
        del cfg["hydra"]
    return cfg, choices


def without(overrides: Sequence[str], others: Sequence[str]) -> list[str]:
    """Overrides of keys that others do not give."""
    given = {override.lstrip("+~").partition("=")[0] for override in others}
    return [one for one in overrides if one.lstrip("+~").partition("=")[0] not in given]


def _differences(
    config: Mapping[str, Any], cfg: DictConfig, parts: Mapping[str, Sequence[str] | None]
) -> list[str]:
    """What the parts of a job's config say otherwise than the stage's, as overrides."""
    theirs = cast(dict[str, Any], OmegaConf.to_container(cfg, resolve=True, throw_on_missing=False))
    known = dict(_leaves(theirs, parts))
    missing = object()
    return [
        f"++{key}={quoted(value)}"
        for key, value in _leaves(config, parts)
        if known.get(key, missing) != value
    ]


def _leaves(
    config: Mapping[str, Any], parts: Mapping[str, Sequence[str] | None]
) -> Iterator[tuple[str, Any]]:
    """Dotted keys and values of what is passed on."""
    passed = {
        part: {key: value for key, value in config[part].items() if keys is None or key in keys}
        for part, keys in parts.items()
    }
    return flatten(passed)
