"""Pictures as data URIs."""

import base64
import io

import numpy as np
import pytest
from PIL import Image

from mk11.page import png_uri, svg_uri


def test_a_png_comes_back_pixel_for_pixel():
    pixels = np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(stream := io.BytesIO(), format="PNG")
    kind, _, content = png_uri(stream.getvalue()).partition(";base64,")
    assert kind == "data:image/png"
    np.testing.assert_array_equal(Image.open(io.BytesIO(base64.b64decode(content))), pixels)


@pytest.mark.parametrize("content", [b"", b"<svg onload='alert(1)'/>", b"GIF89a"])
def test_what_is_no_png_is_refused(content):
    with pytest.raises(ValueError, match="PNG"):
        png_uri(content)


def test_an_svg_keeps_its_bytes(tmp_path):
    path = tmp_path / "a.svg"
    path.write_bytes(content := "<svg>ä</svg>".encode())
    assert base64.b64decode(svg_uri(path).removeprefix("data:image/svg+xml;base64,")) == content
