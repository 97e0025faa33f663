"""Memory of a selection: how its peak grows with the number of fields.

python benchmarks/selection_memory.py [--fields 300 3000] [--workers 2]

Draws small fields, 400x300, with four textured cells. Each number of them goes through the steps of
`select.py` in a process of its own: index, regions by the paper's filter, near-duplicates, features as long
as a ResNet-50's, choice by ActiveSSF, the gallery's map, crops as shards; and then through `select.py`
itself, with a small encoder. Told is the peak of resident memory up to each step, and of the largest worker;
what 1,000 fields more have cost; and what 10,000 would take. Held all at once, the fields alone would take
343 MB a thousand. Linux only.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pandas as pd
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate
from jaxtyping import UInt8

from mk11.data.fields import FieldData
from mk11.data.near_duplicates import groups
from mk11.selection.crops import CropShape
from mk11.selection.field_regions import Search, find_regions
from mk11.selection.regions import Region, RegionFilter
from mk11.selection.strategies.base import Candidates, Labelled, Strategy

ROOT = Path(__file__).resolve().parent.parent
WIDTH, HEIGHT, SIDE = 400, 300, 80  # px
DIMS, IMAGE_SIZE = 2048, 32  # numbers that a ResNet-50 makes of a crop; px a side that ours come from
ASKED = 10_000  # fields

Picture = UInt8[np.ndarray, "height width 3"]
Peaks = dict[str, float]  # MB by step


def main(counts: Sequence[int], workers: int) -> None:
    """Print the peaks for each number of fields, and what they come to."""
    peaks = {}
    with tempfile.TemporaryDirectory() as folder:
        for count in counts:
            place = Path(folder) / str(count)
            draw(place / "fields", count)
            asked = [sys.executable, __file__, "--place", str(place), "--workers", str(workers)]
            told = subprocess.run(asked, check=True, stdout=subprocess.PIPE, text=True).stdout
            peaks[count] = json.loads(told.splitlines()[-1]) | {"select.py": command(place, workers)}
            print(f"{count} fields: {in_words(peaks[count])}", flush=True)
    few, many = counts
    growth = {step: 1000 * (peak - peaks[few][step]) / (many - few) for step, peak in peaks[many].items()}
    print(f"1,000 fields more: {in_words(growth)}")
    more = (ASKED - many) / 1000
    reached = {step: peak + more * growth[step] for step, peak in peaks[many].items()}
    print(f"{ASKED:,} fields would take: {in_words(reached)}")


def in_words(peaks: Peaks) -> str:
    """On a line."""
    return ", ".join(f"{step} {value:.0f} MB" for step, value in peaks.items())


def draw(folder: Path, count: int) -> None:
    """Write as many fields."""
    folder.mkdir(parents=True)
    for number in range(count):
        cv2.imwrite(str(folder / f"{number:06d}.png"), draw_field(number)[..., ::-1])


def draw_field(number: int) -> Picture:
    """Purple cells, no two alike, on light ground."""
    generator = np.random.default_rng(number)
    field = np.full((HEIGHT, WIDTH, 3), 235, np.uint8)
    disc = cv2.circle(np.zeros((SIDE, SIDE), np.uint8), (SIDE // 2, SIDE // 2), SIDE // 2 - 2, 1, -1) > 0
    for y in (40, HEIGHT - SIDE - 40):
        for x in (60, WIDTH - SIDE - 60):
            coarse = generator.normal((90, 60, 200), 25, (11, 11, 3)).clip(0, 255).astype(np.uint8)
            field[y : y + SIDE, x : x + SIDE][disc] = cv2.resize(coarse, (SIDE, SIDE))[disc]
    return field


def command(place: Path, workers: int) -> float:
    """Peak of `select.py` on the same fields; never told as less than what this process holds."""
    asked = [
        sys.executable, str(ROOT / "select.py"), "fields=folder", f"fields.root={place / 'fields'}",
        f"fields.work_dir={place / 'index'}", "filter=paper", "data=synthetic", "data.scale=0.02",
        f"data.root={place / 'cells'}", "encoder.architecture=test_resnet", "encoder.weights=none",
        "encoder.image_size=32", "selection=all", "crops=shards", "trainer=cpu", "threads=1",
        f"workers={workers}", f"runs={place / 'runs'}",
    ]  # fmt: skip
    with subprocess.Popen(asked, stdout=subprocess.DEVNULL, cwd=ROOT) as process:
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, "select.py must end well"
    return usage.ru_maxrss / 1024


def through_steps(place: Path, workers: int) -> Peaks:
    """Peaks after each step."""
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        cfg = compose("select", ["filter=paper", "selection=activessf", "fields=folder", "fields.root=none"])
    unset = dict.fromkeys(("um_per_pixel", "group_regex", "truth", "truth_kinds", "threads"))
    root, work_dir = place / "fields", place / "index"
    fields = FieldData(name="", root=root, on_bad_image="error", work_dir=work_dir, **unset).fields.table
    peaks = {"index": peak()}
    search = Search(Watched(instantiate(cfg.filter), place / "peaks"), instantiate(cfg.crop), seed=0)
    regions = find_regions(fields, search=search, folder=place / "parts", workers=workers).regions
    kept = regions[regions["reason"] == ""].reset_index(drop=True)
    peaks["regions"] = peak()
    peaks["largest worker"] = max(float(file.read_text()) for file in (place / "peaks").iterdir())
    groups(kept["perceptual_hash"].tolist(), radius=20)
    peaks["near-duplicates"] = peak()
    return peaks | from_crops_on(place, kept, fields, search.crop, instantiate(cfg.selection))


def from_crops_on(
    place: Path, kept: pd.DataFrame, fields: pd.DataFrame, shape: CropShape, strategy: Strategy
) -> Peaks:
    """Peaks after the steps that need torch, which workers never import."""
    from mk11.cli.selection.page import positions
    from mk11.selection.field_crops import FieldCrops
    from mk11.selection.manifest import write_crops

    peaks = {"imports": peak()}
    crops, hashes = FieldCrops(kept, fields, shape), kept["crop_hash"].tolist()
    features = store(place).of(hashes, kept["um_per_pixel"].tolist(), crops.of)
    peaks["features"] = peak()
    labelled = Labelled(hashes[:99], features[:99], np.arange(99) % 11, tuple("abcdefghijk"))
    chosen = strategy.select(Candidates(hashes, features), labelled, budget=None, seed=0)
    peaks["choice"] = peak()
    positions(chosen, features, seed=0)
    peaks["map"] = peak()
    write_crops(place, kept, crops.of, how="shards")
    return peaks | {"crops": peak(), "of that the matrix of features": features.nbytes / 2**20}


class Watched(RegionFilter):
    """Another filter, that leaves its process's peak in a file."""

    def __init__(self, finder: RegionFilter, folder: Path) -> None:
        folder.mkdir()
        self.finder, self.folder = finder, folder

    def find(self, image: Picture, *, um_per_pixel: float | None, seed: int) -> list[Region]:
        """What the other one finds."""
        found = self.finder.find(image, um_per_pixel=um_per_pixel, seed=seed)
        (self.folder / str(os.getpid())).write_text(str(peak()))
        return found

    def about(self) -> Mapping[str, Any]:
        """What decides about its regions."""
        return self.finder.about()


