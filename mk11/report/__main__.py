"""Tables, figures and one page of whatever runs exist.

Example: python -m mk11.report runs
Example: python -m mk11.report runs --compare mk11/resnet mk11/convnext --published --out outputs/report
Example: python -m mk11.report runs --check paper.tex
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from mk11.errors import UserError
from mk11.metrics.final import OVERALL
from mk11.report.check import Check
from mk11.report.find import find
from mk11.report.findings import Findings
from mk11.report.names import Names
from mk11.report.numbers import ledger, remove_numbers, write_numbers
from mk11.report.published import Source, published_sources
from mk11.report.tables.write import write_tables
from mk11.report.terminal import print_checked, print_findings, watch

OUT = Path("outputs/report")
CACHE = "intervals.json"


def parser() -> argparse.ArgumentParser:
    """The arguments."""
    parser = argparse.ArgumentParser(
        prog="python -m mk11.report",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("runs", metavar="RUNS", nargs="+", type=Path, help="folders under which run folders are looked for")
    add("--out", metavar="DIR", type=Path, default=OUT, help=f"where the report goes (default: {OUT})")
    add("--title", default="Report", help="heading of the page")
    add(
        "--compare", metavar="NAME", nargs="+", default=[],
        help="compare each of the others with the first: label, key, experiment file, name/model or model",
    )  # fmt: skip
    add("--metric", choices=OVERALL, help="judge by this metric instead of the declared primary one")
    add("--draws", type=int, default=1000, help="draws of the bootstrap (default: 1000)")
    add("--seed", type=int, default=0, help="of the draws (default: 0)")
    add("--level", type=float, default=0.95, help="of the intervals (default: 0.95)")
    add(
        "--no-intervals", dest="intervals", action="store_false",
        help="leave out what takes long: intervals, calibration and declared comparisons",
    )  # fmt: skip
    add("--tables", action="store_true", help="write the tables alone, without figures and page")
    add("--published", action="store_true", help="show published figures below ours, as other people's data")
    add(
        "--as-published", action="store_true",
        help="in the table of results, put the best validation epoch and the optimism gap beside each figure",
    )  # fmt: skip
    add("--numbers", action="store_true", help="write every figure as a LaTeX macro, and the ledger of them")
    add(
        "--check", metavar="FILE.tex", nargs="+", type=Path, default=[],
        help="write nothing, but fail on any result of a paper that is neither a macro of --numbers nor a "
        "figure that its line names: %% mk11: MACRO or KEY",
    )  # fmt: skip
    add(
        "--literals", action="store_true",
        help="with --check, let numbers without a name pass if they are near any figure, and tell how many "
        "made-up ones would",
    )  # fmt: skip
    add("--identify", action="store_true", help="name patients and images as the data do, without pseudonyms")
    return parser


def main(arguments: Sequence[str]) -> int:
    """Report or check; returns the exit status."""
    asked = parser().parse_args(arguments)
    _check(asked)
    findings = find(
        asked.runs,
        compare=asked.compare,
        metric=asked.metric,
        draws=asked.draws,
        seed=asked.seed,
        level=asked.level,
        intervals=asked.intervals,
        cache=asked.out / CACHE,
        watch=watch,
    )
    published = published_sources() if asked.published else ()
    if asked.check:
        return check(asked.check, findings, published, by_value=asked.literals)
    print_findings(findings, published, as_published=asked.as_published)
    print(f"written: {write(asked, findings, published)}")
    return 0


def check(papers: Sequence[Path], findings: Findings, published: Sequence[Source], *, by_value: bool) -> int:
    """Check papers against the ledger: 1 if one has a number that is not in it."""
    numbers = ledger(findings, published)
    work = Check(numbers, by_value=by_value)
    for paper in papers:
        work.paper(paper)
    print_checked(work.found, figures=len(numbers))
    if by_value:
        one, two = (f"{100 * work.index.chance(decimals):.0f}%" for decimals in (1, 2))
        print(
            f"{work.found.bare} numbers without a name were looked for among all figures: of made-up ones "
            f"from 0 to 100, {one} with one decimal and {two} with two would pass"
        )
    return 1 if work.found.problems else 0


def write(asked: argparse.Namespace, findings: Findings, published: Sequence[Source]) -> Path:
    """Write what was asked for; returns what to open first."""
    out: Path = asked.out
    names = Names(identify=asked.identify, runs=findings.runs)
    write_tables(findings, out, published, as_published=asked.as_published, names=names)
    if asked.numbers:
        write_numbers(ledger(findings, published), out)
    else:
        remove_numbers(out)
    if asked.tables:
        return out / "summary.md"
    from mk11.report.figures import write_figures  # imported late: tables need neither figures nor page
    from mk11.report.page import write_page

    figures = write_figures(findings, out / "figures")
    page = out / "index.html"
    write_page(
        page,
        findings,
        figures=figures,
        published=published,
        identify=asked.identify,
        heading=asked.title,
    )
    return page


def _check(asked: argparse.Namespace) -> None:
    if not 0 < asked.level < 1:
        raise UserError(f"--level must be between 0 and 1, but is {asked.level:g}")
    if asked.draws < 1:
        raise UserError(f"--draws must be at least 1, but is {asked.draws}")
    if asked.literals and not asked.check:
        raise UserError("--literals is about --check, which must be given with it")
    if asked.seed < 0:
        raise UserError(f"--seed must be at least 0, but is {asked.seed}")


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except UserError as error:
        print(error, file=sys.stderr)
        sys.exit(2)
