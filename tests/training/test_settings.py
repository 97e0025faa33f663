import pytest

from mk11.errors import UserError
from mk11.training.settings import Settings, resolve_precision


def test_the_learning_rate_scales_with_the_global_batch():
    values = dict.fromkeys(Settings.__dataclass_fields__, 0) | {
        "betas": (0.9, 0.999),
        "monitor": "pr_auc",
        "clip_norm": None,
    }
    assert Settings(**values | {"base_lr": 1e-3, "batch_size": 64}).lr == 2.5e-4
    assert Settings(**values | {"base_lr": 1e-3, "batch_size": 512}).lr == 2e-3


def test_precision_on_a_cpu_is_fp32_unless_asked_otherwise():
    assert resolve_precision("auto", accelerator="cpu") == "32-true"
    assert resolve_precision("bf16", accelerator="cpu") == "bf16-mixed"
    with pytest.raises(UserError, match=r"trainer\.precision must be auto, fp32 or bf16 on a CPU"):
        resolve_precision("fp16", accelerator="cpu")
