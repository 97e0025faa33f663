"""Which keys a script's config has: Hydra lets `+key=` add any and `~key` remove any."""

import difflib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from mk11.errors import UserError


@dataclass(frozen=True)
class Keys:
    """The keys of one part of a config: those it must have, and those it may have; None: any."""

    must: frozenset[str]
    may: frozenset[str] | None = frozenset()


def keys(*must: str, may: Collection[str] | None = ()) -> Keys:
    """The keys of a part; `may=None` lets it have any others."""
    return Keys(frozenset(must), None if may is None else frozenset(may))


WHOLE = ""  # the top level
OF_A_TRAINER = (
    "accelerator",
    "channels_last",
    "compile",
    "devices",
    "num_nodes",
    "precision",
    "progress",
    "strategy",
)
OF_AN_OPTIMISER = ("base_lr", "betas", "layer_decay", "min_lr", "warmup_epochs", "weight_decay")
OF_A_MODEL = ("_target_", "allow_partial", "architecture", "image_size", "mean", "options", "std", "weights")
OF_EVERY_RUN = (
    "accumulate", "analysis", "augment", "batch_size", "clip_norm", "data", "dry", "epochs", "fold",
    "image_size", "jobs", "jobs_per_gpu", "jobs_timeout", "logger", "model", "monitor", "name", "optim",
    "rerun", "runs", "seed", "select", "stage", "threads", "trainer", "workers",
)  # fmt: skip
EVERY_PART: Mapping[str, Keys] = {
    "analysis": keys("tuned", may=None),
    "model": keys(*OF_A_MODEL, may=("_convert_", "drop_path", "variant")),
    "select": keys("fields", "overrides"),
}


def check_keys(config: Mapping[str, Any], parts: Mapping[str, Keys]) -> None:
    """UserError for the first key that is not there, or that nothing would ever read."""
    for part, known in parts.items():
        given = config if part == WHOLE else config[part]
        if not isinstance(given, Mapping):
            raise UserError(f"{part} must have the keys {', '.join(sorted(known.must))}, but is {given}")
        prefix = f"{part}." if part else ""
        for key in sorted(known.must - given.keys()):
            raise UserError(f"{prefix}{key} must be given, but has been taken away")
        if known.may is None:
            continue
        for key in sorted(given.keys() - known.must - known.may):
            near = difflib.get_close_matches(key, known.must | known.may, n=1)
            hint = f"; {prefix}{near[0]} is one" if near else ""
            raise UserError(
                f"{prefix}{key} must be a key of this command, but there is none of that name{hint}"
            )
