"""The shape of run.json and metrics.json that every reader of a run relies on, checked when it is read."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

FINAL = "final"  # the fold that tests on the images locked away from all numbered folds
SPLIT_KEYS = ("images", "absent", "per_class")  # of a split, beside its metrics
CLASS_MEASURES = ("precision", "recall", "f1", "pr_auc")  # of each class, with its support

CONFIG = {"data": "resize", "model": "weights"}  # a key of each group that every config has
WITHOUT_MODEL = "select"  # the stage that trains nothing

Holds = Callable[[Any], bool]


def record_faults(record: Mapping[str, Any]) -> list[str]:
    """Keys of run.json that are lacking or not as runs have them, dotted."""
    told = [key for key, holds in REQUIRED.items() if key not in record or not holds(record[key])]
    told += [key for key, holds in OPTIONAL.items() if record.get(key) is not None and not holds(record[key])]
    data = record.get("data")
    if isinstance(data, dict):
        told += [
            f"data.{key}" for key, holds in DATA.items() if data.get(key) is not None and not holds(data[key])
        ]
    return told


def metrics_faults(metrics: object, classes: Sequence[str]) -> list[str]:
    """Keys of metrics.json that are lacking or not as finished runs have them, dotted."""
    if not isinstance(metrics, dict):
        return ["test"]
    found = [
        fault for split in ("test", "val") for fault in _split_faults(split, metrics.get(split), classes)
    ]
    last = metrics.get("last")
    found += [] if isinstance(last, dict) and all(map(_is_flat_split, last.values())) else ["last"]
    found += [] if _is_best(metrics.get("best_validation")) else ["best_validation"]
    return found + [key for key in ("epochs", "best_epoch") if not _is_number_or_none(metrics.get(key))]


def other_metrics_faults(metrics: object, _: Sequence[str]) -> list[str]:
    """The same for runs that end in an encoder or a selection: final measures and no predictions."""
    final = metrics.get("final") if isinstance(metrics, dict) else None
    return [] if isinstance(final, dict) and all(map(_is_number, final.values())) else ["final"]


def config_faults(config: Mapping[str, Any]) -> list[str]:
    """Keys of config.yaml that are lacking or not as readers need them, dotted."""
    needed = [group for group in CONFIG if group != "model" or config.get("stage") != WITHOUT_MODEL]
    told = [key for key in needed if not isinstance(config.get(key), dict)]
    told += [
        key
        for key in ("analysis", "mix")
        if config.get(key) is not None and not isinstance(config[key], dict)
    ]
    if told:
        return told
    lacking = [f"{group}.{CONFIG[group]}" for group in needed if CONFIG[group] not in config[group]]
    folds = config["data"].get("folds")
    return lacking + ([] if folds is None or isinstance(folds, dict) else ["data.folds"])


def _split_faults(split: str, told: object, classes: Sequence[str]) -> Iterator[str]:
    if not isinstance(told, dict):
        yield split
        return
    if not _is_count(told.get("images")):
        yield f"{split}.images"
    yield from (
        f"{split}.{name}"
        for name, value in told.items()
        if name not in SPLIT_KEYS and not _is_number_or_none(value)
    )
    per_class = told.get("per_class")
    if not isinstance(per_class, dict):
        yield f"{split}.per_class"
    else:
        yield from (f"{split}.per_class.{name}" for name in classes if not _is_class(per_class.get(name)))


def _is_class(told: object) -> bool:
    return (
        isinstance(told, dict)
        and _is_count(told.get("support"))
        and all(key in told and _is_number_or_none(told[key]) for key in CLASS_MEASURES)
    )


def _is_flat_split(told: object) -> bool:
    return isinstance(told, dict) and all(
        _is_number_or_none(value) for name, value in told.items() if name not in SPLIT_KEYS
    )


def _is_best(told: object) -> bool:
    """Each metric with its value and epoch; older runs have none."""
    return told is None or (
        isinstance(told, dict)
        and all(isinstance(one, dict) and all(map(_is_number_or_none, one.values())) for one in told.values())
    )


def _is_number_or_none(value: object) -> bool:
    return value is None or _is_number(value)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_list_of(holds: Holds) -> Holds:
    return lambda value: isinstance(value, list) and all(map(holds, value))


def _is_dict_of(holds: Holds) -> Holds:
    return lambda value: isinstance(value, dict) and all(map(holds, value.values()))


def _is_dict(value: object) -> bool:
    return isinstance(value, dict)


REQUIRED: Mapping[str, Holds] = {
    "stage": _is_text,
    "experiment": _is_text,
    "model": lambda value: value is None or _is_text(value),
    "fold": lambda value: (isinstance(value, int) and not isinstance(value, bool)) or value == FINAL,
    "seed": lambda value: isinstance(value, int),
    "data": lambda value: isinstance(value, dict) and _is_list_of(_is_text)(value.get("classes")),
}
OPTIONAL: Mapping[str, Holds] = {
    "choices": _is_dict,
    "lineage": _is_dict,
    "overrides": _is_list_of(_is_text),
    "seconds": _is_number,
    "starts": _is_list_of(lambda _: True),
    "versions": _is_dict,
}
DATA: Mapping[str, Holds] = {
    "folds": _is_list_of(lambda fold: isinstance(fold, int)),
    "holdout": _is_count,
    "images": _is_dict_of(_is_count),
    "marks": _is_dict,
    "set": _is_text,
    "train_counts": _is_dict_of(_is_count),
}
