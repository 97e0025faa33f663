"""`python -m mk11.search conf/wandb/NAME.yaml --trials N [key=value ...]`: a W&B sweep file without W&B.

Every trial is the file's own command, in a process. Repeated, the search goes on; begun several times at once
with the same storage, it runs several trials at a time.
"""

import argparse
import signal
import sys
from pathlib import Path

from mk11.errors import UserError
from mk11.search.file import read_search
from mk11.search.study import Searching, open_study
from mk11.search.table import conclusion, line_of, write_trials


def main(arguments: list[str] | None = None) -> int:
    """Status 0 if any trial has finished, 1 if none has, 2 for a user's mistake, 130 for Ctrl-C."""
    options = _parser().parse_intermixed_args(arguments)
    signal.signal(signal.SIGTERM, _as_interrupt)
    try:
        return _search(options)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted; the same command goes on", file=sys.stderr)
        return 130


def _as_interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m mk11.search", description=__doc__)
    parser.add_argument("file", type=Path, help="a sweep file, such as conf/wandb/cv5_mean.yaml")
    parser.add_argument("--trials", type=int, help="trials in all, those of earlier calls counted")
    parser.add_argument("--storage", type=Path, help="journal, or SQLite if it ends in .db (runs/searches/)")
    parser.add_argument("--seed", type=int, default=0, help="of the sampler (0)")
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="in place of the file's own")
    return parser


def _search(options: argparse.Namespace) -> int:
    search = read_search(options.file)
    overrides = _checked(options.overrides)
    trials = options.trials or search.run_cap
    if trials is None and search.method != "grid":
        raise UserError(f"--trials must be given for method {search.method}")
    storage = options.storage or _place(overrides) / search.name / "study.journal"
    study = open_study(search, storage)
    searching = Searching(search, study, overrides, storage.parent / f"{storage.stem}-logs", options.seed)
    table = storage.with_name(f"{storage.stem}-trials.csv")
    try:
        searching.run(trials or sys.maxsize, lambda trial: print(line_of(trial, search), flush=True))
    finally:
        write_trials(study, search, table)
        print(f"trials: {table}", flush=True)
    print(conclusion(study, search))
    return 0 if any(trial.value is not None for trial in study.get_trials(deepcopy=False)) else 1


def _checked(overrides: list[str]) -> list[str]:
    for override in overrides:
        if "=" not in override:
            raise UserError(f"arguments after the file must be key=value, but {override!r} is not")
    return overrides


def _place(overrides: list[str]) -> Path:
    """`<runs>/searches`, beside the runs that the trials leave."""
    given = [override.removeprefix("runs=") for override in overrides if override.startswith("runs=")]
    return Path(given[-1] if given else "runs") / "searches"


if __name__ == "__main__":
    raise SystemExit(main())
