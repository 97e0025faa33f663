"""Position tables, and tables carried to another grid."""

import math

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from mk11.models.positions import resized_bias, resized_table, sincos_table

grids = st.tuples(st.integers(1, 6), st.integers(1, 6))


@given(grid=grids, quarters=st.integers(1, 4), row_first=st.booleans())
def test_each_entry_is_the_sine_or_cosine_of_its_definition(grid, quarters, row_first):
    table = sincos_table(4 * quarters, grid, row_first=row_first, class_token=False)
    for place in range(grid[0] * grid[1]):
        row, column = divmod(place, grid[1])
        first, second = (row, column) if row_first else (column, row)
        expected = [
            wave(position * 10_000 ** (-k / quarters))
            for position in (first, second)
            for wave in (math.sin, math.cos)
            for k in range(quarters)
        ]
        assert table[0, place].tolist() == pytest.approx(expected, abs=1e-6)


def test_a_class_token_has_a_row_of_zeros_before_the_rest():
    plain = sincos_table(8, (2, 3), row_first=True, class_token=False)
    table = sincos_table(8, (2, 3), row_first=True, class_token=True)
    assert table.shape == (1, 7, 8)
    assert table.dtype == torch.float32
    assert table[:, 0].abs().max() == 0
    assert torch.equal(table[:, 1:], plain)


@pytest.mark.parametrize("prefix", [0, 1, 3])
def test_a_table_on_its_own_grid_stays_as_it_is(prefix):
    table = torch.randn(1, 16 + prefix, 8)
    assert resized_table(table, (4, 4), prefix=prefix) is table


@pytest.mark.parametrize("prefix", [0, 1, 3])
@pytest.mark.parametrize("grid", [(6, 6), (3, 3), (4, 7), (2, 8)])
def test_each_channel_of_a_resized_table_is_a_bicubic_picture(grid, prefix):
    table = torch.randn(1, 16 + prefix, 3, generator=torch.Generator().manual_seed(0))
    resized = resized_table(table, grid, prefix=prefix)
    assert torch.equal(resized[:, :prefix], table[:, :prefix])
    for channel in range(3):
        picture = F.interpolate(table[:, prefix:, channel].view(1, 1, 4, 4), size=grid, mode="bicubic")
        torch.testing.assert_close(resized[0, prefix:, channel].view(grid), picture[0, 0])


@pytest.mark.parametrize("side", [3, 9])
def test_each_head_of_a_resized_bias_table_is_a_bicubic_picture(side):
    table = torch.randn(25, 2, generator=torch.Generator().manual_seed(0))
    resized = resized_bias(table, side)
    for head in range(2):
        picture = F.interpolate(table[:, head].view(1, 1, 5, 5), size=(side, side), mode="bicubic")
        torch.testing.assert_close(resized[:, head].view(side, side), picture[0, 0])


def test_a_bias_table_of_its_own_side_stays_as_it_is():
    table = torch.randn(25, 2)
    assert resized_bias(table, 5) is table


def test_a_half_precision_table_keeps_its_type():
    assert resized_table(torch.randn(1, 9, 4).bfloat16(), (5, 5), prefix=0).dtype == torch.bfloat16
