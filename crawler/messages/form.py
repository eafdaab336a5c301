"""`Form`: a form of a page, and the request that it submits (HTML Standard, "Form submission")."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final, Literal

from crawler import urls
from crawler.content.encoding import encode_query
from crawler.html.forms import Control, controls_of, forms_of
from crawler.html.links import base_url, is_nofollow
from crawler.html.selector import Selector
from crawler.html.submission import (
    MULTIPART,
    PLAIN,
    URLENCODED,
    Upload,
    construct_entries,
    encode_entries,
    pick_encoding,
)
from crawler.messages.checks import require_type
from crawler.messages.handlers import Handler
from crawler.messages.request import Request, set_position
from crawler.redaction import redact
from crawler.settings.headers import TOKEN
from crawler.suggest import did_you_mean

if TYPE_CHECKING:
    from turbohtml import Document, Element

    from crawler.messages.response import Response

__all__ = ["Form"]

ENCTYPES: Final = (URLENCODED, MULTIPART, PLAIN)
METHODS: Final = ("get", "post", "dialog")
MAX_SHOWN: Final = 5
"""Forms, and fields of each, that an error names: as many as fit on a line."""


class Form:
    """A form of a page. `Response.form` returns it.

    ::

        form = response.form("form.login")
        yield form.submit({"user": "ann", "password": "secret"}, callback=self.logged_in)

    Its controls are those that a browser would submit, including controls elsewhere that refer to it by ``form=``.
    """

    def __init__(self, response: Response, document: Document, element: Element) -> None:
        self._response = response
        self._base = base_url(document, response.url)
        self._controls = controls_of(document, element)
        self._charset = element.attr("accept-charset")
        self.id: str = element.attr("id") or ""
        """The form's ``id``; empty if it has none."""
        self.name: str = element.attr("name") or ""
        """The form's ``name``; empty if it has none."""
        self.method: str = _one_of(element.attr("method"), METHODS)
        """``get``, ``post`` or ``dialog``."""
        self.enctype: str = _one_of(element.attr("enctype"), ENCTYPES)
        """Media type of the body: ``application/x-www-form-urlencoded``, ``multipart/form-data`` or ``text/plain``."""
        self._action = element.attr("action") or ""

    @property
    def action(self) -> str:
        """Absolute URL that the form is sent to; as written if it is not a web URL."""
        return self._target(self._action) or self._action

    @property
    def fields(self) -> dict[str, list[str]]:
        """Values that the unchanged form would submit without a button, by name in document order.

        The list is empty for a name whose boxes are unchecked or whose file is not chosen.
        """
        found: dict[str, list[str]] = {}
        for control in self._controls:
            if control.name and control.enabled and not control.submits and control.kind not in ("button", "reset"):
                found.setdefault(control.name, []).extend(control.values)
        return found

    @property
    def buttons(self) -> list[str]:
        """Names of the submit buttons in document order; empty for a button without a name."""
        return [control.name for control in self._controls if control.submits and control.enabled]

    @property
    def needs_input(self) -> bool:
        """Whether a required control has no value, so that a browser does not send the form."""
        filled = {control.name for control in self._controls if any(control.values)}
        return any(
            control.required and control.kind != "hidden"
            for control in self._controls
            if control.name and control.enabled and not control.submits and control.name not in filled
        )

    def submit(
        self,
        values: Mapping[str, Any] | None = None,
        *,
        button: str | int | Literal[False] | None = None,
        files: Mapping[str, Any] | None = None,
        callback: Handler = None,
        extra: bool = False,
        **options: Any,
    ) -> Request:
        """Return the request that a browser would send. Its depth is one more than that of the page.

        Parameters:
            values: Values by name: text or a number, or a list of them. `True` and `False` check and uncheck a box;
                `None` omits the name. Other names keep the values of the page.
            button: The button to press: its name, its position in `buttons` (from 0), or `False` for none. Default: the
                first one, as with the Enter key.
            files: Files by name: bytes, or a tuple of file name, bytes and media type, or a list of them. Forms that
                are not sent as ``multipart/form-data`` submit file names only.
            callback: See `Request`.
            extra: Whether `values` and `files` may contain names that the form does not have.
            options: Further arguments of `Request`.

        Raises:
            ValueError: The form does not have such a field or button, does not lead to a web URL, or only closes a
                dialog.
            TypeError: A value is neither text nor a number, or a file is not given in one of the forms above.
        """
        for name in ("data", "json", "body"):
            if name in options:
                raise TypeError(
                    f"submit() takes the values of the form first, as in submit({{'user': 'ada'}}): no {name}="
                )
        pressed = self._pressed(button)
        method = self.method if pressed is None or pressed.method is None else _one_of(pressed.method, METHODS)
        enctype = self.enctype if pressed is None or pressed.enctype is None else _one_of(pressed.enctype, ENCTYPES)
        action = self._action if pressed is None or pressed.action is None else pressed.action
        if method == "dialog":
            raise ValueError(f"the form on {redact(self._response.url)} closes a dialog and sends nothing")
        target = self._target(action)
        if target is None:
            raise ValueError(f"the form on {redact(self._response.url)} does not lead to a web URL: {action!r}")
        encoding = pick_encoding(self._charset, self._response.encoding)
        filled = self._filled(values, extra) | self._uploads(files, extra)
        entries = construct_entries(self._controls, pressed, encoding, filled)
        if method == "get":
            query = encode_entries(entries, URLENCODED, encoding)[0].decode()
            request = Request(f"{target.partition('?')[0]}?{query}", callback, **options)
        else:
            body, kind = encode_entries(entries, enctype, encoding)
            fields = options.pop("headers", None) or {}
            given = list(fields.items() if isinstance(fields, Mapping) else fields)
            given = [pair for pair in given if pair[0].lower() != "content-type"]
            headers = [*given, ("Content-Type", kind)]
            request = Request(target, callback, method="POST", body=body, headers=headers, **options)
        return set_position(request, self._response.depth + 1)

    def __repr__(self) -> str:
        return f"<Form {self.method.upper()} {redact(self.action)}>"

    def _target(self, action: str) -> str | None:
        """Return the absolute URL of an action. An empty action is the URL of the page, whatever its ``<base>``."""
        if not action.strip():
            return self._response.url
        return urls.join(self._base, encode_query(action, self._response.encoding))

    def _pressed(self, button: str | int | Literal[False] | None) -> Control | None:
        if button is False:
            return None
        buttons = [control for control in self._controls if control.submits and control.enabled]
        if button is None:
            return buttons[0] if buttons else None
        if isinstance(button, int) and not isinstance(button, bool):
            if 0 <= button < len(buttons):
                return buttons[button]
            raise ValueError(f"the form on {redact(self._response.url)} has no button {button}: it has {len(buttons)}")
        found = next((control for control in buttons if control.name == button), None)
        if found is None:
            hint = did_you_mean(str(button), filter(None, self.buttons))
            raise ValueError(f"the form on {redact(self._response.url)} has no button {button!r}{hint}")
        return found

    def _check_name(self, name: Any, extra: bool) -> None:
        if not isinstance(name, str):
            raise TypeError(f"the name of a field must be text, not {name!r}")
        names = [control.name for control in self._controls if control.name]
        if not extra and name not in names:
            raise ValueError(
                f"the form on {redact(self._response.url)} has no field {name!r}{did_you_mean(name, names)}"
                "; extra=True sends it anyway"
            )

    def _filled(self, values: Mapping[str, Any] | None, extra: bool) -> dict[str, list[str | Upload]]:
        filled: dict[str, list[str | Upload]] = {}
        for name, value in require_type(Mapping, "values", values or {}).items():
            self._check_name(name, extra)
            boxes = [c for c in self._controls if c.name == name and c.kind in ("checkbox", "radio")]
            several = value if isinstance(value, (list, tuple)) else (value,)
            if isinstance(value, bool) and boxes:
                filled[name] = [boxes[0].value] if value else []
            else:
                filled[name] = [_text(name, one) for one in several if one is not None]
        return filled

    def _uploads(self, files: Mapping[str, Any] | None, extra: bool) -> dict[str, list[str | Upload]]:
        uploads: dict[str, list[str | Upload]] = {}
        for name, value in require_type(Mapping, "files", files or {}).items():
            self._check_name(name, extra)
            uploads[name] = [_upload(name, one) for one in (value if isinstance(value, list) else (value,))]
        return uploads


