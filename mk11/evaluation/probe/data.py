"""The folds that an encoder is asked about: those it was made for, or any other by config."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir
from hydra.errors import HydraException, InstantiationException
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from mk11.data.cells import CellData, Fold
from mk11.errors import UserError
from mk11.evaluation.probe.encoders import Encoder

CONF = Path(__file__).resolve().parents[3] / "conf"
ALL = "all"
FOLDS = (ALL, "final")  # beside numbers


@dataclass(frozen=True)
class Asked:
    """One fold, with what must be told of it in every table."""

    fold: Fold
    data: CellData
    marks: Mapping[str, object]


class DataSets:
    """The data sets of one command; one that several encoders ask for is read once."""

    def __init__(self, overrides: Sequence[str]) -> None:
        self.overrides = overrides
        self._made: dict[str, CellData] = {}

    def asked(self, encoder: Encoder, folds: Sequence[str]) -> list[Asked]:
        """The folds named of the data set named; by default those that the encoder was made for.

        Raises:
            UserError: No such fold; one whose validation or test images the encoder was trained on; an
                override that no data set takes; whatever the data set refuses.
        """
        own = None if self.anew else encoder.config
        data = self._data(own)
        default = [0 if own is None else own.get("fold", 0)]
        numbers = data.fold_numbers if ALL in folds else [_fold(name) for name in folds] or default
        return [_checked(encoder, data, data.fold(number)) for number in numbers]

    @property
    def anew(self) -> bool:
        """Whether a data set is named, in place of the one of the encoder's run."""
        return any(override.startswith("data=") for override in self.overrides)

    def _data(self, own: Mapping[str, Any] | None) -> CellData:
        config = _composed(self.overrides) if own is None else _changed(own["data"], self.overrides)
        key = json.dumps(OmegaConf.to_container(config, resolve=True), sort_keys=True, default=str)
        if key not in self._made:
            self._made[key] = _instantiated(config)
        return self._made[key]


def is_fold(word: str) -> bool:
    """Whether it can stand after --fold."""
    return word in FOLDS or _is_number(word)


def _fold(name: str) -> int | str:
    return int(name) if _is_number(name) else name


def _is_number(word: str) -> bool:
    return word.isascii() and word.isdecimal()


def _checked(encoder: Encoder, data: CellData, fold: Fold) -> Asked:
    """The rule of `train.py`: `data.on_leak=warn` goes on and leaves a mark, all else stops."""
    held_out = fold.table.loc[fold.table["split"] != "train", "content_hash"]
    seen = encoder.trained_on & set(held_out)
    if not seen:
        return Asked(fold, data, fold.marks)
    told = f"{encoder.name} was trained on {len(seen)} of this fold's validation and test images"
    if data.on_leak != "warn":
        raise UserError(
            f"RUN must not have seen the validation or test images of fold {fold.fold}, but {told}"
            " (data.on_leak=warn goes on and marks the result)"
        )
    return Asked(fold, data, {**fold.marks, "weights": [told]})


def _composed(overrides: Sequence[str]) -> DictConfig:
    try:
        with initialize_config_dir(str(CONF), version_base="1.3"):
            return compose("train", overrides=list(overrides)).data
    except HydraException as error:
        raise UserError(f"KEY=VALUE must be keys of conf/data, but {error}") from error


def _changed(config: Mapping[str, Any], overrides: Sequence[str]) -> DictConfig:
    """The data set of a run's config with some `data.KEY=VALUE`."""
    changed = OmegaConf.create({"data": dict(config)})
    OmegaConf.set_struct(changed, True)
    for override in overrides:
        key, _, value = override.partition("=")
        try:
            OmegaConf.update(changed, key, OmegaConf.from_dotlist([f"value={value}"]).value)
        except (OmegaConfBaseException, YAMLError) as error:
            raise UserError(
                f"KEY=VALUE must be a key of the run's data and a value in YAML, but is {override}"
            ) from error
    return changed.data


def _instantiated(config: DictConfig) -> CellData:
    missing = sorted(OmegaConf.missing_keys(config))
    if missing:
        raise UserError(f"{missing[0]} must be given: add {missing[0]}=... to the command")
    try:
        data: CellData = instantiate(config)
    except InstantiationException as error:
        if isinstance(error.__cause__, UserError):
            raise error.__cause__ from None
        raise
    return data
