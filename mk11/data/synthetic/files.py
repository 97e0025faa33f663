"""Folders of drawn pictures: whole or absent, and drawn on all cores."""

import multiprocessing
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import cv2
import numpy as np
from filelock import FileLock
from jaxtyping import UInt8

from mk11.data.parallel import cores
from mk11.errors import UserError
from mk11.terminal import with_progress

Task = TypeVar("Task")
Result = TypeVar("Result")

WORTH_A_PROCESS = 25  # chunks; fewer are drawn before a second process has started


@contextmanager
def build_folder(root: Path, *, complete: str) -> Iterator[Path | None]:
    """A temporary folder that becomes `root` when the block ends without an error, and vanishes otherwise.

    None if `root` is there already, with the file `complete` in it. Blocks of several processes follow one
    another.

    Raises:
        UserError: `root` holds something else.
    """
    root.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(root.parent / f".{root.name}.drawing.lock"):
        if (root / complete).exists():
            yield None
            return
        if root.exists() and any(root.iterdir()):
            raise UserError(
                f"{root} must be empty or absent to be drawn into, but holds files without {complete}"
            )
        folder = root.parent / f".{root.name}.drawing"
        shutil.rmtree(folder, ignore_errors=True)  # left by a process that was killed
        folder.mkdir()
        try:
            yield folder
            os.replace(folder, root)
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def in_processes(
    draw: Callable[[Task], Result], tasks: Sequence[Task], *, title: str, chunk: int
) -> list[Result]:
    """`[draw(task) for task in tasks]` in as many processes as pay, with a progress bar (on terminals only).

    `chunk`: tasks handed over at once; a process is worth its start from 25 chunks on.
    """
    processes = min(cores(), len(tasks) // (WORTH_A_PROCESS * chunk))
    if processes < 2:
        return _listed(map(draw, tasks), len(tasks), title)
    # spawn: forking would copy the locks of libraries' threads in whatever state they are
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, mp_context=context, initializer=_one_thread) as pool:
        return _listed(pool.map(draw, tasks, chunksize=chunk), len(tasks), title)


def write_png(path: Path, picture: UInt8[np.ndarray, "height width 3"]) -> None:
    """Write RGB as PNG; its bytes depend on the pixels alone."""
    _, encoded = cv2.imencode(".png", picture[..., ::-1], [cv2.IMWRITE_PNG_COMPRESSION, 1])
    path.write_bytes(encoded.tobytes())


def _listed(results: Iterable[Result], total: int, title: str) -> list[Result]:
    return list(with_progress(results, total=total, title=title, unit="image"))


def _one_thread() -> None:
    cv2.setNumThreads(0)
