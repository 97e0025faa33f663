import numpy as np
import pytest
import torch

from mk11.metrics.final import OVERALL, classification_metrics
from mk11.metrics.online import SplitMetrics


@pytest.mark.parametrize("labels", [[0, 1, 2], [0, 2], [1]])
def test_batches_give_the_same_as_the_final_metrics_on_all_at_once(labels):
    generator = np.random.default_rng(len(labels))
    logits = torch.from_numpy(generator.normal(size=(50, 3))).float()
    target = torch.from_numpy(generator.choice(labels, 50))
    metrics = SplitMetrics(num_classes=3)
    for batch in torch.arange(50).split(16):
        metrics.update(logits[batch], target[batch])
    final = classification_metrics(logits.softmax(dim=1).numpy(), target.numpy(), ("0", "1", "2"))
    expected = {name: float("nan") if final[name] is None else final[name] for name in OVERALL}
    assert metrics.compute() == pytest.approx(expected, abs=1e-6, nan_ok=True)


def test_an_epoch_forgets_the_one_before():
    metrics = SplitMetrics(num_classes=2)
    metrics.update(torch.tensor([[3.0, 0.0]]), torch.tensor([1]))
    metrics.reset()
    metrics.update(torch.tensor([[3.0, 0.0]]), torch.tensor([0]))
    assert metrics.compute()["accuracy"] == 1.0


def test_half_precision_logits_become_float32_probabilities():
    metrics = SplitMetrics(num_classes=2)
    metrics.update(torch.tensor([[0.1, 0.2]], dtype=torch.bfloat16), torch.tensor([0]))
    assert metrics.probabilities[0].dtype == torch.float32
