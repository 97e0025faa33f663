"""Groups (patients, slides) that only the file names tell."""

import re

import pandas as pd

from mk11.errors import UserError


def groups_from_paths(ids: pd.Series, regex: str, *, key: str) -> pd.Series:
    """First capture group of `regex`, the value of `<key>.group_regex`, searched in each path.

    Raises:
        UserError: not a regular expression with a group, or one that some path does not match.
    """
    try:
        captures = re.compile(regex).groups
    except re.error as error:
        raise UserError(
            f"{key}.group_regex must be a regular expression, but {regex} is not: {error}"
        ) from error
    if captures == 0:
        raise UserError(f"{key}.group_regex must have a capture group (...), but is {regex}")
    groups = ids.str.extract(regex, expand=True)[0]
    if groups.isna().any():
        example = ids[groups.isna()].iloc[0]
        raise UserError(
            f"{key}.group_regex must match every path, but {regex} misses {groups.isna().sum()}, "
            f"such as {example}"
        )
    return groups
