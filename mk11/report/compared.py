"""Comparisons of two rows: the declared ones, and those that were typed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from mk11.errors import UserError
from mk11.evaluation.statistics.comparison import holm
from mk11.report.declared import Family, families
from mk11.report.findings import Compared
from mk11.report.measured import Measured
from mk11.runs.analysis import Pair
from mk11.runs.configurations import Configuration, find_configuration
from mk11.runs.states import data_state


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


def undone(configurations: Sequence[Configuration]) -> list[str]:
    """A sentence for each declared family when nothing that takes long is made."""
    told = []
    for state in dict.fromkeys(map(data_state, configurations)):
        found, warnings = families([one for one in configurations if data_state(one) == state])
        told += warnings + [
            f"{len(family.pairs)} comparisons that the analysis {family.name} declares were not made, as "
            "--no-intervals leaves them out"
            for family in found
        ]
    return told


def typed_comparisons(
    names: Sequence[str], configurations: Sequence[Configuration], metric: str, measured: Measured, made: Made
) -> None:
    """Each of the others less the first, unless it was declared, either way round; nothing without names.

    Raises:
        UserError: A name means none or several of the configurations, or only one was given.
    """
    if len(names) == 1:
        raise UserError(f"--compare must name two configurations or more, but names only {names[0]}")
    found = list(dict.fromkeys(find_configuration(configurations, name).key for name in names))
    of_key = {one.key: one for one in configurations}
    there = {(frozenset((one.a.key, one.b.key)), one.result.metric) for one in made.compared}
    for key in found[1:]:
        a, b = of_key[key], of_key[found[0]]
        if (frozenset((a.key, b.key)), metric) in there:
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
    """With Holm's p-values, of the bootstrap and of the corrected test, each adjusted by itself."""
    names = [_words(pair) for pair in family.pairs]
    bootstrap = _holm(names, {name: one.result.p_bootstrap for name, one in found.items()})
    corrected = _holm(names, {name: one.result.p_corrected for name, one in found.items()})
    return [
        replace(one, p_holm=corrected.get(name), p_holm_bootstrap=bootstrap.get(name))
        for name, one in found.items()
    ]


def _holm(names: Sequence[str], p: Mapping[str, float | None]) -> dict[str, float]:
    """Adjusted over all names; a comparison that could not be made counts among them with p = 1."""
    known = {name: value for name, value in p.items() if value is not None}
    adjusted = holm({name: known.get(name, 1.0) for name in names})
    return {name: adjusted[name] for name in known}
