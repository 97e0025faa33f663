"""`python -m mk11.relay RUNS`: send finished runs to Weights & Biases, each once, from their own files.

A run keeps the id that it has in `wandb.json`; one without gets an id. Repeated, it sends what is new or has
changed since.
"""

import argparse
import os
import sys
from pathlib import Path

from mk11.errors import UserError
from mk11.relay.plan import Parcel, Plan, plan
from mk11.relay.send import send
from mk11.runs.ledger import find_runs
from mk11.runs.pseudonyms import Pseudonyms
from mk11.training.loggers.sweep import SWEEP_VARIABLES


def main(arguments: list[str] | None = None) -> int:
    """Status 0 if all finished runs lie on the server, 1 if some cannot be sent, 2 for a user's mistake."""
    options = _parser().parse_args(arguments)
    for name in SWEEP_VARIABLES:
        os.environ.pop(name, None)  # these runs are nobody's trial
    try:
        return _relay(options)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m mk11.relay", description=__doc__)
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUNS", help="folders of runs, at any depth")
    parser.add_argument("--project", help="instead of the one each run was configured with")
    parser.add_argument("--entity", help="your team; your default account without it")
    parser.add_argument("--real-names", action="store_true", help="send image ids and patients as they are")
    parser.add_argument("--timeout", type=float, default=600, metavar="S", help="for one run's upload (600)")
    parser.add_argument("--dry-run", action="store_true", help="print what would be sent, and send nothing")
    return parser


def _relay(options: argparse.Namespace) -> int:
    runs, problems = find_runs(options.runs)
    made = plan(runs, project=options.project, entity=options.entity)
    refused = [*problems, *made.refused]
    failed = []
    if options.dry_run:
        for parcel in made.parcels:
            print(f"would send {parcel.run.folder.path} to {_destination(parcel)}")
    else:
        pseudonyms = None if options.real_names else Pseudonyms.load()
        failed = [parcel for parcel in made.parcels if not _sent(parcel, pseudonyms, options.timeout)]
    for sentence in refused:
        print(f"refused: {sentence}", file=sys.stderr)
    print(_told(made, failed=len(failed), refused=len(refused), dry=options.dry_run))
    return 1 if failed or refused else 0


def _sent(parcel: Parcel, pseudonyms: Pseudonyms | None, timeout: float) -> bool:
    """Send one run; what goes wrong with it is told and does not keep the others back."""
    path = parcel.run.folder.path
    try:
        place = send(parcel, pseudonyms=pseudonyms, finish_timeout=timeout)
    except Exception as error:
        print(f"failed: {path}: {error}", file=sys.stderr)
        return False
    print(f"sent {path} to {place}", flush=True)
    return True


def _destination(parcel: Parcel) -> str:
    return f"{parcel.entity or '(your default)'}/{parcel.project}"


def _told(made: Plan, *, failed: int, refused: int, dry: bool) -> str:
    sent = len(made.parcels) - failed
    counts = {
        "to send" if dry else "sent": sent,
        "there already": len(made.arrived),
        "not finished": made.unfinished,
        "failed": failed,
        "refused": refused,
    }
    return ", ".join(f"{count} {what}" for what, count in counts.items() if count or what.endswith("sent"))


if __name__ == "__main__":
    raise SystemExit(main())
