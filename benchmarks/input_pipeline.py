"""Images per second of the training input: ours against the published code's way, in one run.

    python benchmarks/input_pipeline.py [FOLDER] [--images 1200] [--size 224] [--workers 2] [--rounds 5]

Cuts stained cells of about 300 px out of the pictures in FOLDER into a temporary data set of class folders.
Both ways apply the published recipe, in batches of 64, to fold 0's training images. Published: torchvision's
ImageFolder decodes each time, timm's transforms work on Pillow images. Ours: conf/augment/paper.yaml on the
memory-mapped cache. Rounds alternate, each a whole epoch with the workers already running; the figure is the
median of the rounds' ratios.
"""

import argparse
import tempfile
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import cv2
import numpy as np
import timm.data.auto_augment
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate
from PIL import Image
from timm.data import create_transform
from torch.utils.data import DataLoader
from torchvision.datasets import ImageFolder

from mk11.data.loader import CellLoaders
from mk11.data.transforms.randaugment import posterize
from mk11.data.transforms.resize import resize_policy

REPOSITORY = Path(__file__).resolve().parent.parent
SOURCE = REPOSITORY.parent / "shared/data/bccd/images"
PICTURES = {".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff"}
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
BATCH = 64


def main() -> None:
    """Print both rates of each round, their medians and the ratio."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "source", type=Path, nargs="?", default=SOURCE, help="folder of stained fields or cells"
    )
    parser.add_argument("--images", type=int, default=1200, help="cut; fold 0 trains on 64 % of them")
    parser.add_argument("--size", type=int, default=224, help="side of the network's input in pixels")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "cells"
        cut_cells(args.source, root, args.images)
        mine, paths = our_loader(root, args.size, args.workers)
        published = epochs(published_loader(root, paths, args.size, args.workers))
        ours = epochs(mine)
        rates = [(next(published), next(ours)) for _ in range(args.rounds + 1)][
            1:
        ]  # the first starts the workers
    for number, (theirs, mine) in enumerate(rates, start=1):
        print(f"round {number}: published {theirs:6.0f}   mk11 {mine:6.0f} images/s   {mine / theirs:.2f}x")
    theirs, mine = (median(column) for column in zip(*rates, strict=True))
    ratio = median(mine / theirs for theirs, mine in rates)
    print(f"median:  published {theirs:6.0f}   mk11 {mine:6.0f} images/s   {ratio:.2f}x")


def cut_cells(source: Path, root: Path, count: int) -> None:
    """`count` squares of 280 to 320 px as PNG in two class folders; pictures of single cells are enlarged."""
    pictures = sorted(path for path in source.rglob("*") if path.suffix.lower() in PICTURES)
    if not pictures:
        raise SystemExit(f"no pictures in {source}: give a folder of stained fields or cells")
    generator = np.random.default_rng(0)
    for number in range(count):
        picture = Image.open(pictures[number % len(pictures)]).convert("RGB")
        side = int(generator.integers(280, 321))
        if min(picture.size) < side:
            picture = picture.resize((side, side), Image.Resampling.BICUBIC)
        left, top = (int(generator.integers(0, free - side + 1)) for free in picture.size)
        place = root / f"class_{number % 2}" / f"{number:05d}.png"
        place.parent.mkdir(parents=True, exist_ok=True)
        picture.crop((left, top, left + side, top + side)).save(place)


def published_loader(root: Path, paths: set[Path], size: int, workers: int) -> DataLoader:
    """ImageFolder and timm's transforms; its posterize is guarded, or Pillow 13 would end the run."""
    timm.data.auto_augment.NAME_TO_OP["PosterizeIncreasing"] = posterize
    transform = create_transform(
        size,
        is_training=True,
        color_jitter=None,
        auto_augment="rand-m9-mstd0.5-inc1",
        interpolation="bicubic",
        re_prob=0.25,
        re_mode="pixel",
        re_count=1,
        mean=MEAN,
        std=STD,
    )
    folder = ImageFolder(
        str(root), transform, is_valid_file=lambda path: Path(path) in paths, allow_empty=True
    )
    return DataLoader(
        folder,
        batch_size=BATCH,
        shuffle=True,
        drop_last=True,
        num_workers=workers,
        persistent_workers=workers > 0,
    )


def our_loader(root: Path, size: int, workers: int) -> tuple[DataLoader, set[Path]]:
    """The training loader as train.py builds it for fold 0, and the files of its images."""
    with initialize_config_dir(str(REPOSITORY / "conf"), version_base="1.3"):
        cfg = compose("train", ["data=folder", f"data.root={root}", "augment=paper", f"image_size={size}"])
    policy = resize_policy(name="short_side", image_size=size, target_um_per_pixel=None)
    transform = instantiate(cfg.augment, resize=policy, mean=MEAN, std=STD, _convert_="all")
    fold = instantiate(cfg.data, _convert_="all").fold(0)
    loaders = CellLoaders(
        fold=fold,
        train_transform=transform,
        eval_transform=transform,
        batch_size=BATCH,
        accumulate=1,
        workers=workers,
        seed=0,
    )
    paths = fold.table["path"][fold.table["split"] == "train"]
    return loaders.train_dataloader(), set(map(Path, paths))


def epochs(loader: DataLoader) -> Iterator[float]:
    """Images per second of one epoch after another."""
    while True:
        start = time.perf_counter()
        seen = sum(len(batch["image"] if isinstance(batch, dict) else batch[0]) for batch in loader)
        yield seen / (time.perf_counter() - start)


if __name__ == "__main__":
    warnings.filterwarnings("ignore", category=FutureWarning)
    cv2.setNumThreads(0)
    main()
