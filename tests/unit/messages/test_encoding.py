"""Query parameters and bodies are encoded as the URL Standard and JSON have it, or refused with the reason."""

from __future__ import annotations

import pytest

from crawler.messages.encoding import encode_body, encode_params


def test_parameters_are_encoded_like_a_form():
    assert encode_params({"a": [1, None, True], "b c": b"\xff"}) == "a=1&a=&a=true&b+c=%FF"
    with pytest.raises(TypeError, match=r"params\['a'\] must be text or a number, not object"):
        encode_params({"a": object()})


def test_a_body_has_the_media_type_of_its_argument():
    assert encode_body("é", None, None) == ("é".encode(), None)
    assert encode_body(None, [1], None) == (b"[1]", "application/json")
    assert encode_body(None, None, {"a": "~ *"}) == (b"a=%7E+*", "application/x-www-form-urlencoded")
    with pytest.raises(TypeError, match="give only one of body, json and data"):
        encode_body(b"", {}, None)


def test_text_of_a_subclass_is_encoded_as_text():
    class Text(str):
        __slots__ = ()

    assert encode_body(None, {"a": Text("x")}, None) == (b'{"a":"x"}', "application/json")
