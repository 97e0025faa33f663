"""What a run was made with: commit, library versions, device."""

import os
import platform
import subprocess
from importlib.metadata import version
from pathlib import Path

LIBRARIES = (
    "torch", "torchvision", "pytorch-lightning", "timm", "torchmetrics", "hydra-core", "numpy", "pillow",
    "opencv-python-headless", "scikit-learn",
)  # fmt: skip


def commit() -> str | None:
    """Commit of the code in use, `+` behind it when tracked files differ; None outside a git checkout."""
    root = Path(__file__).resolve().parents[2]

    def git(*arguments: str) -> str:
        command = ["git", "-C", str(root), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=10).stdout.strip()

    try:
        return git("rev-parse", "HEAD") + ("+" if git("status", "--porcelain", "-uno") else "")
    except (OSError, subprocess.SubprocessError):
        return None


def versions() -> dict[str, str]:
    """Versions of Python and of the libraries that can change a number."""
    return {"python": platform.python_version(), **{name: version(name) for name in LIBRARIES}}


def device_name(accelerator: str) -> str:
    """Name of the GPU that `trainer.accelerator` leads to, else the processor and its threads in use."""
    import torch

    if accelerator != "cpu" and torch.cuda.is_available():
        return torch.cuda.get_device_name()
    return f"{platform.machine()} CPU, {torch.get_num_threads()} threads"


def process_lives(pid: int) -> bool:
    """Whether a process of this machine has that number."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
