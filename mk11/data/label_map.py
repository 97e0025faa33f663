"""Renaming and merging classes: code letters, either paper's names, dysplastic or not."""

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

import pandas as pd
import yaml

from mk11.data.settings import Given
from mk11.errors import UserError

LabelMap = Mapping[str, str | None]


@dataclass(frozen=True)
class Relabelled:
    """`images` with their new subtypes, less the dropped ones; `classes` in their order."""

    images: pd.DataFrame
    classes: tuple[str, ...]


def read_label_map(label_map: Given) -> LabelMap | None:
    """The map in `data.label_map`: a file name, or `file` and `map` of the config group; None: no map.

    Raises:
        UserError: no such file, or it is not a mapping of names to names.
    """
    if label_map is None:
        return None
    if not isinstance(label_map, Mapping):
        return _from_file(Path(str(label_map)))
    if not (label_map.get("file") or label_map.get("map")):
        return None
    if label_map.get("file"):
        return _from_file(Path(str(label_map["file"])))
    return _as_names(label_map["map"], "data.label_map.map")


def _from_file(file: Path) -> LabelMap:
    if not file.is_file():
        raise UserError(f"data.label_map.file must be an existing YAML file, but is {file}")
    try:
        content = yaml.safe_load(file.read_text())
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"{file} must be YAML of `old name: new name`, but is not: {error}") from error
    if isinstance(content, Mapping) and isinstance(content.get("map"), Mapping):
        content = content["map"]  # a file of conf/data/label_map
    return _as_names(content, str(file))


def _as_names(content: object, named: str) -> LabelMap:
    if not isinstance(content, Mapping) or not content:
        raise UserError(f"{named} must map old names to new ones, but is {content}")
    nested = next((new for new in content.values() if isinstance(new, Mapping | list)), None)
    if nested is not None:
        raise UserError(f"{named} must map each old name to one new name or null, but one is {nested}")
    return {str(old): None if new is None else str(new) for old, new in content.items()}


def relabel(images: pd.DataFrame, label_map: LabelMap | None) -> Relabelled:
    """Subtypes under their new names; `null` drops a class.

    Classes stand in the order in which the map first names them; without a map they are sorted.

    Raises:
        UserError: a subtype that the map does not name, or fewer than two classes left.
    """
    present = set(images["subtype"])
    if label_map is None:
        return Relabelled(images, _at_least_two(tuple(sorted(present))))
    unknown = sorted(present - set(label_map))
    if unknown:
        close = get_close_matches(unknown[0], label_map, n=1, cutoff=0)
        raise UserError(
            f"data.label_map must name every class, but lacks {', '.join(unknown)} "
            f"(closest to {unknown[0]}: {close[0]})"
        )
    subtype = images["subtype"].map(dict(label_map))
    used = {label_map[old] for old in present}
    classes = tuple(dict.fromkeys(new for new in label_map.values() if new is not None and new in used))
    return Relabelled(images.assign(subtype=subtype)[subtype.notna()], _at_least_two(classes))


def _at_least_two(classes: tuple[str, ...]) -> tuple[str, ...]:
    if len(classes) < 2:
        raise UserError(f"a data set must have at least two classes, but has {', '.join(classes) or 'none'}")
    return classes
