from mk11.training.settings import Settings


def test_the_learning_rate_scales_with_the_global_batch():
    values = dict.fromkeys(Settings.__dataclass_fields__, 0) | {
        "betas": (0.9, 0.999),
        "monitor": "pr_auc",
        "clip_norm": None,
        "reference_compatible": False,
    }
    assert Settings(**values | {"base_lr": 1e-3, "batch_size": 64}).lr == 2.5e-4
    assert Settings(**values | {"base_lr": 1e-3, "batch_size": 512}).lr == 2e-3
