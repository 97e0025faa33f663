"""Compare two configurations or runs on the same test images: the difference, its interval, and where."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from threadpoolctl import threadpool_limits

from mk11.errors import UserError
from mk11.runs.analysis import DEFAULT_PRIMARY
from mk11.terminal import console_of

DEFAULT = Path("runs")
DRAWS, SEED, LEVEL = 2000, 0, 0.95
CLASS_DRAWS = 500  # at most, of each class's interval: they take most of the time
EXAMPLE = """example: python -m mk11.compare convnext vit
         python -m mk11.compare runs/train/mk11/convnext runs/train/mk11/vit --metric pr_auc"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status: 0, or 2 for a mistake of the user's, told in one sentence."""
    parser = argparse.ArgumentParser(
        prog="python -m mk11.compare",
        description=__doc__,
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    told = "a run folder, a folder of one configuration's runs, or a configuration's name, label or key"
    parser.add_argument("a", metavar="A", help=told)
    parser.add_argument("b", metavar="B", help="likewise")
    parser.add_argument(
        "--runs", type=Path, action="append", metavar="RUNS", help="where names are looked up (runs)"
    )
    parser.add_argument(
        "--metric", help=f"to compare (default: the declared primary one, or {DEFAULT_PRIMARY})"
    )
    parser.add_argument("--draws", type=int, default=DRAWS, help=f"of the bootstrap (default {DRAWS})")
    parser.add_argument("--all", action="store_true", help="every image that flipped, not the first 20")
    options = parser.parse_args(arguments)
    try:
        # The bootstrap multiplies small matrices: on busy cores, threads make that ten times slower.
        with threadpool_limits(1):
            show(options)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def show(options: argparse.Namespace) -> None:
    """Print the comparison of A and B."""
    from mk11.compare.classes import by_class  # imported late: `--help` needs no arrays
    from mk11.compare.flips import flips
    from mk11.compare.lists import print_classes, print_flips
    from mk11.compare.show import print_comparison, print_folds, print_settings, print_sides
    from mk11.compare.sides import declaration_of, primary_of, sides
    from mk11.evaluation.statistics.comparison import compare

    pair = sides((options.a, options.b), options.runs or [DEFAULT])
    a, b = pair
    metric = options.metric or primary_of(pair) or DEFAULT_PRIMARY
    result = compare(a.folds, b.folds, metric=metric, draws=options.draws, seed=SEED, level=LEVEL)
    summaries = [side.summary(metric) for side in pair]
    console = console_of()
    print_sides(console, pair)
    console.print()
    print_comparison(console, result, summaries, declared=declaration_of(pair, metric=metric))
    console.print()
    print_folds(console, result, summaries)
    draws = min(options.draws, CLASS_DRAWS)
    print_classes(console, by_class(pair, draws=draws, seed=SEED, level=LEVEL), draws=draws)
    print_settings(console, pair)
    console.print()
    print_flips(
        console, flips(a.folds, b.folds), images=sum(len(f.labels) for f in a.folds), everything=options.all
    )


if __name__ == "__main__":
    raise SystemExit(main())
