"""What a pre-training that cannot go on says: where the last good checkpoint is, and what may help."""

from mk11.runs.folder import RunFolder

HELP = "A lower optim.base_lr, clip_norm, or trainer.precision=bf16 or fp32 may help"


def remedy(folder: RunFolder) -> str:
    """Two sentences, the first about the checkpoint of the last complete epoch."""
    saved = (
        f"The last good checkpoint is {folder.last}" if folder.last.exists() else "No epoch before ended well"
    )
    return f"{saved}. {HELP}"
