"""Work on many files at once, with a progress bar."""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from mk11.terminal import with_progress

Item = TypeVar("Item")
Result = TypeVar("Result")


def in_threads(
    function: Callable[[Item], Result], items: Sequence[Item], *, threads: int | None, title: str
) -> list[Result]:
    """`[function(item) for item in items]` on `threads` threads (None: one per core this process may use).

    Threads do, because decoding and hashing release Python's lock.
    """
    with ThreadPoolExecutor(threads or cores()) as pool:
        results = pool.map(function, items)
        return list(with_progress(results, total=len(items), title=title, unit="image"))


def cores() -> int:
    """Cores this process may use; systems without affinity (macOS) tell how many there are."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