def forms_on(response: Response, limit: int, *, skip_nofollow: bool = False) -> list[Form]:
    """Return the first forms of a page, in document order."""
    if not response.is_html or response.document.select_one("form") is None:
        return []
    document = response.document
    elements = (form for form in forms_of(document) if not (skip_nofollow and is_nofollow(form)))
    return [Form(response, document, element) for element in islice(elements, limit)]


def form_of(
    response: Response,
    document: Document,
    css: str | None,
    name: str | None,
    identifier: str | None,
    fields: Iterable[str],
    index: int,
) -> Form:
    """Return a form of a page; see `Response.form`."""
    if isinstance(fields, str):
        raise TypeError(f"fields of form() are names: [{fields!r}]")
    forms = every = forms_of(document) if response.is_html else []
    wanted: list[str] = []
    if css is not None:
        nodes = [selector.root for selector in Selector(root=document).css(css)]
        inside = [node.closest("form") if hasattr(node, "closest") else None for node in nodes]
        forms = [form for form in dict.fromkeys(inside) if form is not None and form in forms]
        wanted.append(f"selector {css!r}")
    if name is not None:
        forms = [form for form in forms if form.attr("name") == name]
        wanted.append(f"name {name!r}")
    if identifier is not None:
        forms = [form for form in forms if form.attr("id") == identifier]
        wanted.append(f"id {identifier!r}")
    if names := list(fields):
        forms = _forms_with(names, document, forms)
        wanted.append(f"the fields {', '.join(map(repr, names))}")
    if not 0 <= index < len(forms):
        which = f" with {' and '.join(wanted)}" if wanted else ""
        there = f"form {index}{which}: the number of forms is {len(forms)}" if forms else f"form{which}"
        others = ", ".join(_described(Form(response, document, form)) for form in every[:MAX_SHOWN])
        more = f", and {len(every) - MAX_SHOWN} more" if len(every) > MAX_SHOWN else ""
        its = f"; it has {others}{more}" if every and not forms else ""
        raise ValueError(f"{redact(response.url)} has no {there}{its}")
    return Form(response, document, forms[index])


