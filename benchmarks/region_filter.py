"""Speed of stage 1, both sides in one run: clusters of colours against clusters of pixels, and whole filters.

python benchmarks/region_filter.py [--shared ../shared/data] [--count 20] [--rounds 3] [--seeds 1]

Clustering and look-up at 1920x1440 against cv2.kmeans on the pixels, with the same K, iterations and starts:
ratio of times, and how much higher the squared error within clusters is, over all pixels. Whole filters at
1280x960, in one process and in two. Medians over fields, enlarged; each field is timed in turn on both sides.
One thread everywhere, and the times are the processor's (CPU seconds), which other work on the machine
disturbs least; only two processes are measured by the clock, beside one.
"""

import argparse
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import TypeVar

import cv2
import numpy as np
from hydra.utils import instantiate
from jaxtyping import Float64, UInt8
from region_scores import config, fitted_to, laboratories

from mk11.data.images import read_rgb
from mk11.selection.filters.clustering import nearest_centre, refined_clusters
from mk11.selection.filters.histogram import colour_cube, colour_histogram, looked_up
from mk11.selection.filters.paper import PaperFilter
from mk11.selection.regions import RegionFilter

Picture = UInt8[np.ndarray, "height width 3"]
Result = TypeVar("Result")
Clustered = tuple[Float64[np.ndarray, "clusters 3"], np.ndarray]  # centres, and each pixel's cluster
HERE = Path(__file__).resolve().parent


def timed(work: Callable[[], Result]) -> tuple[float, Result]:
    """CPU seconds and result."""
    start = time.process_time()
    result = work()
    return time.process_time() - start, result


def by_colours(image: Picture, paper: PaperFilter, seed: int) -> Clustered:
    """By clusters of colours, with the settings of the filter."""
    planes = cv2.split(image)
    cube = colour_cube(planes, bits=paper.bits)
    finest = colour_histogram(cube)
    centres = refined_clusters(finest, seed=seed, **paper.kmeans)
    np.put(cube, finest.codes, nearest_centre(finest.means, centres))
    return centres, looked_up(planes, cube)


def by_pixels(image: Picture, paper: PaperFilter) -> Clustered:
    """The same by OpenCV's K-means on pixels."""
    cv2.setRNGSeed(0)
    pixels = image.reshape(-1, 3).astype(np.float32)
    clusters, iterations, starts = (paper.kmeans[key] for key in ("clusters", "iterations", "starts"))
    rule = (cv2.TERM_CRITERIA_MAX_ITER, iterations, 0.0)
    _, labels, centres = cv2.kmeans(pixels, clusters, None, rule, starts, cv2.KMEANS_PP_CENTERS)
    return centres.astype(float), labels.reshape(image.shape[:2])


def error(image: Picture, found: Clustered) -> float:
    """Squared distance of all pixels from the centres they were given."""
    centres, labels = found
    return float(sum(((image[..., axis] - centres[labels, axis]) ** 2).sum() for axis in range(3)))


def clustering(images: Sequence[Picture], paper: PaperFilter, seeds: int) -> None:
    """Print the ratio of times and of errors; ours by each of several seeds."""
    ratios, higher, ours = [], [], []
    for number, image in enumerate(images):
        reference, of_pixels = timed(partial(by_pixels, image, paper))
        found = [timed(partial(by_colours, image, paper, seed)) for seed in range(seeds)]
        ours.append(float(np.median([seconds for seconds, _ in found])))
        ratios.append(reference / ours[-1])
        least = error(image, of_pixels)
        higher.append([error(image, clusters) / least - 1 for _, clusters in found])
        print(f"  field {number}: {ratios[-1]:.0f}x, squared error {higher[-1][0]:+.2%}", flush=True)
    medians = np.median(higher, axis=0)
    print(
        f"clustering and look-up, {len(images)} fields of 1920x1440: {1000 * np.median(ours):.0f} ms,"
        f" {np.median(ratios):.0f}x faster than cv2.kmeans (lowest {min(ratios):.0f}x),"
        f" squared error {medians[0]:+.2%} in the median ({np.min(higher):+.2%} to {np.max(higher):+.2%},"
        f" median of the worst of {seeds} seeds {max(medians):+.2%})",
        flush=True,
    )


def filters(images: Sequence[Picture], finders: Mapping[str, RegionFilter], rounds: int) -> None:
    """Print fields a second of each whole filter; each field counts with its fastest round."""
    for name, finder in finders.items():
        best = []
        for image in images:
            look = partial(finder.find, image, um_per_pixel=None, seed=1)
            best.append(min(timed(look)[0] for _ in range(rounds)))
        print(f"{name}, 1280x960, one core: {1 / np.median(best):.0f} fields/s", flush=True)


def two_processes(images: Sequence[Picture], finders: Mapping[str, RegionFilter]) -> None:
    """Print how many times as many fields two processes look at, by the clock."""
    for name, finder in finders.items():
        rates = []
        for workers in (1, 2):
            with ProcessPoolExecutor(workers, get_context("spawn"), _begin, (finder, images)) as pool:
                list(pool.map(_look, range(len(images))))  # all have started
                start = time.perf_counter()
                list(pool.map(_look, [*range(len(images))] * workers))
                rates.append(workers * len(images) / (time.perf_counter() - start))
        print(f"{name}, two processes against one: {rates[1] / rates[0]:.1f}x", flush=True)


_TASK: list[tuple[RegionFilter, Sequence[Picture]]] = []  # of a worker process


def _begin(finder: RegionFilter, images: Sequence[Picture]) -> None:
    cv2.setNumThreads(1)
    _TASK.append((finder, images))


def _look(number: int) -> int:
    finder, images = _TASK[0]
    return len(finder.find(images[number], um_per_pixel=None, seed=1))


def fitted(shared: Path) -> RegionFilter:
    """A filter fitted to 20 fields of BCCD, enlarged like those that are timed."""
    bccd = laboratories(shared, 0)[0]
    doubled = [
        replace(one, image=enlarged(one.image, 1280, 960), boxes=2 * one.boxes)
        for one in bccd.examples(marked=True)
    ]
    return fitted_to(doubled)


def enlarged(image: Picture, width: int, height: int) -> Picture:
    """A field at another size."""
    return cv2.resize(image, (width, height), interpolation=cv2.INTER_CUBIC)


def main(shared: Path, count: int, rounds: int, seeds: int) -> None:
    """Print all figures."""
    cv2.setNumThreads(1)
    fields = [read_rgb(file) for file in sorted((shared / "bccd" / "images").iterdir())[:count]]
    paper = instantiate(config("paper"))
    finders = {"fitted": fitted(shared), "paper": paper}
    images = [enlarged(field, 1280, 960) for field in fields]
    filters(images, finders, rounds)
    two_processes(images, finders)
    clustering([enlarged(field, 1920, 1440) for field in fields], paper, seeds)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shared", type=Path, default=HERE.parent.parent / "shared" / "data")
    parser.add_argument("--count", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seeds", type=int, default=1)
    arguments = parser.parse_args()
    main(arguments.shared, arguments.count, arguments.rounds, arguments.seeds)
