"""LARS: a matrix moves by a share of its own norm, biases as under plain momentum."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mk11.optim.lars import Lars, scaled_update


def lars(parameters, *, lr=1.0, weight_decay=0.0, momentum=0.0, trust=0.01):
    group = {"params": parameters, "lr": lr, "weight_decay": weight_decay}
    return Lars([group], momentum=momentum, trust=trust)


def parameter(*values):
    return torch.nn.Parameter(torch.tensor(values))


def test_a_matrix_moves_by_the_trusted_share_of_its_norm():
    matrix = parameter([3.0, 0.0], [0.0, 4.0])
    matrix.grad = torch.tensor([[0.0, 0.5], [0.0, 0.0]])
    lars([matrix], lr=2.0).step()
    assert torch.allclose(matrix, torch.tensor([[3.0, -2 * 0.01 * 5], [0.0, 4.0]]))


def test_a_vector_moves_by_its_gradient_without_decay():
    vector = parameter(3.0, 4.0)
    vector.grad = torch.tensor([1.0, 0.0])
    lars([vector], lr=0.5, weight_decay=0.1).step()
    assert torch.allclose(vector, torch.tensor([2.5, 4.0]))


def test_the_learning_rate_is_not_remembered_by_the_momentum():
    vector = parameter(0.0)
    optimiser = lars([vector], lr=100.0, momentum=0.5)
    vector.grad = torch.tensor([1.0])
    optimiser.step()
    optimiser.param_groups[0]["lr"] = 1.0
    optimiser.step()
    assert vector.item() == pytest.approx(-100 - (0.5 + 1))


@pytest.mark.parametrize(("weights", "slope"), [(0.0, 1.0), (1.0, 0.0)])
def test_a_matrix_or_gradient_of_zeros_is_not_scaled(weights, slope):
    matrix, gradient = torch.full((2, 2), weights), torch.full((2, 2), slope)
    assert torch.equal(scaled_update(matrix, gradient, weight_decay=0.0, trust=0.01), gradient)


finite = st.floats(-10, 10, width=32)


@given(values=st.lists(finite, min_size=6, max_size=6), decay=st.floats(0, 1))
def test_an_update_equals_the_formula_term_by_term(values, decay):
    matrix, gradient = torch.linspace(1, 2, 6).view(2, 3), torch.tensor(values).view(2, 3)
    decayed = [
        g + decay * p for g, p in zip(gradient.flatten().tolist(), matrix.flatten().tolist(), strict=True)
    ]
    length = math.sqrt(sum(value**2 for value in decayed))
    size = math.sqrt(sum(value**2 for value in matrix.flatten().tolist()))
    ratio = 0.1 * size / length if length > 0 else 1.0
    update = scaled_update(matrix, gradient, weight_decay=decay, trust=0.1).flatten().tolist()
    assert update == pytest.approx([ratio * value for value in decayed], rel=1e-3, abs=1e-5)


def test_parameters_without_a_gradient_stay_where_they_are():
    frozen = parameter([1.0, 2.0])
    lars([frozen], weight_decay=0.5).step()
    assert torch.equal(frozen.detach(), torch.tensor([[1.0, 2.0]]))


def test_a_closure_is_evaluated_with_gradients_and_its_loss_returned():
    vector = parameter(2.0)
    optimiser = lars([vector])

    def closure():
        loss = vector.square().sum()
        loss.backward()
        return loss

    assert optimiser.step(closure).item() == 4
    assert vector.item() == -2


def test_a_resumed_optimiser_goes_on_as_if_never_stopped():
    whole, parts = parameter([1.0, 2.0]), parameter([1.0, 2.0])
    one, two = lars([whole], momentum=0.9), lars([parts], momentum=0.9)
    for _ in range(2):
        whole.grad = parts.grad = torch.tensor([[0.1, -0.2]])
        one.step(), two.step()
    resumed = lars([parts], momentum=0.9)
    resumed.load_state_dict(two.state_dict())
    one.step(), resumed.step()
    assert torch.equal(whole, parts)
