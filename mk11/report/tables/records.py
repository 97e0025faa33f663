"""The same figures as records for CSV files: fractions in full precision, one record a line."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mk11.evaluation.statistics.summary import FoldSummary
from mk11.metrics.final import OVERALL
from mk11.report.findings import CALIBRATION, Findings, Row
from mk11.report.published import Source
from mk11.report.tables.optimism import optimism_gap
from mk11.runs.states import data_state

Record = dict[str, Any]


def summary_records(findings: Findings, published: Sequence[Source]) -> Iterator[Record]:
    """A record for each row, ours and published; `source` tells whose it is."""
    for row in findings.rows:
        figures = [_figure(metric, row.summaries[metric]) for metric in OVERALL]
        yield {**_who(row), **_merged(figures), **_interval(row), **_prefixed("final", row.final)}
    for source in published:
        for theirs in source.rows:
            told = {
                f"{metric}_{what}": value
                for metric, figure in theirs.figures.items()
                for what, value in zip(("mean", "sd"), figure, strict=True)
            }
            yield {"source": source.title, "configuration": theirs.method, **told}


def class_records(findings: Findings, published: Sequence[Source]) -> Iterator[Record]:
    """A record for each row, class and measure."""
    for row in findings.rows:
        group = {name: group for group, names in row.members.items() for name in names}
        for name, measures in row.per_class.items():
            told = {"class": name, "group": group.get(name), "test_images": row.supports.get(name)}
            for measure, summary in measures.items():
                yield {**_who(row), **told, "measure": measure, **_summary(summary)}
    for source in published:
        for theirs in source.rows:
            for name, (mean, sd) in theirs.per_class.items():
                told = {"source": source.title, "configuration": theirs.method, "class": name}
                yield {**told, "measure": "pr_auc", "mean": mean, "sd": sd}


def group_records(findings: Findings) -> Iterator[Record]:
    """A record for each row, group of classes and measure."""
    for row in findings.rows:
        for group, measures in row.groups.items():
            told = {
                "group": group,
                "grouped_by": row.grouped_by,
                "classes": "; ".join(row.members.get(group, [])),
            }
            for measure, summary in measures.items():
                yield {**_who(row), **told, "measure": measure, **_summary(summary)}


def optimism_records(findings: Findings) -> Iterator[Record]:
    """A record for each row and metric: test, best validation epoch, gap."""
    for row in findings.rows:
        for metric in OVERALL:
            yield {
                **_who(row),
                "metric": metric,
                **_figure("test", row.summaries[metric]),
                **_figure("as_published", row.as_published[metric]),
                **_figure("gap", optimism_gap(row, metric)),
            }


def calibration_records(findings: Findings) -> Iterator[Record]:
    """A record for each row with calibration."""
    for row in findings.rows:
        if row.calibration:
            yield {**_who(row), **_merged([_figure(name, row.calibration[name]) for name in CALIBRATION])}


def comparison_records(findings: Findings) -> Iterator[Record]:
    """A record for each comparison."""
    for one in findings.compared:
        found = one.result
        yield {
            "configuration": one.a.label,
            "key": one.a.key,
            "compared_with": one.b.label,
            "compared_with_key": one.b.key,
            "metric": found.metric,
            "declared_in": one.family,
            "difference": found.difference,
            "low": found.interval.low,
            "high": found.interval.high,
            "level": found.interval.level,
            "unit": found.unit,
            "draws": found.interval.draws,
            "dropped": found.interval.dropped,
            "detectable": found.detectable,
            "p_bootstrap": found.p_bootstrap,
            "t": found.t,
            "p_t": found.p_t,
            "corrected_t": found.corrected_t,
            "p_corrected": found.p_corrected,
            "p_holm": one.p_holm,
            "p_holm_bootstrap": one.p_holm_bootstrap,
            "declared": one.declared,
            **{f"fold_{fold}": value for fold, value in found.per_fold.items()},
        }


def _who(row: Row) -> Record:
    configuration = row.configuration
    return {
        "source": "ours",
        "configuration": configuration.label,
        "key": configuration.key,
        "experiment": configuration.name,
        "model": configuration.model,
        "data": data_state(configuration)[0],
        "folds": len(row.folds),
        "expected_folds": len(configuration.expected_folds),
        "seeds": len(configuration.seeds),
        "missing_cells": len(configuration.missing),
        "marks": "; ".join(row.marks),
    }


def _interval(row: Row) -> Record:
    found = [(metric, asked) for metric, asked in row.intervals.items()]
    return _merged(
        {
            f"{metric}_low": one.low,
            f"{metric}_high": one.high,
            "interval_level": one.level,
            "interval_unit": one.unit,
            "interval_draws": one.draws,
        }
        for metric, one in found
    )


def _figure(name: str, summary: FoldSummary) -> Record:
    return {f"{name}_mean": summary.mean, f"{name}_sd": summary.sd, f"{name}_seed_sd": summary.seed_sd}


def _summary(summary: FoldSummary) -> Record:
    told = ("mean", "sd", "seed_sd", "folds", "undefined")
    return {name: getattr(summary, name) for name in told}


def _prefixed(prefix: str, values: Mapping[str, Any]) -> Record:
    return {f"{prefix}_{name}": value for name, value in values.items()}


def _merged(records: Iterator[Record] | Sequence[Record]) -> Record:
    return {name: value for record in records for name, value in record.items()}
