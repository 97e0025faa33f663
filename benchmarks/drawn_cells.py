"""Drawn cells per second on one core, PNG files included.

python benchmarks/drawn_cells.py [--scale 0.06]
"""

import argparse
import tempfile
import time
from pathlib import Path

import cv2

from mk11.data.synthetic import files
from mk11.data.synthetic.cells import generate


def main() -> None:
    """Print images/s of one process with one thread."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scale", type=float, default=0.06)
    scale = parser.parse_args().scale
    cv2.setNumThreads(0)
    files.WORTH_A_PROCESS = 10**9  # one process
    with tempfile.TemporaryDirectory() as folder:
        start = time.process_time()
        generate(Path(folder) / "cells", scale=scale, seed=0)
        seconds = time.process_time() - start
        images = len(list(Path(folder).rglob("*.png")))
    print(f"{images} images in {seconds:.1f} s of one core: {images / seconds:.0f} images/s")


if __name__ == "__main__":
    main()
