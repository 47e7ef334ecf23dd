import numpy as np
import pytest
from PIL import Image, ImageOps

from cutaway.data import read_image
from cutaway.errors import DataError, OptionError


def gradient(height=12, width=16):
    """A smooth RGB picture whose corners all differ."""
    rows, columns = np.mgrid[:height, :width]
    values = np.stack(
        [rows * 255 // height, columns * 255 // width, (rows + columns) * 255 // (height + width)],
        2,
    )
    return Image.fromarray(values.astype(np.uint8))


def test_pixels_are_those_that_were_saved(tmp_path):
    image = gradient()
    for name in ("a.png", "b.bmp", "c.ppm", "d.tiff", "e.webp"):
        options = {"lossless": True} if name.endswith("webp") else {}
        image.save(tmp_path / name, **options)
        pixels = read_image(tmp_path / name)
        assert pixels.dtype == np.uint8
        np.testing.assert_array_equal(pixels, np.asarray(image))


def test_crop_takes_the_middle_and_stretch_takes_all(tmp_path):
    image = gradient(30, 60)
    image.save(tmp_path / "a.png")
    cropped = read_image(tmp_path / "a.png", (10, 10))
    middle = image.crop((15, 0, 45, 30)).resize((10, 10), Image.Resampling.BILINEAR)
    np.testing.assert_allclose(cropped.astype(int), np.asarray(middle).astype(int), atol=1)
    fitted = ImageOps.fit(image, (20, 10), Image.Resampling.BILINEAR)
    np.testing.assert_allclose(
        read_image(tmp_path / "a.png", (10, 20)).astype(int), np.asarray(fitted).astype(int), atol=1
    )
    stretched = read_image(tmp_path / "a.png", (10, 10), fit="stretch")
    whole = image.resize((10, 10), Image.Resampling.BILINEAR)
    np.testing.assert_allclose(stretched.astype(int), np.asarray(whole).astype(int), atol=1)


def test_a_large_jpeg_decoded_small_looks_like_the_whole_one_resized(tmp_path):
    image = gradient(300, 400)
    image.save(tmp_path / "a.jpg", quality=95)
    with Image.open(tmp_path / "a.jpg") as whole:
        expected = ImageOps.fit(whole, (32, 32), Image.Resampling.BILINEAR)
    pixels = read_image(tmp_path / "a.jpg", (32, 32)).astype(int)
    np.testing.assert_allclose(pixels, np.asarray(expected).astype(int), atol=3)
    gray = read_image(tmp_path / "a.jpg", (32, 32), channels=1)
    assert gray.shape == (32, 32, 1)
    np.testing.assert_allclose(
        gray[:, :, 0].astype(int), np.asarray(expected.convert("L")).astype(int), atol=3
    )


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", ["png", "jpg"])
def test_every_exif_orientation_is_turned_upright(tmp_path, orientation, suffix):
    path = tmp_path / f"a.{suffix}"
    exif = Image.Exif()
    exif[0x0112] = orientation
    gradient(24, 40).save(path, exif=exif, **({"quality": 100} if suffix == "jpg" else {}))
    with Image.open(path) as image:
        upright = ImageOps.exif_transpose(image)
    np.testing.assert_array_equal(read_image(path), np.asarray(upright))
    small = ImageOps.fit(upright, (20, 12), Image.Resampling.BILINEAR)  # width, height
    np.testing.assert_allclose(
        read_image(path, (12, 20)).astype(int),
        np.asarray(small).astype(int),
        atol=6 if suffix == "jpg" else 1,  # a JPEG is halved by another filter
    )


def test_sixteen_bits_become_eight_by_their_share_of_the_range(tmp_path):
    values = np.array([[0, 257, 256, 65535], [128 * 257, 1000, 40000, 65534]], np.uint16)
    Image.fromarray(values).save(tmp_path / "a.png")
    expected = np.rint(values / 65535 * 255).astype(np.uint8)
    np.testing.assert_array_equal(read_image(tmp_path / "a.png", channels=1)[:, :, 0], expected)
    np.testing.assert_array_equal(read_image(tmp_path / "a.png")[:, :, 2], expected)


def test_a_palette_becomes_its_colors(tmp_path):
    image = gradient().quantize(8)
    image.save(tmp_path / "a.png")
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), np.asarray(image.convert("RGB")))


