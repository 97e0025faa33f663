"""Validation metrics during training: torchmetrics collects them, `mk11.metrics.final` defines them."""

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torchmetrics import Metric

from mk11.metrics.final import OVERALL, classification_metrics


class SplitMetrics(Metric):
    """The overall metrics of a split, exact, from its logits and labels.

    States stay on the device, where any backend can gather them; a validation split of 10,000 images and 20
    classes takes 0.8 MB.
    """

    full_state_update = False
    probabilities: list[Tensor]
    labels: list[Tensor]

    def __init__(self, *, num_classes: int) -> None:
        super().__init__()
        self.classes = [str(index) for index in range(num_classes)]
        self.add_state("probabilities", default=[], dist_reduce_fx="cat")
        self.add_state("labels", default=[], dist_reduce_fx="cat")

    def update(self, logits: Float[Tensor, "batch classes"], labels: Int[Tensor, " batch"]) -> None:
        """Add a batch; softmax in float32, whatever the precision of the network."""
        self.probabilities.append(logits.detach().float().softmax(dim=1))
        self.labels.append(labels)

    def compute(self) -> dict[str, float]:
        """The names of `OVERALL`, as fractions; NaN where undefined."""
        # After gathering over devices a state is one tensor, before it a list of them.
        probabilities, labels = (
            torch.cat(list(_parts(state))) for state in (self.probabilities, self.labels)
        )
        found = classification_metrics(probabilities.cpu().numpy(), labels.cpu().numpy(), self.classes)
        return {name: float("nan") if found[name] is None else found[name] for name in OVERALL}


def _parts(state: list[Tensor] | Tensor) -> list[Tensor]:
    return [state] if isinstance(state, Tensor) else state
