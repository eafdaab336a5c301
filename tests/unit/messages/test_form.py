"""Forms: the request that a browser would send, byte for byte, and errors that help."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.cases import each

from crawler import Request, Response
from crawler.content.labels import canonical_label
from crawler.messages.form import forms_on

URL = "https://site.test/dir/page?old=1"


def page(body: str | bytes, charset: str = "utf-8") -> Response:
    request = Request(URL).replace(depth=3)
    return Response(URL, headers={"Content-Type": f"text/html; charset={charset}"}, body=body, request=request)


def form(inside: str, attributes: str = ""):
    return page(f"<form {attributes}>{inside}</form>").form()


def sent(inside: str, values=None, attributes: str = "", **options):
    """The names and values in the query of a form."""
    return parse_qsl(urlsplit(form(inside, attributes).submit(values, **options).url).query, keep_blank_values=True)


# Which controls count, and with what


@each(
    ("inside", "pairs"),
    [
        ("<input name=a value=1>", [("a", "1")]),
        ("<input name=a>", [("a", "")]),
        ("<input value=1>", []),
        ("<input name='' value=1>", []),
        ("<input name=a type=hidden value=' x '>", [("a", " x ")]),
        ("<input name=a type=unheard-of value=1>", [("a", "1")]),
        ("<input name=a type=checkbox>", []),
        ("<input name=a type=checkbox checked>", [("a", "on")]),
        ("<input name=a type=CHECKBOX checked value=''>", [("a", "")]),
        ("<input name=a type=checkbox checked value=1><input name=a type=checkbox checked>", [("a", "1"), ("a", "on")]),
        ("<input name=a type=radio value=1><input name=a type=radio value=2 checked>", [("a", "2")]),
        ("<input name=a type=radio value=1 checked><input name=a type=radio value=2 checked>", [("a", "2")]),
        ("<input name=a type=radio value=1 checked><input name=b type=radio checked>", [("a", "1"), ("b", "on")]),
        ("<input name=a type=button value=1><input name=b type=reset value=1><button type=button name=c>", []),
        ("<input name=a disabled value=1>", []),
        ("<input name=a readonly value=1>", [("a", "1")]),
        ("<textarea name=a>\nx\n y</textarea>", [("a", "x\r\n y")]),
        ("<textarea name=a disabled>x</textarea>", []),
        ("<datalist><input name=a value=1><option value=2></datalist>", []),
        ("<template><input name=a value=1></template>", []),
        ("<object name=a></object><output name=b>1</output><meter name=c value=1></meter>", []),
        ("<input name=a type=file>", [("a", "")]),
        ("<input name=b value=2><input name=a value=1><input name=b value=3>", [("b", "2"), ("a", "1"), ("b", "3")]),
        ("<input type=hidden name=_charset_ value=x>", [("_charset_", "UTF-8")]),
        ("<input name=_charset_ value=x>", [("_charset_", "x")]),
        ("<input name=a dirname=a.dir value=x>", [("a", "x"), ("a.dir", "ltr")]),
        ("<p dir=rtl><textarea name=a dirname=d>x</textarea></p>", [("a", "x"), ("d", "rtl")]),
    ],
)  # fmt: skip
def test_the_entries_that_controls_send(inside, pairs):
    assert sent(inside, button=False) == pairs


@pytest.mark.parametrize(
    ("options", "values"),
    [
        ("<option>1<option>2", ["1"]),
        ("<option disabled>1<option> 2\n 2 ", ["2 2"]),
        ("<option value=''>choose<option>2", [""]),
        ("<option>1<option selected value=x>2", ["x"]),
        ("<option selected>1<option selected>2", ["2"]),
        ("<option>1<option selected disabled>2", []),
        ("<optgroup disabled><option selected>1</optgroup><option>2", []),
        ("<optgroup disabled><option>1</optgroup><option>2", ["2"]),
        ("", []),
    ],
)
def test_a_select(options, values):
    assert sent(f"<select name=s>{options}</select>") == [("s", value) for value in values]


def test_a_select_of_several_and_a_list():
    several = (
        "<select name=s multiple><option selected>1<option>2<option selected>3<option selected disabled>4</select>"
    )
    assert sent(several) == [("s", "1"), ("s", "3")]
    assert sent("<select name=s multiple><option>1</select>") == []
    assert sent("<select name=s size=4><option>1</select>") == []
    assert sent("<select name=s size=1><option>1</select>") == [("s", "1")]


@each(
    ("kind", "value", "kept"),
    [
        ("text", "a&#10;b&#13;c", "abc"),
        ("url", "&#10; http://x &#10;", "http://x"),
        ("email", " a@b ", "a@b"),
        ("password", " p ", " p "),
        ("number", "1e3", "1e3"),
        ("number", "one", ""),
        ("number", "+1", ""),
        ("range", "", "50"),
        ("range", "200", "100"),
        ("range", "7", "7"),
        ("color", "", "#000000"),
        ("color", "#FFaa00", "#ffaa00"),
        ("date", "2026-01-02", "2026-01-02"),
        ("date", "tomorrow", ""),
        ("month", "2026-01", "2026-01"),
        ("week", "2026-W02", "2026-W02"),
        ("time", "12:30", "12:30"),
        ("datetime-local", "2026-01-02 12:30", "2026-01-02T12:30"),
    ],
)
def test_values_are_checked_by_the_type_of_their_control(kind, value, kept):
    assert sent(f'<input name=a type={kind} value="{value}">') == [("a", kept)]


def test_a_fieldset_that_is_disabled_but_for_its_first_legend():
    inside = """<fieldset disabled><legend><input name=a><fieldset><input name=b></fieldset></legend>
        <legend><input name=c></legend><input name=d><fieldset><legend><input name=e></legend></fieldset></fieldset>
        <fieldset disabled><p></p><legend><input name=f></legend></fieldset>
        <fieldset disabled><fieldset disabled><legend><input name=g></legend></fieldset></fieldset>"""
    assert [name for name, _ in sent(inside)] == ["a", "b", "f"]


def test_the_owner_of_a_control():
    response = page(
        """<input name=before form=f><form id=f><input name=in><input name=away form=g><input name=lost form=nope>
        <input name=none form=""></form><form id=g></form><p id=p></p><input name=wrong form=p><input name=free>
        <input name=after form=f><template><input name=inert form=f></template>"""
    )
    assert list(response.form(id="f").fields) == ["before", "in", "after"]
    assert list(response.form(id="g").fields) == ["away"]


def test_a_form_between_the_cells_of_a_table():
    response = page(
        """<table><tr><form id=f><td><input name=a></td><td><input name=b></td></form></tr>
        <tr><form id=g><td><input name=c><table><tr><td><input name=d></table></form></tr></table><input name=e>"""
    )
    assert list(response.form(id="f").fields) == ["a", "b"]
    assert list(response.form(id="g").fields) == ["c", "d"]


def test_fields_and_buttons():
    found = form(
        "<input name=q value=x><input type=checkbox name=c><input type=file name=f><input name=d disabled>"
        "<input type=submit name=go><button name=more></button><button disabled name=no></button><button type=reset>",
        "name=n id=i",
    )
    assert found.fields == {"q": ["x"], "c": [], "f": []}
    assert found.buttons == ["go", "more"]
    assert (found.name, found.id, repr(found)) == ("n", "i", f"<Form GET {URL}>")


# Filling it in


@pytest.mark.parametrize(
    ("values", "pairs"),
    [
        ({}, [("t", "old"), ("n", "1"), ("c", "y"), ("s", "1"), ("s", "2")]),
        ({"t": "new"}, [("t", "new"), ("n", "1"), ("c", "y"), ("s", "1"), ("s", "2")]),
        ({"t": None, "n": 2.5}, [("n", "2.5"), ("c", "y"), ("s", "1"), ("s", "2")]),
        ({"c": False, "s": ["2", 3]}, [("t", "old"), ("n", "1"), ("s", "2"), ("s", "3")]),
        ({"c": True, "u": True, "s": []}, [("t", "old"), ("n", "1"), ("c", "y"), ("u", "on")]),
        ({"off": "x"}, [("t", "old"), ("n", "1"), ("c", "y"), ("s", "1"), ("s", "2"), ("off", "x")]),
    ],
)
def test_values(values, pairs):
    inside = (
        "<input name=t value=old><input name=n value=1><input type=checkbox name=c value=y checked>"
        "<input type=checkbox name=u><select multiple name=s><option selected>1<option selected>2</select>"
        "<input name=off disabled>"
    )
    assert sent(inside, values) == pairs


def test_a_name_that_the_form_has_not():
    with pytest.raises(
        ValueError,
        match=r"form on https://site\.test/.* has no field 'usrname' \(did you mean username\?\); extra=True",
    ):
        form("<input name=username>").submit({"usrname": "x"})
    with pytest.raises(ValueError, match="no field 'up'"):
        form("<input name=username>").submit(files={"up": b"x"})
    assert sent("<input name=a>", {"token": "x"}, extra=True) == [("a", ""), ("token", "x")]
    with pytest.raises(TypeError, match="the value of 'a' must be text or a number, not bytes"):
        form("<input name=a>").submit({"a": b"x"})
    with pytest.raises(TypeError, match="the name of a field must be text, not 1"):
        form("<input name=a>").submit({1: "x"})
    with pytest.raises(TypeError, match="values must be Mapping, not list"):
        form("<input name=a>").submit([("a", "x")])


# Buttons

BUTTONS = (
    "<input name=q value=x><button name=b disabled></button><input type=submit name=a value=1>"
    "<button name=a value=2 formaction=/other formmethod=post formenctype=text/plain></button>"
    "<input type=image name=img><input type=image><button value=9>unnamed</button>"
)


@pytest.mark.parametrize(
    ("button", "pairs"),
    [
        (None, [("q", "x"), ("a", "1")]),
        (False, [("q", "x")]),
        ("a", [("q", "x"), ("a", "1")]),
        (0, [("q", "x"), ("a", "1")]),
        ("img", [("q", "x"), ("img.x", "0"), ("img.y", "0")]),
        (3, [("q", "x"), ("x", "0"), ("y", "0")]),
        (4, [("q", "x")]),
    ],
)
def test_only_the_button_that_is_pressed_is_sent(button, pairs):
    assert sent(BUTTONS, button=button) == pairs


def test_a_button_may_say_where_and_how():
    request = form(BUTTONS, "action=/there").submit(button=1)
    assert (request.method, request.url, request.body) == ("POST", "https://site.test/other", b"q=x\r\na=2\r\n")
    assert request.headers["content-type"] == "text/plain"


@pytest.mark.parametrize(
    ("button", "words"), [("c", "no button 'c'"), (5, "no button 5: it has 5"), ("b", "no button 'b'")]
)
def test_a_button_that_is_not_there(button, words):
    with pytest.raises(ValueError, match=words):
        form(BUTTONS).submit(button=button)


# Where it is sent, and how


@pytest.mark.parametrize(
    ("attributes", "url"),
    [
        ("", "https://site.test/dir/page?a=1"),
        ("action=''", "https://site.test/dir/page?a=1"),
        ("action=' '", "https://site.test/dir/page?a=1"),
        ("action=search", "https://site.test/dir/search?a=1"),
        ("action='/s?gone=1#top'", "https://site.test/s?a=1"),
        ("action=//other.test method=GET", "https://other.test/?a=1"),
        ("action=/s method=put", "https://site.test/s?a=1"),
        ("action=/s enctype=multipart/form-data", "https://site.test/s?a=1"),
    ],
)
def test_get_puts_the_entries_in_place_of_the_query(attributes, url):
    request = form("<input name=a value=1>", attributes).submit()
    assert (request.method, request.url, request.body) == ("GET", url, b"")
    assert "content-type" not in request.headers


def test_an_action_is_joined_with_the_base_but_an_empty_one_is_the_page():
    response = page("<base href=https://base.test/x/><form action=y></form><form action></form>")
    assert (response.form().action, response.form(index=1).action) == ("https://base.test/x/y", URL)
    assert response.form().submit().url == "https://base.test/x/y?"


def test_post_keeps_the_query_of_its_action():
    request = form("<input name=a value='1 &amp; ~*é'>", "method=POST action='/s?x=1'").submit()
    assert (request.method, request.url) == ("POST", "https://site.test/s?x=1")
    assert request.body == b"a=1+%26+%7E*%C3%A9"
    assert request.headers["content-type"] == "application/x-www-form-urlencoded"


def test_multipart():
    found = form(
        '<input name="a&quot;b" value=é><textarea name=t>1\n2</textarea><input type=file name=up>'
        "<input type=file name=no>",
        "method=post enctype=multipart/form-data",
    )
    request = found.submit(files={"up": [('x"\n.txt', b"\0\xff", "text/plain"), ("y", "text"), b"z"]})
    kind, _, boundary = request.headers["content-type"].partition("; boundary=")
    assert kind == "multipart/form-data"
    parts = request.body.split(f"--{boundary}\r\n".encode())
    text, octets = b"\r\nContent-Type: text/plain\r\n\r\n", b"\r\nContent-Type: application/octet-stream\r\n\r\n"
    assert parts == [
        b"",
        b'Content-Disposition: form-data; name="a%22b"\r\n\r\n\xc3\xa9\r\n',
        b'Content-Disposition: form-data; name="t"\r\n\r\n1\r\n2\r\n',
        b'Content-Disposition: form-data; name="up"; filename="x%22%0A.txt"' + text + b"\0\xff\r\n",
        b'Content-Disposition: form-data; name="up"; filename="y"' + octets + b"text\r\n",
        b'Content-Disposition: form-data; name="up"; filename="up"' + octets + b"z\r\n",
        b'Content-Disposition: form-data; name="no"; filename=""' + octets + b"\r\n" + f"--{boundary}--\r\n".encode(),
    ]


def test_the_same_entries_make_the_same_request_and_it_survives_json():
    def request(value: str) -> Request:
        found = form("<input name=a>", "method=post enctype=multipart/form-data")
        return found.submit({"a": value}, callback="done", meta={"x": 1}, headers={"X-A": "b", "content-type": "no"})

    assert request("x") == request("x")
    assert request("x").key != request("y").key
    assert Request.from_json(request("x").to_json()) == request("x")
    assert request("x").headers["x-a"] == "b"
    assert request("x").headers["content-type"].startswith("multipart/")
    assert (request("x").depth, request("x").callback, request("x").meta) == (4, "done", {"x": 1})


def test_a_boundary_does_not_occur_in_the_parts():
    found = form("<input name=a>", "method=post enctype=multipart/form-data")
    body = found.submit({"a": "x"}).headers["content-type"].partition("=")[2]
    again = found.submit({"a": body})
    assert again.body.count(again.headers["content-type"].partition("=")[2].encode()) == 2


def test_forms_that_are_not_multipart_send_file_names_only():
    request = form("<input type=file name=up>", "method=post").submit(files={"up": ("x.txt", b"content")})
    assert request.body == b"up=x.txt"


@pytest.mark.parametrize(
    ("value", "error", "words"),
    [
        ("text", TypeError, "the file 'up' must be bytes, or a tuple of a name"),
        (("x", 1), TypeError, "the file 'up' must be bytes, or a tuple of a name"),
        (("x", b"", "no type"), ValueError, "not a media type for the file 'up'"),
        (("x", b"", "a/b\r\nX: y"), ValueError, "not a media type for the file 'up'"),
    ],
)
def test_invalid_files_are_refused(value, error, words):
    with pytest.raises(error, match=words):
        form("<input type=file name=up>").submit(files={"up": value})


@pytest.mark.parametrize(
    ("attributes", "words"),
    [
        ("method=dialog", "closes a dialog"),
        ("action=mailto:a@b", "does not lead to a web URL: 'mailto:a@b'"),
        ("action=javascript:x()", "does not lead to a web URL"),
        ("action=http://[", "does not lead to a web URL"),
    ],
)
def test_a_form_that_sends_nothing(attributes, words):
    with pytest.raises(ValueError, match=words):
        form("<input name=a>", attributes).submit()


# Encodings


@pytest.mark.parametrize(
    ("charset", "attributes", "query", "name"),
    [
        ("utf-8", "", "%C3%A9%E2%82%AC", "UTF-8"),
        ("windows-1252", "", "%E9%80", "windows-1252"),
        ("iso-8859-2", "", "%E9%26%238364%3B", "ISO-8859-2"),
        ("utf-8", "accept-charset='klingon ISO-8859-15 utf-8'", "%E9%A4", "ISO-8859-15"),
        ("windows-1252", "accept-charset=klingon", "%C3%A9%E2%82%AC", "UTF-8"),
        ("utf-16le", "", "%C3%A9%E2%82%AC", "UTF-8"),
        ("shift_jis", "", "%26%23233%3B%26%238364%3B", "Shift_JIS"),
        ("gb18030", "", "%A8%A6%80%", "gb18030"),
    ],
)
def test_the_encoding_of_a_form(charset, attributes, query, name):
    codec = "latin-1" if charset != "utf-16le" else charset
    body = f"<form {attributes}><input name=a><input type=hidden name=_charset_></form>".encode(codec)
    request = page(body, charset).form().submit({"a": "é€"})
    sent_value, _, sent_name = request.url.partition("?a=")[2].partition("&_charset_=")
    assert sent_name == name
    assert canonical_label(sent_name) is not None
    if charset != "gb18030":
        assert sent_value == query
    else:
        assert sent_value.startswith("%A8%A6")


# Finding one

FORMS = """<form id=one name=x></form><form id=two name=x class=c><p><input class=i></p></form><template>
<form id=no></form></template><p class=out></p>"""


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({}, "one"),
        ({"index": 1}, "two"),
        ({"css": "form.c"}, "two"),
        ({"css": ".i"}, "two"),
        ({"css": "form", "index": 1}, "two"),
        ({"name": "x", "index": 1}, "two"),
        ({"id": "two"}, "two"),
        ({"css": "form", "name": "x", "id": "two"}, "two"),
    ],
)
def test_a_form_of_a_page(wanted, found):
    assert page(FORMS).form(**wanted).id == found


THERE = "the form 'one' with no fields, the form 'two' with no fields"


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        ({"index": 2}, "^https://site.test/dir/page.old=1 has no form 2: the number of forms is 2$"),
        ({"css": ".out"}, f"^https://site.test/dir/page.old=1 has no form with selector '.out'; it has {THERE}$"),
        ({"css": "form", "index": 5}, "has no form 5 with selector 'form': the number of forms is 2$"),
        ({"name": "y"}, f"has no form with name 'y'; it has {THERE}$"),
        ({"id": "no"}, f"has no form with id 'no'; it has {THERE}$"),
        ({"name": "x", "id": "y"}, f"has no form with name 'x' and id 'y'; it has {THERE}$"),
        ({"css": "form["}, "form\\["),
        ({"index": -1}, "has no form -1: the number of forms is 2$"),
    ],
)
def test_a_form_that_is_not_there(wanted, words):
    with pytest.raises(ValueError, match=words):
        page(FORMS).form(**wanted)


def test_a_body_that_is_not_a_page_has_no_forms():
    with pytest.raises(ValueError, match="has no form$"):
        Response(URL, headers={"Content-Type": "application/json"}, body="<form>").form()


@each(
    ("inside", "needs"),
    [
        ("", False),
        ("<button name=a value=1>", False),
        ("<input type=hidden name=a required>", False),
        ("<input name=q>", False),
        ("<input name=q value='  '>", False),
        ("<input name=q value=x>", False),
        ("<input name=q disabled>", False),
        ("<input placeholder='unnamed'>", False),
        ("<input type=search name=q>", False),
        ("<input type=password name=p>", False),
        ("<input type=number name=n><button>go", False),
        ("<input type=number name=n value=5><button>go", False),
        ("<input type=date name=d value=tomorrow>", False),
        ("<input type=file name=f>", False),
        ("<textarea name=t></textarea>", False),
        ("<textarea name=t>x</textarea>", False),
        ("<input name=q required>", True),
        ("<input name=q required value=x>", False),
        ("<input name=q required disabled>", False),
        ("<input name=q><input type=date name=d required value=tomorrow>", True),
        ("<input type=file name=f required>", True),
        ("<textarea name=t required></textarea>", True),
        ("<input type=range name=r><input type=color name=c>", False),
        ("<input type=checkbox name=c>", False),
        ("<input type=checkbox name=c required>", True),
        ("<input type=checkbox name=c required checked>", False),
        ("<input type=radio name=r value=1 required><input type=radio name=r value=2 checked>", False),
        ("<input type=radio name=r value=1 required><input type=radio name=r value=2>", True),
        ("<select name=s><option value=''>all<option>x</select>", False),
        ("<select name=s required><option value=''>choose<option>x</select>", True),
        ("<select name=s required><option>x<option>y</select>", False),
        ("<select name=s required><option value=''>choose<option selected>x</select>", False),
    ],
)
def test_a_form_needs_input_if_a_required_value_is_missing(inside, needs):
    assert form(inside).needs_input == needs


def test_the_first_forms_of_a_page_with_or_without_those_marked_nofollow():
    response = page("<form id=a></form><form id=b rel='ugc nofollow'></form><form id=c></form><form id=d></form>")
    assert [one.id for one in forms_on(response, 3)] == ["a", "b", "c"]
    assert [one.id for one in forms_on(response, 3, skip_nofollow=True)] == ["a", "c", "d"]
    assert forms_on(response, 0) == forms_on(page("<p>none"), 3) == []
    assert forms_on(Response(URL, headers={"Content-Type": "application/json"}, body="<form>"), 3) == []


TAGS = st.builds(
    "<{} name='{}' type='{}' value='{}' {}>".format,
    st.sampled_from([
        "input", "select", "option", "optgroup", "textarea", "/textarea", "button", "fieldset", "legend", "form",
        "/form",
        "table", "tr", "td", "/table", "template", "/template", "datalist", "svg", "p", "/fieldset", "/select",
    ]),
    st.sampled_from(["", "a", "b", "_charset_", "\ud800", "isindex"]),
    st.sampled_from(["", "radio", "checkbox", "file", "image", "submit", "range", "number", "date", "hidden"]),
    st.sampled_from(["", "1", "é", "\ud800", "1e999", "-", "\r\n"]),
    st.sampled_from([
        "", "checked", "disabled", "selected", "form=f", "id=f", "multiple", "size=99999999999", "dirname=d dir=rtl",
        "min=9 max=1", "min=x", "min=1e999", "formmethod=post formenctype=multipart/form-data", "accept-charset=big5",
        "enctype=text/plain method=post", "action='http://['",
    ]),
)  # fmt: skip


@given(st.lists(TAGS, max_size=15).map("".join), st.sampled_from(["utf-8", "big5", "iso-2022-jp", "x-user-defined"]))
def test_no_page_makes_a_form_raise_anything_else(body, charset):
    response = page(f"<form id=f>{body}".encode("utf-8", "surrogatepass"), charset)
    found = response.form()
    assert found.needs_input in (True, False)
    for button in (None, False, *range(len(found.buttons))):
        try:
            request = found.submit(dict.fromkeys(found.fields, "é\ud800"), button=button)
        except ValueError as error:
            assert "web URL" in str(error)  # noqa: PT017 - it need not raise
        else:
            assert Request.from_json(request.to_json()) == request


LOGIN = """<form id=find><input name=q></form><form id=join><input name=user><input type=password name=password><input
type=password name=again></form><form id=enter><input name=user><input type=password name=password></form>"""


@pytest.mark.parametrize(
    ("fields", "found"),
    [(["q"], "find"), (["user", "password"], "enter"), (["again"], "join"), (["user", "password", "again"], "join")],
)
def test_a_form_is_found_by_its_fields_and_that_to_log_in_before_that_to_sign_up(fields, found):
    assert page(LOGIN).form(fields=fields).id == found


def test_a_form_that_has_not_the_fields_names_those_that_are_there():
    with pytest.raises(ValueError, match="no form with the fields 'name'; it has the form 'find' with 'q', the form"):
        page(LOGIN).form(fields=["name"])
    with pytest.raises(TypeError, match="fields of form\\(\\) are names"):
        page(LOGIN).form(fields="user")


@pytest.mark.parametrize("name", ["data", "json", "body"])
def test_submit_says_that_the_values_come_first(name):
    with pytest.raises(TypeError, match=rf"submit\(\) takes the values of the form first, .* no {name}="):
        page(LOGIN).form().submit(**{name: {"q": "x"}})
