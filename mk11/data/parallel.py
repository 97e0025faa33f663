"""Work on many files at once, with a progress bar."""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from tqdm import tqdm

Item = TypeVar("Item")
Result = TypeVar("Result")


def in_threads(
    function: Callable[[Item], Result], items: Sequence[Item], *, threads: int | None, title: str
) -> list[Result]:
    """`[function(item) for item in items]` on `threads` threads (None: one per core this process may use).

    Threads do, because decoding and hashing release Python's lock. The bar shows on terminals only.
    """
    with ThreadPoolExecutor(threads or cores()) as pool:
        results = pool.map(function, items)
        return list(tqdm(results, total=len(items), desc=title, unit="image", leave=False, disable=None))


def cores() -> int:
    """Cores this process may use; systems without affinity (macOS) tell how many there are."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
