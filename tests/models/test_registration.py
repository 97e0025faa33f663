"""timm knows our encoders once mk11 is imported, and importing mk11 imports nothing else."""

import runpy
import subprocess
import sys

import mk11

FRESH = """
import sys
import mk11
assert not {"torch", "timm", "numpy"} & set(sys.modules)
import importlib.util
assert importlib.util.find_spec("timm")  # looking for a module is not importing it
import timm
for name in ("mae_vit_base", "convmae_base", "mixmim_base", "mocov3_vit_small", "mocov3_vit_conv_base"):
    assert timm.is_model(name), name
network = timm.create_model("convmae_tiny", num_classes=3, img_size=32)
assert network.get_classifier().out_features == 3
assert timm.models.model_entrypoint("mae_vit_base").__module__ == "mk11.models.encoders.vit"
"""


def test_a_fresh_interpreter_finds_our_encoders_in_timm():
    subprocess.run([sys.executable, "-c", FRESH], check=True, timeout=300)


def test_encoders_are_registered_at_once_where_timm_came_first(monkeypatch):
    finders = list(sys.meta_path)
    assert "timm" in sys.modules or __import__("timm")
    monkeypatch.delitem(sys.modules, "mk11.models.encoders", raising=False)
    runpy.run_path(mk11.__file__)
    assert "mk11.models.encoders" in sys.modules
    assert sys.meta_path == finders, "no hook is left to wait for what has happened"


def test_every_encoder_of_ours_is_registered():
    import timm

    ours = {
        name
        for name in timm.list_models()
        if timm.models.model_entrypoint(name).__module__.startswith("mk11.")
    }
    wanted = {f"mae_vit_{size}" for size in ("tiny", "small", "base", "large", "huge")}
    wanted |= {f"convmae_{size}" for size in ("tiny", "small", "base", "large", "huge")}
    wanted |= {f"mixmim_{size}" for size in ("tiny", "base", "large", "huge")}
    wanted |= {f"mocov3_vit_{stem}{size}" for stem in ("", "conv_") for size in ("tiny", "small", "base")}
    assert wanted <= ours
