"""Probe frozen encoders: k-NN, linear probe and prototypes from a few labels, on the folds of a data set.

k and C are chosen on a fold's validation split; its test split is scored once. What is found goes into
probe.json beside the encoder.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from mk11.errors import UserError

SHOTS, DRAWS, SEED = (1, 5, 10, 25), 20, 0
BATCH, WORKERS = 64, 2
EXAMPLE = """example: python -m mk11.evaluation.probe runs/pretrain/mk11/mae/fold0-seed0-1a2b3c4d
         python -m mk11.evaluation.probe PATH/encoder.safetensors data=folder data.root=data/chula --fold all
         python -m mk11.evaluation.probe --encoder resnet50 --weights imagenet data=mk11 --fold 0 1 2"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status: 0, or 2 for a mistake of the user's, told in one sentence."""
    options = _parser().parse_intermixed_args(arguments)
    from mk11.evaluation.probe.command import probe  # imported late: `--help` needs no torch

    try:
        probe(options)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m mk11.evaluation.probe",
        usage="%(prog)s RUN [RUN ...] [KEY=VALUE ...] [options]",
        description=__doc__,
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    told = (
        "run folder of pretrain.py or train.py, or encoder.safetensors; or data=NAME, data.KEY=VALUE, fold=N"
    )
    parser.add_argument("words", nargs="*", metavar="RUN", help=told)
    parser.add_argument(
        "--fold", nargs="+", default=[], help="numbers, final, or all (the one that RUN was made for; 0)"
    )
    parser.add_argument("--encoder", metavar="NAME", help="a network of timm besides, one of ours included")
    parser.add_argument("--weights", default="none", help="of --encoder: none, imagenet or a file (none)")
    parser.add_argument("--image-size", type=int, metavar="PX", help="of --encoder (as timm knows it)")
    parser.add_argument("--out", type=Path, help="of --encoder: folder for probe.json (runs/probe/NAME-HASH)")
    parser.add_argument(
        "--untrained", action="store_true", help="besides, each network with weights as drawn"
    )
    parser.add_argument("--class-token", action="store_true", help="not the mean (MAE's published probe)")
    parser.add_argument(
        "--shots", type=int, nargs="+", default=SHOTS, help="labels of each class (1 5 10 25)"
    )
    parser.add_argument("--draws", type=int, default=DRAWS, help=f"of the shots ({DRAWS})")
    parser.add_argument(
        "--seed", type=int, default=SEED, help=f"of the draws and of weights as drawn ({SEED})"
    )
    parser.add_argument("--device", choices=("auto", "cpu", "gpu"), default="auto")
    parser.add_argument("--precision", choices=("auto", "fp32", "bf16", "fp16"), default="auto")
    parser.add_argument("--batch-size", type=int, default=BATCH, help=f"no figure depends on it ({BATCH})")
    parser.add_argument("--workers", type=int, default=WORKERS, help=f"loader processes ({WORKERS})")
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