def test_what_is_transparent_is_laid_on_white(tmp_path):
    rgba = np.zeros((2, 2, 4), np.uint8)
    rgba[0, 0] = (200, 100, 0, 255)
    rgba[0, 1] = (200, 100, 0, 0)
    rgba[1, 0] = (200, 100, 0, 51)  # a fifth
    Image.fromarray(rgba).save(tmp_path / "a.png")
    expected = [[[200, 100, 0], [255, 255, 255]], [[244, 224, 204], [255, 255, 255]]]
    np.testing.assert_allclose(read_image(tmp_path / "a.png").astype(int), expected, atol=1)

    gray = Image.fromarray(np.array([[[10, 255], [10, 0]]], np.uint8), "LA")
    gray.save(tmp_path / "la.png")
    assert read_image(tmp_path / "la.png", channels=1)[0, :, 0].tolist() == [10, 255]

    palette = Image.fromarray(np.array([[0, 1]], np.uint8), "P")
    palette.putpalette([10, 20, 30, 40, 50, 60])
    palette.save(tmp_path / "p.png", transparency=1)
    assert read_image(tmp_path / "p.png")[0].tolist() == [[10, 20, 30], [255, 255, 255]]
    palette.save(tmp_path / "bytes.png", transparency=b"\xff\x00")
    assert read_image(tmp_path / "bytes.png")[0].tolist() == [[10, 20, 30], [255, 255, 255]]


def test_one_bit_and_cmyk_become_rgb(tmp_path):
    Image.fromarray(np.array([[0, 255]], np.uint8)).convert("1").save(tmp_path / "a.png")
    assert read_image(tmp_path / "a.png")[0].tolist() == [[0, 0, 0], [255, 255, 255]]
    image = Image.new("CMYK", (16, 16), (0, 255, 255, 0))  # red
    for name in ("a.jpg", "a.tiff"):
        image.save(tmp_path / name)
        for size in (None, (8, 8)):
            pixels = read_image(tmp_path / name, size).reshape(-1, 3).astype(int)
            np.testing.assert_allclose(pixels, np.tile([255, 0, 0], (len(pixels), 1)), atol=4)
        assert abs(int(read_image(tmp_path / name, (4, 4), channels=1)[0, 0, 0]) - 76) <= 4


def test_files_that_are_no_images_are_named(tmp_path):
    with pytest.raises(DataError, match="there is no file"):
        read_image(tmp_path / "none.jpg")
    (tmp_path / "a.jpg").write_text("a page, not a picture")
    with pytest.raises(DataError, match=r"a\.jpg cannot be read .* unknown image format"):
        read_image(tmp_path / "a.jpg")
    (tmp_path / "b.png").touch()
    with pytest.raises(DataError, match=r"b\.png cannot be read .*: it is empty"):
        read_image(tmp_path / "b.png")


@pytest.mark.parametrize("suffix", ["jpg", "png", "gif", "tiff", "bmp", "webp"])
def test_truncated_files_are_named(tmp_path, suffix):
    whole, path = tmp_path / f"whole.{suffix}", tmp_path / f"cut.{suffix}"
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    Image.fromarray(noise).save(whole)
    content = whole.read_bytes()
    for share in (0.02, 0.3, 0.6, 0.9):
        path.write_bytes(content[: int(len(content) * share)])
        for size in (None, (8, 8)):
            with pytest.raises(DataError, match=f"cut.{suffix} cannot be read"):
                read_image(path, size)


def test_values_without_a_known_range_are_named(tmp_path):
    Image.fromarray(np.ones((2, 2), np.float32)).save(tmp_path / "a.tiff")
    with pytest.raises(DataError, match=r"a\.tiff: the pixels are floats"):
        read_image(tmp_path / "a.tiff")
    Image.fromarray(np.full((2, 2), 70_000, np.int32)).save(tmp_path / "b.tiff")
    with pytest.raises(DataError, match=r"b\.tiff: the pixels are integers from 70000 to 70000"):
        read_image(tmp_path / "b.tiff")


def test_unknown_options_are_named(tmp_path):
    with pytest.raises(OptionError, match="fit 'croop'"):
        read_image(tmp_path / "a.png", (2, 2), fit="croop")
    with pytest.raises(OptionError, match="channels 4"):
        read_image(tmp_path / "a.png", channels=4)
