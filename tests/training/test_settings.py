import pytest

from mk11.errors import UserError
from mk11.training.settings import Settings, resolve_precision

PUBLISHED = {
    "epochs": 50,
    "batch_size": 64,
    "accumulate": 1,
    "base_lr": 1e-3,
    "min_lr": 1e-6,
    "warmup_epochs": 5.0,
    "weight_decay": 0.05,
    "layer_decay": 0.75,
    "betas": (0.9, 0.999),
    "label_smoothing": 0.1,
    "mixup_alpha": 0.0,
    "cutmix_alpha": 0.0,
    "mix_probability": 1.0,
    "switch_probability": 0.5,
    "clip_norm": None,
    "ema_decay": 0.0,
    "monitor": "pr_auc",
    "seed": 0,
}


def test_the_learning_rate_scales_with_the_global_batch():
    assert Settings(**PUBLISHED).lr == pytest.approx(2.5e-4)
    assert Settings(**{**PUBLISHED, "batch_size": 512}).lr == pytest.approx(2e-3)


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("batch_size", 0, "batch_size must be at least 1, but is 0"),
        ("min_lr", 1.0, r"optim\.min_lr must be in \[0, lr\), but is 1\.0"),
        ("warmup_epochs", 60.0, r"optim\.warmup_epochs must be in \[0, epochs=50\], but is 60\.0"),
        ("layer_decay", 0.0, r"optim\.layer_decay must be in \(0, 1\], but is 0\.0"),
        ("mix_probability", 1.5, r"mix\.probability must be in \[0, 1\], but is 1\.5"),
        ("clip_norm", 0.0, "clip_norm must be above 0, or null, but is 0"),
    ],
)
def test_a_value_out_of_range_is_named_with_its_key_and_rule(name, value, told):
    with pytest.raises(UserError, match=told):
        Settings(**{**PUBLISHED, name: value})


def test_precision_on_a_cpu_is_fp32_unless_asked_otherwise():
    assert resolve_precision("auto", accelerator="cpu") == "32-true"
    assert resolve_precision("bf16", accelerator="cpu") == "bf16-mixed"
