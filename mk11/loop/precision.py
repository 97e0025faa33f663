"""Which numeric precision a run computes in."""

from typing import TYPE_CHECKING

from mk11.errors import UserError

if TYPE_CHECKING:
    import torch

PRECISIONS = {"fp32": "32-true", "bf16": "bf16-mixed", "fp16": "16-mixed"}


def resolve_precision(asked: str, *, accelerator: str) -> str:
    """Lightning's name of the precision asked for; auto is fp32 on a CPU and the best that a GPU has."""
    import torch

    on_cpu = accelerator == "cpu" or not torch.cuda.is_available()
    if asked == "fp16" and on_cpu:
        raise UserError("trainer.precision must be auto, fp32 or bf16 on a CPU, but is fp16")
    if asked != "auto":
        return PRECISIONS[asked]
    if on_cpu:
        return PRECISIONS["fp32"]
    return PRECISIONS["bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp16"]


def autocast_type(precision: str) -> "torch.dtype | None":
    """The half precision that Lightning's name stands for; None for single precision."""
    import torch

    return {"bf16-mixed": torch.bfloat16, "16-mixed": torch.float16}.get(precision)
