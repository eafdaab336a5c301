"""Images with Pillow. Whole crawls are in test_images.py."""

from __future__ import annotations

import pytest
from crawler_plugins.files.pictures import Unusable, opened, save
from PIL import Image


def write(path, form="PNG", size=(40, 20), mode="RGB"):
    Image.new(mode, size).save(path, form)
    return path


def test_a_picture_is_decoded_inside_of_the_block(tmp_path):
    with opened(write(tmp_path / "a"), 800) as picture:
        assert (picture.kind, picture.width, picture.height) == ("image/png", 40, 20)
        assert picture.image.getpixel((39, 19)) == (0, 0, 0)


def test_an_unusable_image_is_named(tmp_path):
    (tmp_path / "text").write_text("text")
    with pytest.raises(Unusable, match="not an image"), opened(tmp_path / "text", 800):
        pass
    with pytest.raises(Unusable, match="40 × 20 pixels, more than 799"), opened(write(tmp_path / "a"), 799):
        pass


def test_the_ending_is_that_of_the_format(tmp_path):
    with opened(write(tmp_path / "a", mode="LA"), 800) as picture:
        assert save(picture, tmp_path / "b", None).name == "b.png"
        assert save(picture, tmp_path / "b", "jpeg", (10, 10)).name == "b.jpg"
    with Image.open(tmp_path / "b.jpg") as image:
        assert image.size == (10, 5)


def test_a_format_that_is_too_small_for_the_image_is_an_error(tmp_path):
    with opened(write(tmp_path / "a", size=(70_000, 2)), 10**6) as picture, pytest.raises(Unusable, match="converted"):
        save(picture, tmp_path / "b", "webp")
