"""Speed of stage 1, both sides in one run: clusters of colours against clusters of pixels, and whole filters.

python benchmarks/region_filter.py [--shared ../shared/data] [--count 20]

Clustering and look-up at 1920x1440 against cv2.kmeans on the pixels, with the same K, iterations and starts:
ratio of times, and how much higher the squared error within clusters is, over all pixels. Whole filters at
1280x960. Medians over fields, enlarged; each field is timed in turn on both sides. One thread everywhere, and
the times are the processor's (CPU seconds), which other work on the machine disturbs least.
"""

import argparse
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TypeVar

import cv2
import numpy as np
from hydra.utils import instantiate
from jaxtyping import Float64, UInt8
from region_scores import config, fitted_to, laboratories

from mk11.data.images import read_rgb
from mk11.selection.filters.clustering import nearest_centre, refined_clusters
from mk11.selection.filters.histogram import colour_codes, colour_histogram, table_of
from mk11.selection.regions import RegionFilter

Picture = UInt8[np.ndarray, "height width 3"]
Result = TypeVar("Result")
CLUSTERS, ITERATIONS, STARTS = 20, 10, 3  # as conf/filter/paper.yaml
BITS, CLUSTER_BITS, REFINEMENTS = 7, 6, 2
HERE = Path(__file__).resolve().parent


def timed(work: Callable[[], Result]) -> tuple[float, Result]:
    """CPU seconds and result."""
    start = time.process_time()
    result = work()
    return time.process_time() - start, result


def by_colours(image: Picture) -> tuple[Float64[np.ndarray, "clusters 3"], np.ndarray]:
    """Centres, and each pixel's cluster, by clusters of colours."""
    finest = colour_histogram(image, bits=BITS)
    centres = refined_clusters(
        finest, bits=BITS, cluster_bits=CLUSTER_BITS, refinements=REFINEMENTS, clusters=CLUSTERS,
        iterations=ITERATIONS, starts=STARTS, seed=0,
    )  # fmt: skip
    labels = nearest_centre(finest.means, centres).astype(np.uint8)
    return centres, table_of(finest, labels, bits=BITS)[colour_codes(image, bits=BITS)]


def by_pixels(image: Picture) -> tuple[Float64[np.ndarray, "clusters 3"], np.ndarray]:
    """The same by OpenCV's K-means on pixels."""
    cv2.setRNGSeed(0)
    pixels = image.reshape(-1, 3).astype(np.float32)
    rule = (cv2.TERM_CRITERIA_MAX_ITER, ITERATIONS, 0.0)
    _, labels, centres = cv2.kmeans(pixels, CLUSTERS, None, rule, STARTS, cv2.KMEANS_PP_CENTERS)
    return centres.astype(float), labels.reshape(image.shape[:2])


def error(image: Picture, found: tuple[np.ndarray, np.ndarray]) -> float:
    """Squared distance of all pixels from the centres they were given."""
    centres, labels = found
    return float(sum(((image[..., axis] - centres[labels, axis]) ** 2).sum() for axis in range(3)))


def clustering(images: Sequence[Picture]) -> None:
    """Print the ratio of times and of errors."""
    ratios, higher, ours = [], [], []
    for number, image in enumerate(images):
        seconds, found = timed(partial(by_colours, image))
        reference, of_pixels = timed(partial(by_pixels, image))
        ratios.append(reference / seconds)
        ours.append(seconds)
        higher.append(error(image, found) / error(image, of_pixels) - 1)
        print(f"  field {number}: {ratios[-1]:.0f}x, squared error {higher[-1]:+.2%}", flush=True)
    print(
        f"clustering and look-up, {len(images)} fields of 1920x1440: {1000 * np.median(ours):.0f} ms,"
        f" {np.median(ratios):.0f}x faster than cv2.kmeans (lowest {min(ratios):.0f}x),"
        f" squared error {np.median(higher):+.2%} (highest {max(higher):+.2%})",
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


def built(shared: Path) -> dict[str, RegionFilter]:
    """The paper's filter, and one fitted to 20 fields of BCCD, enlarged like those that are timed."""
    bccd = laboratories(shared, 0)[0]
    doubled = [
        replace(one, image=enlarged(one.image, 1280, 960), boxes=2 * one.boxes)
        for one in bccd.examples(marked=True)
    ]
    return {"fitted": fitted_to(doubled), "paper": instantiate(config("paper"))}


def enlarged(image: Picture, width: int, height: int) -> Picture:
    """A field at another size."""
    return cv2.resize(image, (width, height), interpolation=cv2.INTER_CUBIC)


def main(shared: Path, count: int, rounds: int) -> None:
    """Print all figures."""
    cv2.setNumThreads(1)
    fields = [read_rgb(file) for file in sorted((shared / "bccd" / "images").iterdir())[:count]]
    filters([enlarged(field, 1280, 960) for field in fields], built(shared), rounds)
    clustering([enlarged(field, 1920, 1440) for field in fields])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shared", type=Path, default=HERE.parent.parent / "shared" / "data")
    parser.add_argument("--count", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    main(arguments.shared, arguments.count, arguments.rounds)
