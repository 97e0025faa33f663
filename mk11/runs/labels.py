"""Short names for configurations: what they are called, and what tells equally called ones apart."""

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

MOST_KEYS = 3
LONGEST_VALUE = 24
WHOLE_RECIPES = ("recipe",)  # config groups that set keys all over the config
ABSENT = "absent"


@dataclass(frozen=True)
class Named:
    """What a label is made of."""

    base: str  # experiment file, or name/model
    settings: Mapping[str, Any]
    choices: Mapping[str, str | None]  # config group -> what all its runs chose


def differing(settings: Sequence[Mapping[str, Any]]) -> list[str]:
    """Keys whose values are not the same in all of them."""
    keys = sorted({key for mapping in settings for key in mapping})
    missing = object()
    return [
        key
        for key in keys
        if any(mapping.get(key, missing) != settings[0].get(key, missing) for mapping in settings)
    ]


def labels(named: Mapping[str, Named]) -> dict[str, str]:
    """A label of its own for each key: the base name and, where several share it, what tells them apart.

    That is every difference while there are at most three, a config group's choice standing for the keys
    under it. `...` says that more differs than the keys that were enough. Where three are not enough, it is
    the configuration's key.
    """
    alike: dict[str, list[str]] = defaultdict(list)
    for key, one in named.items():
        alike[one.base].append(key)
    found: dict[str, str] = {}
    for base, keys in alike.items():
        told = _apart([named[key] for key in keys]) if len(keys) > 1 else [""]
        found |= {
            key: f"{base} [{words or key}]" if len(keys) > 1 else base
            for key, words in zip(keys, told, strict=True)
        }
    return found


def _apart(alike: Sequence[Named]) -> list[str]:
    """Words that tell each from the others; all empty where no three keys do."""
    told = _differences(alike)
    chosen = list(told) if len(told) <= MOST_KEYS else _enough(told)
    rest = ", ..." if len(chosen) < len(told) else ""
    short = _short(chosen)
    words = [
        ", ".join(f"{short[key]}={told[key][place]}" for key in chosen) + rest for place in range(len(alike))
    ]
    return words if len(set(words)) == len(words) else [""] * len(words)


def _differences(alike: Sequence[Named]) -> dict[str, list[str]]:
    """Config groups, then single keys, that are not the same in all: each with its values as text."""
    keys = differing([one.settings for one in alike])
    groups = [
        group
        for group in differing([one.choices for one in alike])
        if group in WHOLE_RECIPES or any(key.startswith(f"{group}.") for key in keys)
    ]
    chosen = {group: [str(one.choices.get(group)) for one in alike] for group in groups}
    single = {
        key: [_text(one.settings.get(key, ABSENT)) for one in alike]
        for key in keys
        if not any(_explained(key, group, alike) for group in groups)
    }
    return {**chosen, **single}


def _explained(key: str, group: str, alike: Sequence[Named]) -> bool:
    """Whether a key's value follows from the group's choice."""
    values: dict[str | None, set[str]] = defaultdict(set)
    for one in alike:
        values[one.choices.get(group)].add(_text(one.settings.get(key, ABSENT)))
    return all(len(found) == 1 for found in values.values())


def _enough(told: Mapping[str, list[str]]) -> list[str]:
    """At most three keys, each the one that splits most of what the ones before it left together."""
    chosen: list[str] = []
    count = len(next(iter(told.values())))
    while len(chosen) < MOST_KEYS and _parts([told[key] for key in chosen], count) < count:
        left = [key for key in told if key not in chosen]
        chosen.append(max(left, key=lambda key: _parts([told[one] for one in (*chosen, key)], count)))
    return chosen


def _parts(columns: Sequence[Sequence[str]], count: int) -> int:
    return len({tuple(column[place] for column in columns) for place in range(count)})


def _short(keys: Sequence[str]) -> dict[str, str]:
    """Keys without what stands before their last dot, where that is not ambiguous."""
    last = {key: key.rpartition(".")[2] for key in keys}
    often = Counter(last.values())
    return {key: name if often[name] == 1 and not name.startswith("_") else key for key, name in last.items()}


def _text(value: object) -> str:
    """A value in a few characters; long ones by the first of their digits or by a hash."""
    told = f"{value:g}" if isinstance(value, float) else str(value)
    if isinstance(value, float) and float(told) != value:
        told = repr(value)
    if len(told) <= LONGEST_VALUE and told.isprintable():
        return told
    if all(digit in "0123456789abcdef" for digit in told):
        return told[:8]
    return hashlib.sha256(json.dumps(value, default=str).encode()).hexdigest()[:8]