def store(place: Path) -> Any:  # noqa: ANN401  its type imports torch
    """For features that cost nothing: the first numbers of the picture."""
    import torch

    from mk11.data.transforms.resize import ShortSide
    from mk11.selection.features import Computing, FeatureStore

    class FirstNumbers(torch.nn.Module):
        """Asked for features as timm's networks are."""

        def forward_features(self, image: torch.Tensor) -> torch.Tensor:
            return image.flatten(1)

        def forward_head(self, image: torch.Tensor, *, pre_logits: bool) -> torch.Tensor:
            return image[:, :DIMS]

    network = SimpleNamespace(network=FirstNumbers(), mean=(0.5,) * 3, std=(0.5,) * 3)
    encoder = SimpleNamespace(name="first", hash="0", image_size=IMAGE_SIZE, about={}, build=lambda: network)
    computing = Computing(device=torch.device("cpu"), autocast=None, batch_size=64, threads=1)
    resize = ShortSide(image_size=IMAGE_SIZE, crop_fraction=1.0)
    return FeatureStore(place / "features", encoder, resize=resize, computing=computing)


def peak() -> float:
    """MB of this process until now; `getrusage` would count what its parent held."""
    (line,) = (line for line in Path("/proc/self/status").read_text().splitlines() if "VmHWM" in line)
    return int(line.split()[1]) / 1024


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--fields", type=int, nargs=2, default=[300, 3000])
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--place", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.place is None:
        main(arguments.fields, arguments.workers)
    else:
        print(json.dumps(through_steps(arguments.place, arguments.workers)))
