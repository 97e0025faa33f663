"""Encoders of one configuration: one for each fold, probed on its own fold, whose mean is the figure."""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from mk11.evaluation.probe.encoders import Encoder
from mk11.runs.identity import relevant

PER_FOLD = ("fold", "monitor", "pool.folders", "pool.manifests")  # selections and crops are a fold's own
NAMED_WEIGHTS = ("none", "imagenet")


class Probed(NamedTuple):
    """An encoder and what was found of it, a result for each fold asked."""

    encoder: Encoder
    results: Sequence[Mapping[str, Any]]


class Mean(NamedTuple):
    """One configuration's results, in the order of folds."""

    name: str
    results: Sequence[Mapping[str, Any]]


def means(probed: Sequence[Probed]) -> list[Mean]:
    """The configurations of which several folds' encoders were probed, each on one fold, no fold twice."""
    alike: dict[str, list[Probed]] = defaultdict(list)
    for one in probed:
        key = _configuration(one)
        if key is not None:
            alike[key].append(one)
    found = []
    for group in alike.values():
        results = sorted((one.results[0] for one in group), key=_fold)
        folds = {result["data"]["fold"] for result in results}
        if len(results) > 1 and len(folds) == len(results):
            found.append(Mean(_name(group[0].encoder), results))
    return found


def _configuration(one: Probed) -> str | None:
    """What encoders of one configuration share; None for one without a run, or asked about several folds."""
    config, encoder = one.encoder.config, one.encoder
    if config is None or len(one.results) != 1:
        return None
    settings = {
        key: value
        for key, value in relevant(config).items()
        if key not in PER_FOLD and not key.startswith("health.")
    }
    weights = str((config.get("model") or {}).get("weights", "none"))
    named = weights in NAMED_WEIGHTS or weights.startswith("stage:")
    result = one.results[0]
    told = {
        "name": _name(encoder),
        "settings": settings,
        "weights": weights if named else "a file",
        "data": [result["data"].get("set"), result["data"]["classes"]],
        "class_token": result["class_token"],
    }
    return json.dumps(told, sort_keys=True, default=str)


def _name(encoder: Encoder) -> str:
    """Experiment and row; whether the network is untrained stays."""
    run, comma, drawn = encoder.name.partition(", ")
    return f"{run.rpartition('/')[0]}{comma}{drawn}"


def _fold(result: Mapping[str, Any]) -> tuple[bool, str]:
    fold = result["data"]["fold"]
    return not isinstance(fold, int), f"{fold:>6}"
