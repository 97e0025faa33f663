import pytest

from mk11.errors import UserError
from mk11.loop.precision import resolve_precision


def test_precision_on_a_cpu_is_fp32_unless_asked_otherwise():
    assert resolve_precision("auto", accelerator="cpu") == "32-true"
    assert resolve_precision("bf16", accelerator="cpu") == "bf16-mixed"
    with pytest.raises(UserError, match=r"trainer\.precision must be auto, fp32 or bf16 on a CPU"):
        resolve_precision("fp16", accelerator="cpu")
