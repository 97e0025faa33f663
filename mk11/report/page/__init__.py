"""The report as one HTML file: tables, figures, hardest cells and every run, readable without a network."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from mk11.metrics.final import OVERALL
from mk11.page import make_environment
from mk11.page import write_page as write_html
from mk11.report.figures.choice import leading, ranked
from mk11.report.figures.write import LIMIT
from mk11.report.findings import Findings, Row
from mk11.report.names import Names
from mk11.report.page import classes, comparisons, differences, facts, overview, runs
from mk11.report.page.details import details
from mk11.report.page.environment import environment_table
from mk11.report.page.figures import general, plates
from mk11.report.page.further import further
from mk11.report.page.hardest import PER_KIND, hardest
from mk11.report.page.others import others
from mk11.report.page.words import MEANINGS, anchor, title
from mk11.report.published import Source
from mk11.runs.configurations import Configuration

__all__ = ["write_page"]

TEMPLATES = Path(__file__).resolve().parent / "templates"


def write_page(
    path: Path,
    findings: Findings,
    *,
    figures: Mapping[str, Path],
    published: Sequence[Source],
    identify: bool,
    heading: str,
) -> None:
    """Write the page, whole or not at all.

    Args:
        path: The HTML file.
        findings: What it shows.
        figures: SVG files to put in, by name as `write_figures` returns them.
        published: Other people's figures to show below ours.
        identify: Whether patients and images have their real names; else they have pseudonyms.
        heading: The page's title.
    """
    names = Names(identify=identify, runs=findings.runs)
    environment = make_environment(TEMPLATES)
    environment.filters.update(anchor=anchor, title_of=title)
    content = _content(_renamed(findings, names), figures, published, names)
    write_html(path, "report.html", environment, heading=heading, **content)


def _renamed(findings: Findings, names: Names) -> Findings:
    """The same without names of images and groups in its sentences."""

    def told(sentences: list[str]) -> list[str]:
        return [names.sentence(sentence) for sentence in sentences]

    return replace(
        findings,
        problems=told(findings.problems),
        warnings=told(findings.warnings),
        refused=told(findings.refused),
    )


def closely(findings: Findings) -> list[Row]:
    """The rows that have room for pictures: compared ones first, then the best by the primary metric."""
    return leading(findings, [row for row in findings.rows if row.folds])[:LIMIT]


def _content(
    findings: Findings, figures: Mapping[str, Path], published: Sequence[Source], names: Names
) -> dict[str, Any]:
    rows = ranked(findings.rows, findings.primary)
    chosen = {row.configuration.key for row in closely(findings)}
    close = [row for row in rows if row.configuration.key in chosen]
    everything = [*(row.configuration for row in rows), *findings.unfinished]
    cells, damaged = hardest([row.configuration for row in close], names)
    return {
        "findings": replace(findings, problems=[*findings.problems, *damaged]),
        "headline": overview.headline(findings),
        "data": facts.data_facts(everything),
        "results": overview.results(findings),
        "further": further(rows),
        "others": others(published, [row.configuration.classes for row in rows]),
        "told": comparisons.told(findings.compared),
        "comparisons": comparisons.numbers(findings.compared),
        "general": general(figures, [row.configuration for row in rows]),
        "plates": plates(figures, [row.configuration for row in close]),
        "hardest": cells,
        "per_kind": PER_KIND,
        "close": close,
        "across": classes.across(rows),
        "of_configuration": {row.configuration.key: classes.of_configuration(row) for row in close},
        **_runs(findings, everything, names),
        "meanings": [(title(metric), MEANINGS[metric]) for metric in OVERALL],
        "identify": names.identify,
        "made": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        "version": version("mk11"),
    }


def _runs(findings: Findings, configurations: Sequence[Configuration], names: Names) -> dict[str, Any]:
    groups = runs.grouped(configurations, findings.runs)
    return {
        "differences": differences.config_differences(configurations, names),
        "runs": runs.run_table(groups, primary=findings.primary),
        "run_details": details(groups, names),
        "environments": environment_table([run for group in groups for run in group.runs]),
    }