def _forms_with(names: Sequence[str], document: Document, forms: Iterable[Element]) -> list[Element]:
    """Return the forms that have these fields; those with a further password field last."""
    found: list[tuple[bool, Element]] = []
    for form in forms:
        controls = controls_of(document, form)
        passwords = {control.name for control in controls if control.kind == "password"}
        if {control.name for control in controls}.issuperset(names):
            found.append((not passwords <= set(names), form))
    return [form for _, form in sorted(found, key=itemgetter(0))]


def _described(form: Form) -> str:
    """Return a form as an error shows it: its name and fields."""
    label = f" {form.id or form.name!r}" if form.id or form.name else ""
    return f"the form{label} with {', '.join(map(repr, islice(form.fields, MAX_SHOWN))) or 'no fields'}"


def _one_of(value: str | None, known: Iterable[str]) -> str:
    """Return the keyword of an enumerated attribute; the first one if it is missing or unknown."""
    first, *_ = known = tuple(known)
    return value.lower() if value is not None and value.lower() in known else first


def _text(name: str, value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return str(value)
    if not isinstance(value, str):
        raise TypeError(f"the value of {name!r} must be text or a number, not {type(value).__name__}")
    return value.encode("utf-8", "replace").decode()


def _upload(name: str, value: Any) -> Upload:
    if isinstance(value, (bytes, bytearray)):
        return Upload(name, bytes(value))
    if isinstance(value, tuple) and 2 <= len(value) <= 3 and isinstance(value[0], str):
        kind = value[2] if len(value) == 3 and value[2] is not None else "application/octet-stream"
        content = value[1].encode() if isinstance(value[1], str) else value[1]
        if isinstance(content, (bytes, bytearray)) and isinstance(kind, str):
            if not TOKEN.fullmatch(kind.partition("/")[0]) or not kind.isascii() or not kind.isprintable():
                raise ValueError(f"not a media type for the file {name!r}: {kind!r}")
            return Upload(value[0], bytes(content), kind)
    raise TypeError(f"the file {name!r} must be bytes, or a tuple of a name, bytes and a media type")
