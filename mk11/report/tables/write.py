"""All tables of a report as files."""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from mk11.files import replacing
from mk11.report.findings import Findings
from mk11.report.names import Names
from mk11.report.published import Source
from mk11.report.tables.calibration import calibration_table
from mk11.report.tables.classes import class_tables, group_tables
from mk11.report.tables.compared import comparison_table
from mk11.report.tables.escape import spreadsheet
from mk11.report.tables.final import final_table
from mk11.report.tables.optimism import optimism_table
from mk11.report.tables.records import (
    calibration_records,
    class_records,
    comparison_records,
    group_records,
    optimism_records,
    summary_records,
)
from mk11.report.tables.render import as_latex, as_markdown
from mk11.report.tables.runs import run_records
from mk11.report.tables.summary import summary_table
from mk11.report.tables.table import Table

Records = Iterable[Mapping[str, Any]]


def all_tables(
    findings: Findings, published: Sequence[Source], *, as_published: bool
) -> dict[str, list[Table]]:
    """The tables of each file, without those that have nothing to show."""
    tables: dict[str, list[Table]] = {
        "summary": [summary_table(findings, published, as_published=as_published)],
        "per_class": class_tables(findings, published),
        "groups": group_tables(findings),
        "as_published": [optimism_table(findings, published)],
    }
    if findings.compared or findings.refused:
        tables["comparisons"] = [comparison_table(findings)]
    if any(row.calibration for row in findings.rows):
        tables["calibration"] = [calibration_table(findings)]
    if any(row.final for row in findings.rows):
        tables["final"] = [final_table(findings)]
    return tables


def write_tables(
    findings: Findings, out: Path, published: Sequence[Source], *, as_published: bool, names: Names
) -> dict[str, list[Table]]:
    """Write `<name>.md`, `.tex` and `.csv` into a folder; returns the tables.

    Images, groups and folders are called what `names` calls them. Tables of an earlier report that this one
    does not have are removed, so that none looks like part of it.
    """
    refused = [names.sentence(sentence) for sentence in findings.refused]
    findings = replace(findings, refused=refused)
    tables = all_tables(findings, published, as_published=as_published)
    records = _records(findings, published)
    for name in ("comparisons", "calibration", "final"):
        for suffix in ("md", "tex", "csv"):
            (out / f"{name}.{suffix}").unlink(missing_ok=True)
    for name, found in tables.items():
        _write(out / f"{name}.md", as_markdown(found))
        _write(out / f"{name}.tex", as_latex(found))
        if name in records:
            _write(out / f"{name}.csv", as_csv(records[name]))
    _write(out / "runs.csv", as_csv(run_records(findings, names)))
    return tables


def as_csv(records: Records) -> str:
    """Records under the union of their names: numbers in full precision, text that no spreadsheet runs."""
    records = list(records)
    names = list(dict.fromkeys(name for record in records for name in record))
    stream = io.StringIO(newline="")
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(map(spreadsheet, names))
    writer.writerows([_plain(record.get(name)) for name in names] for record in records)
    return stream.getvalue()


def _plain(value: object) -> object:
    return spreadsheet(value) if isinstance(value, str) else value


def _records(findings: Findings, published: Sequence[Source]) -> dict[str, Records]:
    return {
        "summary": summary_records(findings, published),
        "per_class": class_records(findings, published),
        "groups": group_records(findings),
        "as_published": optimism_records(findings),
        "comparisons": comparison_records(findings),
        "calibration": calibration_records(findings),
    }


def _write(path: Path, text: str) -> None:
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="")
