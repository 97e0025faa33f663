import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image

from mk11.data.images import UnreadableImage, content_hash, read_rgb
from mk11.errors import UserError

RGB = np.random.default_rng(0).integers(0, 256, (7, 9, 3), dtype=np.uint8)
GREY = RGB[..., 0]
GREY_AS_RGB = np.stack([GREY] * 3, axis=-1)


@pytest.mark.parametrize("suffix", ["png", "bmp", "tiff"])
@pytest.mark.parametrize(("stored", "expected"), [(RGB, RGB), (GREY, GREY_AS_RGB)], ids=["rgb", "grey"])
def test_lossless_formats_come_back_pixel_for_pixel(tmp_path, suffix, stored, expected):
    Image.fromarray(stored).save(tmp_path / f"cell.{suffix}")
    np.testing.assert_array_equal(read_rgb(tmp_path / f"cell.{suffix}"), expected)


@settings(max_examples=20)
@given(arrays.arrays(np.uint8, st.tuples(st.integers(1, 9), st.integers(1, 9), st.just(3))))
def test_equal_pixels_have_equal_hashes_in_any_format(tmp_path_factory, pixels):
    folder = tmp_path_factory.mktemp("hash")
    files = [folder / f"cell.{suffix}" for suffix in ("png", "bmp", "tif")]
    for file in files:
        Image.fromarray(pixels).save(file)
    assert {content_hash(read_rgb(file)) for file in files} == {content_hash(pixels)}


def test_the_hash_tells_shapes_apart():
    assert content_hash(np.zeros((2, 6, 3), np.uint8)) != content_hash(np.zeros((3, 4, 3), np.uint8))


def test_jpeg_is_close_to_what_was_stored(tmp_path):
    smooth = np.full((16, 16, 3), (200, 120, 160), np.uint8)
    Image.fromarray(smooth).save(tmp_path / "cell.jpg", quality=95)
    assert np.abs(read_rgb(tmp_path / "cell.jpg").astype(int) - smooth).max() <= 4


@pytest.mark.parametrize("suffix", ["png", "tiff"])
def test_sixteen_bit_grey_keeps_its_high_byte(tmp_path, suffix):
    wide = GREY.astype(np.uint16) * 256 + 77
    Image.fromarray(wide).save(tmp_path / f"cell.{suffix}")
    np.testing.assert_array_equal(read_rgb(tmp_path / f"cell.{suffix}"), GREY_AS_RGB)


@pytest.mark.parametrize("suffix", [".png", ".tiff"])
def test_sixteen_bit_colour_keeps_its_high_byte(tmp_path, suffix):
    import cv2

    wide = RGB[..., ::-1].astype(np.uint16) * 256 + 77  # OpenCV stores BGR as RGB
    assert cv2.imwrite(str(tmp_path / f"cell{suffix}"), wide)
    np.testing.assert_array_equal(read_rgb(tmp_path / f"cell{suffix}"), RGB)


def test_what_is_transparent_becomes_white(tmp_path):
    alpha = np.zeros((7, 9, 1), np.uint8)
    alpha[:3] = 255
    Image.fromarray(np.concatenate([RGB, alpha], axis=-1)).save(tmp_path / "cell.png")
    image = read_rgb(tmp_path / "cell.png")
    np.testing.assert_array_equal(image[:3], RGB[:3])
    assert (image[3:] == 255).all()


def test_palettes_become_their_colours_and_their_transparent_entry_white(tmp_path):
    palette = Image.new("P", (2, 1))
    palette.putpalette([10, 20, 30, 90, 80, 70])
    palette.putpixel((1, 0), 1)
    palette.save(tmp_path / "plain.png")
    palette.save(tmp_path / "transparent.png", transparency=1)
    assert read_rgb(tmp_path / "plain.png").tolist() == [[[10, 20, 30], [90, 80, 70]]]
    assert read_rgb(tmp_path / "transparent.png").tolist() == [[[10, 20, 30], [255, 255, 255]]]


def test_bilevel_images_become_black_and_white(tmp_path):
    Image.fromarray(np.array([[True, False]])).save(tmp_path / "mask.png")
    assert read_rgb(tmp_path / "mask.png").tolist() == [[[255] * 3, [0] * 3]]


def test_the_content_decides_about_the_format_not_the_suffix(tmp_path):
    Image.fromarray(RGB).save(tmp_path / "cell.jpg", format="PNG")
    np.testing.assert_array_equal(read_rgb(tmp_path / "cell.jpg"), RGB)


@pytest.mark.parametrize("suffix", ["png", "jpg", "bmp", "tif"])
def test_truncated_files_are_unreadable(tmp_path, suffix):
    whole = tmp_path / f"whole.{suffix}"
    Image.fromarray(np.random.default_rng(1).integers(0, 256, (64, 64, 3), dtype=np.uint8)).save(whole)
    cut = tmp_path / f"cut.{suffix}"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size * 2 // 3])
    with pytest.raises(UnreadableImage, match=r"cut\.\w+ must be a whole PNG, JPEG, BMP or TIFF image"):
        read_rgb(cut)


@pytest.mark.parametrize("content", [b"", b"no image", b"\x89PNG\r\n\x1a\n"])
def test_other_files_are_unreadable(tmp_path, content):
    (tmp_path / "cell.png").write_bytes(content)
    with pytest.raises(UnreadableImage):
        read_rgb(tmp_path / "cell.png")


def test_a_missing_file_is_unreadable_and_a_users_mistake(tmp_path):
    with pytest.raises(UserError, match="No such file"):
        read_rgb(tmp_path / "cell.png")


def test_pixels_without_a_defined_white_are_refused(tmp_path):
    Image.fromarray(np.ones((3, 3), np.float32)).save(tmp_path / "cell.tiff")
    with pytest.raises(UnreadableImage, match="mode F"):
        read_rgb(tmp_path / "cell.tiff")
