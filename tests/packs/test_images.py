"""Pictures are what they say, small, and without what cameras write into them."""

import io

import pytest
from PIL import Image

from app.packs.images import NotAnImage, prepare
from tests.packs.support import picture

GPS = 0x8825
ORIENTATION = 0x0112


def exif(orientation: int = 1) -> Image.Exif:
    made = Image.Exif()
    made[ORIENTATION] = orientation
    made[GPS] = {1: "N", 2: (38.0, 57.0, 30.0)}
    return made


def opened(body: bytes) -> Image.Image:
    return Image.open(io.BytesIO(body))


def test_a_small_webp_without_metadata_keeps_its_bytes() -> None:
    body = picture(1600, 4)
    made = prepare(body)
    assert made.body == body
    assert (made.width, made.height, made.content_type) == (1600, 4, "image/webp")


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_a_wide_picture_becomes_a_webp_of_1600_pixels(kind: str) -> None:
    made = prepare(picture(3200, 100, kind))
    assert (made.width, made.height) == (1600, 50)
    assert (opened(made.body).format, opened(made.body).size) == ("WEBP", (1600, 50))


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_metadata_with_the_place_is_removed(kind: str) -> None:
    body = picture(40, 20, kind, exif=exif())
    assert opened(body).getexif().get_ifd(GPS)
    made = prepare(body)
    assert not opened(made.body).getexif()
    assert b"EXIF" not in made.body


def test_a_picture_that_the_camera_held_sideways_stands_upright() -> None:
    made = prepare(picture(40, 20, "JPEG", exif=exif(orientation=6)))
    assert (made.width, made.height) == (20, 40)


@pytest.mark.parametrize("mode", ["P", "LA", "L", "CMYK", "I;16"])
def test_other_colour_modes_are_read(mode: str) -> None:
    target = io.BytesIO()
    image = Image.new(mode, (3, 2))
    image.save(target, "JPEG" if mode == "CMYK" else "PNG")
    assert opened(prepare(target.getvalue()).body).mode in {"RGB", "RGBA"}


def test_transparency_is_kept() -> None:
    target = io.BytesIO()
    Image.new("RGBA", (3, 2), (1, 2, 3, 0)).save(target, "PNG")
    assert opened(prepare(target.getvalue()).body).mode == "RGBA"


def test_the_same_bytes_give_the_same_digest() -> None:
    body = picture(50, 50, "PNG")
    assert prepare(body).digest == prepare(body).digest != prepare(picture(51, 50, "PNG")).digest


@pytest.mark.parametrize("size", [(10_000, 5_001), (13_000, 13_000), (20_000, 20_000)])
def test_a_picture_of_more_than_50_megapixels_is_refused_before_it_is_decoded(size: tuple[int, int]) -> None:
    target = io.BytesIO()
    Image.new("1", size).save(target, "PNG")
    with pytest.raises(NotAnImage, match="more than 50 megapixels"):
        prepare(target.getvalue())


@pytest.mark.parametrize("kind", ["GIF", "BMP", "TIFF", "ICO"])
def test_other_formats_are_refused_whatever_the_name_says(kind: str) -> None:
    with pytest.raises(NotAnImage, match="is not a PNG, JPEG or WebP picture"):
        prepare(picture(16, 16, kind))


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_a_damaged_picture_is_refused(kind: str) -> None:
    body = picture(300, 300, kind)
    with pytest.raises(NotAnImage):
        prepare(body[: len(body) // 2])
