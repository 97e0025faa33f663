"""Where what is computed from a data folder is kept: index, folds and cache."""

import hashlib
import os
from pathlib import Path

WRITE_BITS = 0o222


def side_folder(root: Path, work_dir: Path | None) -> Path:
    """`<root>/.mk11`; with `work_dir`, a folder there named after the root; it is created.

    Where the root cannot be written to, the user's cache folder stands in for `work_dir`.
    """
    folder = root / ".mk11"
    if work_dir is not None or not _writable(folder if folder.exists() else root):
        base = work_dir or Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "mk11"
        key = hashlib.blake2b(str(root.resolve()).encode(), digest_size=4).hexdigest()
        folder = base / f"{root.resolve().name}-{key}"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _writable(folder: Path) -> bool:
    """Whether files may be made in `folder`; one marked read-only is left alone even by the superuser."""
    return os.access(folder, os.W_OK) and bool(folder.stat().st_mode & WRITE_BITS)
