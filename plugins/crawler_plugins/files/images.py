"""`Images`: download images, check their size, convert them and make thumbnails."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar, Final, Literal

from crawler import ConfigError
from crawler_plugins.files.file_store import Content
from crawler_plugins.files.files_plugin import GIB, Files
from crawler_plugins.files.partial import PartialFile, digest_of
from crawler_plugins.files.pattern import FIELDS, PathPattern

__all__ = ["Images"]

MAX_PIXELS: Final = 2 * 89_478_485
"""Number of pixels above which Pillow does not open an image."""
MAX_SIDE: Final = 65_535
"""Maximum width and height of a thumbnail, in pixels: JPEG allows no more."""


class Images(Files):
    """Downloads the images that items point to. It needs Pillow: ``pip install 'trio-crawler[images]'``.

    It does what `Files` does, and adds ``width`` and ``height`` (pixels) and ``thumbs`` (paths by name) to each entry.
    ``type`` is what the image is, whatever its server says; a file that is not an image fails. An image that is
    converted is stored in its new form, which ``digest``, ``size`` and ``type`` describe.

    Parameters:
        folder: See `Files`.
        fields: See `Files`.
        result: See `Files`.
        path: See `Files`.
        min_bytes: See `Files`.
        max_bytes: See `Files`.
        types: See `Files`. They are compared with the type that the server states.
        concurrency: See `Files`.
        timeout: See `Files`.
        expires: See `Files`.
        required: See `Files`.
        min_width: Minimum width in pixels.
        min_height: Minimum height in pixels.
        max_pixels: Maximum number of pixels; larger images are not decoded. A pixel takes up to 4 bytes of memory.
        convert: Format to convert images of other formats to: ``jpeg``, ``png`` or ``webp``. Default: none.
        thumbs: Thumbnails by name, with the width and height in pixels that each fits into: ``{"small": (120, 120)}``;
            on the command line ``-P 'images.thumbs={"small": [120, 120]}'``. They are JPEG images, or PNG images where
            there is transparency.
        thumb_path: Path of a thumbnail below the folder: fields as in `path`, and ``{thumb}``, its name.

    Raises:
        ConfigError: An option is invalid, or Pillow is not installed.
    """

    name = "images"
    requires: ClassVar[Mapping[str, str]] = {"PIL": "trio-crawler[images]"}

    def __init__(
        self,
        *,
        folder: Path = Path("images"),
        fields: tuple[str, ...] = ("image_urls",),
        result: str = "images",
        path: str = "{host}/{digest:2}/{digest}{ext}",
        min_bytes: int = 0,
        max_bytes: int = GIB,
        types: tuple[str, ...] = (),
        concurrency: int = 8,
        timeout: float = 600.0,
        expires: float = 90.0,
        required: bool = False,
        min_width: int = 0,
        min_height: int = 0,
        max_pixels: int = 80_000_000,
        convert: Literal["jpeg", "png", "webp"] | None = None,
        thumbs: dict[str, tuple[int, int]] | None = None,
        thumb_path: str = "thumbs/{thumb}/{digest:2}/{digest}{ext}",
    ) -> None:
        super().__init__(
            folder=folder,
            fields=fields,
            result=result,
            path=path,
            min_bytes=min_bytes,
            max_bytes=max_bytes,
            types=types,
            concurrency=concurrency,
            timeout=timeout,
            expires=expires,
            required=required,
        )
        try:
            import PIL.Image  # noqa: F401, PLC0415 - an extra
        except ImportError:
            raise ConfigError(f"{self.name} needs Pillow: pip install 'trio-crawler[images]'") from None
        if min_width < 0 or min_height < 0:
            raise ConfigError(f"{self.name}: min_width and min_height must be at least 0 pixels")
        if not 1 <= max_pixels <= MAX_PIXELS:
            raise ConfigError(f"{self.name}: max_pixels must be from 1 to {MAX_PIXELS}, not {max_pixels}")
        if convert not in (None, "jpeg", "png", "webp"):
            raise ConfigError(f"{self.name}: convert must be jpeg, png or webp, not {convert!r}")
        for thumb, sides in (thumbs or {}).items():
            if not thumb or len(sides) != 2 or not all(1 <= side <= MAX_SIDE for side in sides):
                raise ConfigError(f"{self.name}: thumbs: {thumb!r} must have two sides from 1 to {MAX_SIDE} pixels")
        self.min_width = min_width
        self.min_height = min_height
        self.max_pixels = max_pixels
        self.convert = convert
        self.thumbs = dict(thumbs or {})
        self.extra_path = PathPattern(thumb_path, f"{self.name}: thumb_path", (*FIELDS, "thumb"))
        self.variant = f"{self.name} {path} {convert} {sorted(self.thumbs.items())} {thumb_path}"

    def prepare(self, unfinished: PartialFile, kind: str) -> Content | str:
        """Check an image, convert it and make its thumbnails."""
        from crawler_plugins.files.pictures import Unusable, opened, save  # noqa: PLC0415 - needs Pillow

        try:
            with opened(unfinished.path, self.max_pixels) as picture:
                if picture.width < self.min_width or picture.height < self.min_height:
                    least = f"{self.min_width} × {self.min_height}"
                    return f"it has {picture.width} × {picture.height} pixels, less than {least}"
                facts = {"width": picture.width, "height": picture.height}
                source, kind, digest = unfinished.path, picture.kind, None
                if self.convert is not None and kind != f"image/{self.convert}":
                    source = save(picture, unfinished.path.with_suffix(".new"), self.convert)
                    kind, digest = f"image/{self.convert}", digest_of(source)
                extras = {
                    thumb: save(picture, unfinished.path.with_suffix(f".thumb{number}"), None, sides)
                    for number, (thumb, sides) in enumerate(self.thumbs.items())
                }
        except Unusable as error:
            return str(error)
        return Content(source=source, digest=digest or unfinished.digest(), kind=kind, facts=facts, extras=extras)
