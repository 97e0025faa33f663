"""Experiments in classifying megakaryocyte subtypes in stained bone-marrow images.

With this package imported timm knows our encoders: ``timm.create_model("convmae_base", num_classes=11)``.
"""

import sys
from importlib import import_module
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

__version__ = "0.1.0"

ENCODERS = "mk11.models.encoders"  # importing it registers them with timm


class _AfterTimm:
    """An import hook: registers our encoders when somebody has imported timm, and costs nothing before."""

    def find_spec(self, name: str, path: Any, target: ModuleType | None = None) -> ModuleSpec | None:  # noqa: ANN401
        """How the other finders would import timm, with the registration after it; None for other modules."""
        if name != "timm":
            return None
        others = (finder for finder in sys.meta_path if finder is not self)
        spec = next((spec for finder in others if (spec := finder.find_spec(name, path, target))), None)
        if spec is not None and spec.loader is not None:
            execute = spec.loader.exec_module

            def execute_and_register(module: ModuleType) -> None:
                execute(module)
                import_module(ENCODERS)

            spec.loader.exec_module = execute_and_register  # type: ignore[method-assign]
        return spec


if "timm" in sys.modules:
    import_module(ENCODERS)
else:
    sys.meta_path.insert(0, _AfterTimm())
