"""Comparisons of two rows: the declared ones, and those that were typed."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from mk11.errors import UserError
from mk11.evaluation.statistics.comparison import holm
from mk11.report.declared import Family, families
from mk11.report.findings import Compared
from mk11.report.measured import Measured
from mk11.report.states import data_state
from mk11.runs.analysis import Pair
from mk11.runs.configurations import Configuration, find_configuration


@dataclass
class Made:
    """Comparisons, sentences on those that could not be made, and warnings."""

    compared: list[Compared] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def declared_comparisons(configurations: Sequence[Configuration], measured: Measured) -> Made:
    """Every declared family, on each state of the data by itself."""
    made = Made()
    for state in dict.fromkeys(map(data_state, configurations)):
        members = [one for one in configurations if data_state(one) == state]
        found, told = families(members)
        made.warnings += told
        for family in found:
            _make_family(family, members, measured, made)
    return made


def typed_comparisons(
    names: Sequence[str], configurations: Sequence[Configuration], metric: str, measured: Measured, made: Made
) -> None:
    """Each of the others less the first, unless it was declared anyway; nothing without names.

    Raises:
        UserError: A name means none or several of the configurations, or only one was given.
    """
    if len(names) == 1:
        raise UserError(f"--compare must name two configurations or more, but names only {names[0]}")
    found = list(dict.fromkeys(find_configuration(configurations, name).key for name in names))
    of_key = {one.key: one for one in configurations}
    there = {(one.a.key, one.b.key, one.result.metric) for one in made.compared}
    for key in found[1:]:
        a, b = of_key[key], of_key[found[0]]
        if (a.key, b.key, metric) in there:
            continue
        try:
            result = measured.comparison(a, b, metric)
        except UserError as error:
            made.refused.append(f"{a.label} with {b.label}: {error}")
        else:
            made.compared.append(Compared(a, b, result, family=None, p_holm=None))


def _make_family(family: Family, members: Sequence[Configuration], measured: Measured, made: Made) -> None:
    found: dict[str, Compared] = {}
    for pair in family.pairs:
        try:
            a, b = (_with_result(members, told) for told in pair)
            result = measured.comparison(a, b, family.metric)
            found[_words(pair)] = Compared(a, b, result, family.name, p_holm=None, declared=len(family.pairs))
        except UserError as error:
            made.refused.append(f"{_words(pair)} (declared in {family.name}): {error}")
    made.compared += _adjusted(family, found)


def _words(pair: Pair) -> str:
    return f"{pair[0]} with {pair[1]}"


def _with_result(members: Sequence[Configuration], name: str) -> Configuration:
    found = find_configuration(members, name)
    if not found.finished:
        raise UserError(f"{found.label} has no result yet")
    return found


def _adjusted(family: Family, found: dict[str, Compared]) -> list[Compared]:
    """With Holm's p-values. A comparison that could not be made counts among them with p = 1."""
    p = {name: one.result.p_corrected for name, one in found.items() if one.result.p_corrected is not None}
    adjusted = holm({name: p.get(name, 1.0) for name in map(_words, family.pairs)})
    return [
        Compared(
            one.a,
            one.b,
            one.result,
            one.family,
            p_holm=adjusted[name] if name in p else None,
            declared=one.declared,
        )
        for name, one in found.items()
    ]
