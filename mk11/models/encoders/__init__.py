"""Encoders of the self-supervised methods as timm networks; importing this package registers them.

``timm.create_model("mae_vit_base")`` and the like work once it is imported; `mk11` sees to that. Each module
names its tensors as the method's official files do, so that an encoder's file loads without renaming.
"""

from mk11.models.encoders import convmae, mixmim, mocov3, vit

__all__ = ["convmae", "mixmim", "mocov3", "vit"]
