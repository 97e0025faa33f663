import torch

from mk11.optim.optimiser import adamw


def test_a_step_moves_each_group_by_its_own_rate():
    slow, fast = (torch.ones(3, requires_grad=True) for _ in range(2))
    groups = [
        {"params": [slow], "lr": 0.01, "weight_decay": 0.0},
        {"params": [fast], "lr": 0.1, "weight_decay": 0.0},
    ]
    optimiser = adamw(groups, betas=(0.9, 0.999))
    (slow.sum() + fast.sum()).backward()
    optimiser.step()
    assert torch.allclose(1 - slow, torch.full((3,), 0.01), atol=1e-6)  # Adam's first step has size lr
    assert torch.allclose(1 - fast, torch.full((3,), 0.1), atol=1e-6)


def test_betas_from_yaml_reach_adamw_and_a_cpu_is_not_fused():
    optimiser = adamw([{"params": [torch.zeros(1, requires_grad=True)], "lr": 1.0}], betas=[0.8, 0.95])
    assert optimiser.param_groups[0]["betas"] == (0.8, 0.95)
    assert not optimiser.param_groups[0]["fused"]
