"""Projector and predictor have the published layers in the published places."""

import pytest
import torch
from torch import nn

from mk11.ssl.heads import predictor, projector


def layout(head):
    return [type(layer).__name__ for layer in head]


BETWEEN = ["Linear", "BatchNorm1d", "ReLU"]
LAST = ["Linear", "BatchNorm1d"]


@pytest.mark.parametrize("layers", [2, 3])
def test_a_projector_has_norm_and_relu_between_its_layers_and_a_norm_at_the_end(layers):
    head = projector(features=6, hidden=8, output=4, layers=layers)
    assert layout(head) == BETWEEN * (layers - 1) + LAST
    widths = [(layer.in_features, layer.out_features) for layer in head if isinstance(layer, nn.Linear)]
    assert widths == {2: [(6, 8), (8, 4)], 3: [(6, 8), (8, 8), (8, 4)]}[layers]


def test_a_predictor_ends_with_a_norm_for_a_vit_and_without_for_a_resnet():
    assert layout(predictor(dim=4, hidden=8, last_norm=True)) == BETWEEN + LAST
    assert layout(predictor(dim=4, hidden=8, last_norm=False)) == [*BETWEEN, "Linear"]


def test_no_layer_has_a_bias_and_the_last_norm_has_no_gain_either():
    head = projector(features=6, hidden=8, output=4, layers=3)
    assert all(layer.bias is None for layer in head if isinstance(layer, nn.Linear))
    assert [layer.affine for layer in head if isinstance(layer, nn.BatchNorm1d)] == [True, True, False]


def test_projections_have_mean_0_and_variance_1_over_the_batch():
    torch.manual_seed(0)
    projections = projector(features=6, hidden=8, output=4, layers=2)(torch.randn(64, 6))
    assert torch.allclose(projections.mean(0), torch.zeros(4), atol=1e-5)
    assert torch.allclose(projections.var(0, unbiased=False), torch.ones(4), atol=1e-2)
