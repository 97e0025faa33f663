import multiprocessing
import os
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mk11.data import cache as cache_module
from mk11.data.cache import PIXELS, DecodedPixels, Pixels, cached_pixels
from mk11.data.images import content_hash, read_rgb
from mk11.errors import UserError


@pytest.fixture
def images(class_folders):
    """Index columns that the cache needs; two rows show the same content."""
    paths = sorted(map(str, class_folders.glob("*/*.png")))
    pixels = [read_rgb(Path(path)) for path in [*paths, paths[0]]]
    shapes = [image.shape for image in pixels]
    return pd.DataFrame(
        {
            "path": [*paths, paths[0]],
            "content_hash": [content_hash(image) for image in pixels],
            "height": [shape[0] for shape in shapes],
            "width": [shape[1] for shape in shapes],
        }
    )


@pytest.fixture
def cached(images, tmp_path):
    def build(rows=None, listing="folder", images=images):
        return cached_pixels(
            images=images, rows=images if rows is None else rows, folder=tmp_path, listing=listing, threads=2
        )

    return build


@pytest.fixture
def builds(monkeypatch):
    """Places built so far."""
    places = []
    build = cache_module._build
    monkeypatch.setattr(cache_module, "_build", lambda *job: (places.append(job[3]), build(*job)))
    return places


def caches(folder):
    return sorted(path.name for path in folder.glob("cache-*") if path.is_dir())


def test_every_row_comes_back_as_decoding_gives_it(images, cached):
    rows = images.sample(frac=1, random_state=0)
    cache, decoding = cached(rows), DecodedPixels(tuple(rows["path"]))
    assert len(cache) == len(decoding) == len(images) == 25
    for row in range(25):
        np.testing.assert_array_equal(cache[row], decoding[row])
    assert isinstance(cache, Pixels)
    assert isinstance(decoding, Pixels)


def test_equal_contents_are_stored_once(images, cached):
    size = images.drop_duplicates("content_hash").eval("height * width * 3").sum()
    assert cached().file.stat().st_size == size


def test_an_image_handed_out_may_be_written_on(cached):
    pixels = cached()
    pixels[0][:] = 0
    assert pixels[0].any()


def test_one_cache_serves_every_choice_and_order_of_rows(images, cached, builds):
    for rows in (images, images[::-1], images[:3]):
        cached(rows)
    cached(images=images.sample(frac=1, random_state=1))
    assert len(builds) == 1


def test_a_changed_image_makes_a_new_cache_and_the_old_one_goes(images, cached, tmp_path, save):
    before = cached().file
    save(Path(images["path"][3]), 999)
    changed = images.copy()
    changed.loc[3, "content_hash"] = content_hash(read_rgb(Path(images["path"][3])))
    changed.loc[3, ["height", "width"]] = read_rgb(Path(images["path"][3])).shape[:2]
    after = cached(images=changed)
    np.testing.assert_array_equal(after[3], read_rgb(Path(images["path"][3])))
    assert after.file != before
    assert caches(tmp_path) == [after.file.parent.name]


def test_a_cache_in_use_outlives_its_successor(images, cached, tmp_path):
    in_use = cached()
    smaller = cached(images=images[:5])
    assert len(caches(tmp_path)) == 2
    worker = pickle.loads(pickle.dumps(in_use))  # opens the file anew
    np.testing.assert_array_equal(worker[7], in_use[7])
    del in_use, worker
    cached(images=images[:5])
    assert caches(tmp_path) == [smaller.file.parent.name]


def test_caches_of_another_listing_are_left_alone(images, cached, tmp_path):
    cached(listing="table")
    cached(images=images[:5])
    assert len(caches(tmp_path)) == 2


def test_pixels_travel_to_workers_without_their_content(cached):
    pixels = cached()
    pixels[0]
    packed = pickle.dumps(pixels)
    assert len(packed) < 2000
    np.testing.assert_array_equal(pickle.loads(packed)[5], pixels[5])


@pytest.mark.filterwarnings(
    "ignore:.*fork.*:DeprecationWarning"
)  # later Pythons advise against it in general
def test_forked_workers_read_what_the_parent_reads(cached):
    pixels = cached()
    expected = [int(pixels[row].sum()) for row in range(len(pixels))]
    with multiprocessing.get_context("fork").Pool(2) as pool:
        assert pool.map(_sum_of, [(pixels, row) for row in range(len(pixels))]) == expected


def _sum_of(job):
    pixels, row = job
    return int(pixels[row].sum())


def test_processes_that_start_at_once_build_it_once(images, tmp_path):
    images.to_parquet(tmp_path / "images.parquet")
    script = """
import sys, pandas as pd
from pathlib import Path
from mk11.data import cache
build = cache._build
def counted(*job):
    with open("builds", "a") as log:
        log.write("built\\n")
    build(*job)
cache._build = counted
images = pd.read_parquet("images.parquet")
print("ready", flush=True)
sys.stdin.readline()
pixels = cache.cached_pixels(images=images, rows=images, folder=Path(), listing="folder", threads=2)
print(sum(int(pixels[row].sum()) for row in range(len(pixels))))
"""
    root = Path(__file__).resolve().parents[2]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    environment = {**os.environ, "PYTHONPATH": str(root)}
    starts = [
        subprocess.Popen([sys.executable, "-c", script], cwd=tmp_path, env=environment, **pipes)
        for _ in range(3)
    ]
    assert [process.stdout.readline() for process in starts] == ["ready\n"] * 3
    for process in starts:
        process.stdin.write("go\n")
        process.stdin.flush()
    told = [process.communicate(timeout=60)[0] for process in starts]
    expected = sum(int(read_rgb(Path(path)).sum()) for path in images["path"])
    assert told == [f"{expected}\n"] * 3
    assert (tmp_path / "builds").read_text() == "built\n"


def test_what_a_killed_build_left_is_no_obstacle(cached, tmp_path):
    place = cached().file.parent
    half = tmp_path / f".{place.name}.tmp"
    place.rename(half)
    (half / PIXELS).write_bytes(b"half")
    pixels = cached()
    assert pixels[0].any()
    assert not half.exists()


def test_an_image_that_changed_since_it_was_indexed_is_named(images, cached, save):
    save(Path(images["path"][3]), 999)
    with pytest.raises(UserError, match=r"must not change while they are read, but .* did; start again"):
        cached()


def test_a_full_disk_is_told_before_anything_is_written(cached, tmp_path, monkeypatch):
    usage = cache_module.shutil.disk_usage(tmp_path)
    monkeypatch.setattr(cache_module.shutil, "disk_usage", lambda _: usage._replace(free=10))
    with pytest.raises(UserError, match=r"data\.cache must find 0\.0 GB .*data\.cache=false does without"):
        cached()
    assert caches(tmp_path) == []
