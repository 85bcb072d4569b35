"""Pictures: checked by their content, made small, rid of what cameras write into them."""

import hashlib
import io
import warnings

import msgspec
from PIL import Image, ImageOps, UnidentifiedImageError

FORMATS = ("PNG", "JPEG", "WEBP")
WIDEST = 1600
MOST_PIXELS = 50_000_000
_KEPT_MODES = {"RGB", "RGBA"}
_METADATA = ("exif", "xmp", "icc_profile")


class NotAnImage(Exception):
    """The sentence says what is wrong with the picture."""


class Picture(msgspec.Struct, frozen=True):
    """A WebP without metadata, at most 1600 pixels wide."""

    body: bytes
    width: int
    height: int
    content_type: str = "image/webp"

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.body).hexdigest()


def prepare(body: bytes) -> Picture:
    """The picture as it is stored; one that is fit already keeps its bytes. Raises NotAnImage."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        try:
            return _prepare(body)
        except UnidentifiedImageError:
            raise NotAnImage("is not a PNG, JPEG or WebP picture") from None
        except Image.DecompressionBombError:
            raise NotAnImage("has more than 50 megapixels; make it smaller") from None
        except (OSError, SyntaxError, ValueError, EOFError) as error:
            raise NotAnImage(f"is a damaged picture: {error}") from None


def _prepare(body: bytes) -> Picture:
    with Image.open(io.BytesIO(body), formats=FORMATS) as image:
        if image.width * image.height > MOST_PIXELS:
            raise NotAnImage("has more than 50 megapixels; make it smaller")
        image.load()
        if _is_fit(image):
            return Picture(body, image.width, image.height)
        return _encode(image)


def _is_fit(image: Image.Image) -> bool:
    is_still = not getattr(image, "is_animated", False)
    has_metadata = any(image.info.get(name) for name in _METADATA)
    return image.format == "WEBP" and image.width <= WIDEST and is_still and not has_metadata


def _encode(image: Image.Image) -> Picture:
    upright = ImageOps.exif_transpose(image)
    mode = "RGBA" if upright.has_transparency_data else "RGB"
    plain = upright if upright.mode in _KEPT_MODES else upright.convert(mode)
    if plain.width > WIDEST:
        height = max(1, round(plain.height * WIDEST / plain.width))
        plain = plain.resize((WIDEST, height), Image.Resampling.LANCZOS)
    target = io.BytesIO()
    plain.save(target, "WEBP", quality=82, method=4, exif=b"", xmp=b"", icc_profile=b"")
    return Picture(target.getvalue(), plain.width, plain.height)
