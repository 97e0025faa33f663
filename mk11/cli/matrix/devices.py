"""Which GPUs a cell may use, so that cells at one time do not share one by accident."""

import os
import random
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

SYSTEM = random.SystemRandom()
POLL = 1.0  # s between looks for a free GPU


def gpu_ids(environment: Mapping[str, str]) -> list[str]:
    """Unique ids of the GPUs that this process may use; empty without nvidia-smi or GPUs.

    Numbers in CUDA_VISIBLE_DEVICES count as nvidia-smi does, which is CUDA_DEVICE_ORDER=PCI_BUS_ID.
    """
    command = ["nvidia-smi", "--query-gpu=uuid", "--format=csv,noheader"]
    try:
        told = subprocess.run(
            command, capture_output=True, text=True, timeout=30, check=True, env=environment
        )
    except (OSError, subprocess.SubprocessError):
        return []
    present = [line.strip() for line in told.stdout.splitlines() if line.strip()]
    visible = environment.get("CUDA_VISIBLE_DEVICES")
    if visible is None:
        return present
    chosen = [name.strip() for name in visible.split(",") if name.strip()]
    return [present[int(name)] if name.isdigit() else name for name in chosen if _exists(name, present)]


def _exists(name: str, present: list[str]) -> bool:
    return int(name) < len(present) if name.isdigit() else any(known.startswith(name) for known in present)


@contextmanager
def claimed(
    count: int, *, per_gpu: int, wait: Callable[[], None], stopped: Callable[[], bool]
) -> Iterator[dict[str, str]]:
    """Hold `count` GPUs until the block ends; yields the environment variables that show only these.

    Locks lie in the machine's temporary folder under the GPUs' unique ids: they hold between processes,
    commands and containers' numberings, and are freed when a process dies. With more GPUs asked for than
    there are, none is claimed, and the run itself says what is wrong.

    Args:
        count: GPUs wanted; 0 yields nothing.
        per_gpu: How many cells may share one.
        wait: Called once, before waiting for a GPU to become free.
        stopped: Whether to give up waiting.

    Raises:
        KeyboardInterrupt: It was `stopped` while waiting.
    """
    present = gpu_ids(os.environ) if count else []
    if not count or len(present) < count:
        yield {}
        return
    with ExitStack() as held:
        told = False
        while len(mine := _claim(present, count, per_gpu, held)) < count:
            held.close()
            if not told:
                wait()
                told = True
            if stopped():
                raise KeyboardInterrupt
            time.sleep(POLL * (0.5 + SYSTEM.random()))  # two that wait for several must not keep step
        yield {"CUDA_VISIBLE_DEVICES": ",".join(mine)}


def _claim(present: list[str], count: int, per_gpu: int, held: ExitStack) -> list[str]:
    mine: list[str] = []
    for slot in range(per_gpu):  # the emptiest GPUs first
        for gpu in present:
            if len(mine) < count and gpu not in mine and _lock(gpu, slot, held):
                mine.append(gpu)
    return mine


def _lock(gpu: str, slot: int, held: ExitStack) -> bool:
    folder = Path(tempfile.gettempdir()) / f"mk11-gpus-{os.getuid()}"
    folder.mkdir(exist_ok=True)
    try:
        held.enter_context(FileLock(folder / f"{gpu}-{slot}.lock", timeout=0))
    except Timeout:
        return False
    return True
