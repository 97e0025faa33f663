"""The holdout: patients locked away from every fold, for one final figure after all choices are made.

It is drawn once, stratified by subtype, and never tears a group (patient, slide) or equal images apart;
where no group is known, images are drawn one by one. Or a file names what to lock away. What was drawn is
frozen to `holdout-<key>.csv` beside the index; given as `data.holdout.file`, that file locks the same groups
away when images have been added.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from mk11.data.assign import canonical, share_of, unit_counts
from mk11.data.leaks import check_leaks
from mk11.data.settings import Given, check_fraction, check_keys, check_whole
from mk11.data.tables import PATIENTS
from mk11.errors import UserError
from mk11.files import replacing

FINAL = "final"  # the fold that tests on the holdout
VERSION = 1  # of the way it is drawn; another one leaves frozen files as they are and makes new ones
STREAM = 1_000_000  # of random numbers; the folds have the small ones
NAMES = ("group", "content_hash", "path")  # columns of a file; of each row the first that is filled in counts
COLUMNS = {"group": "group", "content_hash": "content_hash", "path": "id"}  # what they name in the index


@dataclass(frozen=True)
class HoldoutSettings:
    """`data.holdout`: the share of each class to lock away, or a file that names what; neither: nothing."""

    fraction: float | None
    seed: int
    file: Path | None


def holdout_settings(holdout: Given) -> HoldoutSettings:
    """`data.holdout` as the configuration gives it, checked.

    Raises:
        UserError: a key that is missing or breaks its rule, or both a share and a file.
    """
    check_keys("data.holdout", holdout, ("fraction", "seed", "file"))
    fraction, seed, file = (holdout[key] for key in ("fraction", "seed", "file"))
    check_whole("data.holdout.seed", seed, least=0)
    if fraction is not None:
        check_fraction("data.holdout.fraction", fraction)
        if file is not None:
            raise UserError(
                f"data.holdout must give a fraction or a file, not both, but gives {fraction} and {file}"
            )
    return HoldoutSettings(fraction, seed, None if file is None else Path(str(file)))


def locked_images(images: pd.DataFrame, settings: HoldoutSettings, folder: Path) -> pd.Series:
    """Whether each image of an index is locked away; what is drawn is kept in `folder`.

    Raises:
        UserError: a file that does not fit the images, or a share too small to lock anything away.
    """
    if settings.file is not None:
        return read_holdout(settings.file, images, "data.holdout.file")
    if settings.fraction is None:
        return pd.Series(False, index=images.index)
    return _frozen(images, settings.fraction, settings.seed, folder)


def draw_holdout(images: pd.DataFrame, *, fraction: float, seed: int) -> pd.Series:
    """Whether each image of an index table (content_hash, subtype, group) is locked away.

    A unit that alone holds a class is not: no fold could learn that class.

    Raises:
        UserError: `fraction` is less than any unit.
    """
    images = canonical(images)
    counts, units = unit_counts(images)
    part = share_of(counts, fraction, seed=(seed, STREAM))
    if not len(part):
        raise UserError(
            f"data.holdout.fraction must be enough to lock a group or image away, but {fraction} of "
            f"{len(counts)} is none"
        )
    return pd.Series(pd.Index(units).isin(part), index=images.index).sort_index()


def read_holdout(file: Path, images: pd.DataFrame, named: str) -> pd.Series:
    """Whether each image is named in a file: one group a line, or a CSV table with a column `group`.

    The table may name images instead, by `content_hash` or `path`; where a row has several, the group counts.

    Raises:
        UserError: no such file, or it names nothing, everything, or what is not among the images.
    """
    if not file.is_file():
        raise UserError(f"{named} must be an existing file, but is {file}")
    table = _table(file)
    locked = pd.Series(False, index=images.index)
    for name in NAMES:
        values = images[COLUMNS[name]]
        told = table.loc[table["by"] == name, "value"]
        missing = told[~told.isin(values)]
        if len(missing):
            raise UserError(
                f"{file} must name what is in the data, but no image has the {name} {missing.iloc[0]}"
            )
        locked |= values.isin(told)
    if not locked.any() or locked.all():
        raise UserError(f"{file} must lock some images away, but locks {locked.sum()} of {len(locked)}")
    return locked


def _table(file: Path) -> pd.DataFrame:
    """`by` (one of NAMES) and `value` of each row of a file that is not empty."""
    try:
        lines = [line.strip() for line in file.read_text(encoding="utf-8-sig").splitlines()]
        columns = [name.strip() for name in lines[0].split(",")] if lines else []
        group = next((name for name in ("group", *PATIENTS) if name in columns), "group")
        if not {group, *NAMES} & set(columns):
            return pd.DataFrame({"by": "group", "value": [line for line in lines if line]}, dtype="str")
        table = pd.read_csv(
            file, dtype=str, keep_default_na=False, encoding="utf-8-sig", skipinitialspace=True
        )
    except ValueError as error:
        raise UserError(f"{file} must be text or a CSV table in UTF-8, but is not: {error}") from error
    table = table.rename(columns=lambda name: str(name).strip()).rename(columns={group: "group"})
    known = table.reindex(columns=list(NAMES), fill_value="").apply(lambda column: column.str.strip())
    filled = known[(known != "").any(axis=1)]
    by = (filled != "").idxmax(axis=1)
    values = [row[name] for name, (_, row) in zip(by, filled.iterrows(), strict=True)]
    return pd.DataFrame({"by": by.to_list(), "value": values}, dtype="str")


def _frozen(images: pd.DataFrame, fraction: float, seed: int, folder: Path) -> pd.Series:
    """The holdout of these images: read if drawn before, else drawn and kept."""
    content = sorted(images["content_hash"] + "\t" + images["subtype"] + "\t" + images["group"])
    told = [VERSION, fraction, seed, *content]
    key = hashlib.blake2b("\n".join(map(str, told)).encode(), digest_size=6).hexdigest()
    file = folder / f"holdout-{key}.csv"
    if not file.exists():
        locked = images[draw_holdout(images, fraction=fraction, seed=seed)].rename(columns={"id": "path"})
        with replacing(file) as temporary:
            locked[["path", "subtype", "group", "content_hash"]].to_csv(temporary, index=False)
    # By content, as files may have been renamed since: the key stands for contents, not for names.
    frozen = pd.read_csv(file, dtype=str, keep_default_na=False)
    return images["content_hash"].isin(frozen["content_hash"])


def check_holdout(
    images: pd.DataFrame, locked: pd.Series, classes: Sequence[str], *, on_leak: str
) -> list[str]:
    """Sentences about a holdout of images under their final labels.

    Raises:
        UserError: all images of a class are locked away, or (under `on_leak=stop`) an image or group is on
            both sides. Where that only warns, the final fold carries the mark, as leaks of its own.
    """
    if not locked.any():
        return []
    if on_leak == "stop":  # in every fold: before anything is chosen by them
        sides = locked.map({True: "locked away", False: "not locked away"})
        check_leaks(images.assign(split=sides), on_leak=on_leak, fold=FINAL)
    held, free = set(images.loc[locked, "subtype"]), set(images.loc[~locked, "subtype"])
    lost = [name for name in classes if name in held - free]
    if lost:
        raise UserError(f"data.holdout must leave images of each class to train on, but locks {lost[0]} away")
    warnings = [
        f"class {name} has no image in the holdout: the final figure does not test it"
        for name in classes
        if name not in held
    ]
    unknown = int((images["group"] == "")[locked].sum())
    if unknown:
        warnings.append(
            f"{unknown} of {locked.sum()} images in the holdout have no known group: other cells of the same "
            "patients may be in training"
        )
    return warnings
