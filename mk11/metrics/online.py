"""Validation metrics during training: torchmetrics collects them, `mk11.metrics.final` defines them."""

from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, distributed
from torchmetrics import Metric

from mk11.metrics.final import OVERALL, classification_metrics


class SplitMetrics(Metric):
    """The overall metrics of a split, exact, from its logits and labels.

    States are kept on the CPU and travel over any backend; a validation split of 10,000 images and 20 classes
    takes 0.8 MB.
    """

    full_state_update = False
    probabilities: list[Tensor]
    labels: list[Tensor]

    def __init__(self, *, num_classes: int) -> None:
        super().__init__(dist_sync_fn=_gathered)
        self.classes = [str(index) for index in range(num_classes)]
        self.add_state("probabilities", default=[], dist_reduce_fx="cat")
        self.add_state("labels", default=[], dist_reduce_fx="cat")

    def update(self, logits: Float[Tensor, "batch classes"], labels: Int[Tensor, " batch"]) -> None:
        """Add a batch; softmax in float32, whatever the precision of the network."""
        self.probabilities.append(logits.detach().float().softmax(dim=1).cpu())
        self.labels.append(labels.cpu())

    def compute(self) -> dict[str, float]:
        """The names of `OVERALL`, as fractions; NaN where undefined, and all NaN if a logit is not finite."""
        # After gathering over devices a state is one tensor, before it a list of them.
        probabilities, labels = (
            torch.cat(list(_parts(state))) for state in (self.probabilities, self.labels)
        )
        if not probabilities.isfinite().all():  # a network that has diverged has no ranking to measure
            return dict.fromkeys(OVERALL, float("nan"))
        found = classification_metrics(probabilities.numpy(), labels.numpy(), self.classes)
        return {name: float("nan") if found[name] is None else found[name] for name in OVERALL}


def _parts(state: list[Tensor] | Tensor) -> list[Tensor]:
    return [state] if isinstance(state, Tensor) else state


def _gathered(state: Tensor, group: Any = None) -> list[Tensor]:  # noqa: ANN401
    """Every device's part of a state, as objects: a device may have had fewer images than others, or none.

    torchmetrics' own gathering needs as many axes everywhere, which the state of a device without images
    lacks, and tensors where the backend wants them, which for NCCL is never the CPU.
    """
    parts: list[Any] = [None] * distributed.get_world_size(group)
    distributed.all_gather_object(parts, state.cpu(), group=group)
    return [part for part in parts if part.numel()]
