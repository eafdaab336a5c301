"""Error codes and phrases of refusals."""

from __future__ import annotations

import pytest

from crawler.limits.headers.json_bodies import read_json_limits
from crawler.limits.headers.refusal_words import PHRASES, REFUSAL_CODES, phrases_in, xml_codes


def test_every_code_is_found_in_json_and_xml():
    unread = [
        code
        for code in sorted(REFUSAL_CODES)
        if read_json_limits({"error": {"code": code}}).violated != (code,)
        or list(xml_codes(f"<Error><Code> {code} </Code></Error>".encode())) != [code]
    ]
    assert unread == []


def test_every_phrase_is_found_whatever_its_case_and_spaces():
    unfound = [phrase for phrase in PHRASES if phrase not in phrases_in(phrase.replace(" ", " \n ").upper().encode())]
    assert unfound == []


@pytest.mark.parametrize("text", [b"", b"\xff\xfe", b"Forbidden", b"<Code>AccessDenied</Code>", b"error 10150 "[:9]])
def test_others_say_nothing(text):
    assert not [*phrases_in(text), *xml_codes(text)]
