"""Images with Pillow: opened safely, converted and scaled. Everything here may block: call it in a thread."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import attrs
from PIL import Image, ImageOps

__all__ = ["Picture", "Unusable", "opened", "save"]

QUALITY: Final = 85
"""Quality of JPEG and WebP images, from 0 to 100."""
WHITE: Final = (255, 255, 255)


class Unusable(Exception):
    """Raised when a file is not an image, is broken, or is too large to be decoded."""


@attrs.frozen(kw_only=True)
class Picture:
    """A decoded image. Its first frame, if it has several."""

    image: Image.Image
    """The pixels, turned upright."""
    kind: str
    """Its media type."""
    width: int
    """Pixels, upright."""
    height: int
    """Pixels, upright."""


@contextmanager
def opened(path: Path, max_pixels: int) -> Iterator[Picture]:
    """Open and decode an image.

    Parameters:
        path: The file.
        max_pixels: Maximum number of pixels.

    Raises:
        Unusable: It cannot be decoded, or is too large.
    """
    try:
        image = Image.open(path)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise Unusable(f"it has more than {max_pixels} pixels") from None
    except Exception as error:
        raise Unusable("it is not an image") from error
    with image:
        if image.width * image.height > max_pixels:
            raise Unusable(f"it has {image.width} × {image.height} pixels, more than {max_pixels}")
        kind = Image.MIME.get(image.format or "", "application/octet-stream")
        try:
            image.load()
            upright = ImageOps.exif_transpose(image)
        except Exception as error:  # decoders raise many kinds
            raise Unusable(f"it is a broken image: {error}") from error
        yield Picture(image=upright, kind=kind, width=upright.width, height=upright.height)


def save(picture: Picture, path: Path, form: str | None, sides: tuple[int, int] | None = None) -> Path:
    """Write an image in another form, and return where it is: `path` with the ending of its format.

    Parameters:
        picture: The image.
        path: The file, without its ending.
        form: ``jpeg``, ``png`` or ``webp``. `None` means JPEG, or PNG if there is transparency.
        sides: Width and height in pixels that the image is scaled down to fit into. `None` keeps its size.

    Raises:
        Unusable: The image cannot be written in this form.
        OSError: The file cannot be written.
    """
    image = picture.image
    has_alpha = image.has_transparency_data
    form = form or ("png" if has_alpha else "jpeg")
    try:
        image = image.convert("RGBA" if has_alpha else "RGB")
        if sides is not None:
            image.thumbnail(sides)
        if form == "jpeg" and has_alpha:
            image = Image.alpha_composite(Image.new("RGBA", image.size, (*WHITE, 255)), image).convert("RGB")
    except Exception as error:
        raise Unusable(f"it cannot be converted: {error}") from error
    target = path.with_name(f"{path.name}.{'jpg' if form == 'jpeg' else form}")
    try:
        image.save(target, form.upper(), quality=QUALITY)
    except ValueError as error:
        raise Unusable(f"it cannot be converted to {form}: {error}") from error
    return target
