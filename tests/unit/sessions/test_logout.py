"""Which links log out."""

from __future__ import annotations

import pytest

from crawler import Request, Response
from crawler.messages.request import set_position
from crawler.sessions.logout import LogoutLinks, logs_out

SITE = "https://site.test"


@pytest.mark.parametrize(
    "path",
    [
        "/logout", "/log-out", "/Log_Out/", "/users/sign_out", "/account/signout.aspx", "/logoff.php?next=/a",
        "/wp-login.php?action=logout&_wpnonce=7", "/index.php?title=Special:UserLogout", "/?logout",
        "/ucp.php?mode=logout", "/wiki/Special:UserLogout", "/user/logout/7", "/doLogout.do", "/abmelden",
        "/d%C3%A9connexion",
        "/cerrar-sesion", "/wyloguj", "/uitloggen", "/%D0%B2%D1%8B%D0%B9%D1%82%D0%B8", "/log-out?token=a1",
    ],
)  # fmt: skip
def test_a_word_that_is_a_whole_part_of_a_path_or_query_logs_out(path: str) -> None:
    assert logs_out(SITE + path)


@pytest.mark.parametrize(
    "path",
    [
        "/", "/blog/how-to-log-out-of-everything", "/logouts", "/catalogout", "/login", "/signout-page-design",
        "/q?text=log", "/sair/", "/%D0%B2%D1%8B%D1%85%D0%BE%D0%B4", "/docs/logout-hooks", "/blog?tag=the-logout-button",
    ],
)  # fmt: skip
def test_other_links_do_not(path: str) -> None:
    assert not logs_out(SITE + path)


@pytest.mark.parametrize(
    ("link", "skipped"),
    [
        ("<a href=/bye>Log out</a>", True),
        ("<a href=/bye> SIGN OUT </a>", True),
        ("<a href=/bye>Se déconnecter</a>", True),
        ("<a href=/bye>Выход</a>", True),
        ("<a href=/bye>ログアウト</a>", True),
        ("<a href=/bye>로그아웃</a>", True),
        ("<a href=/bye rel='nofollow logout'>x</a>", True),
        ("<a href=/bye>How to log out of every device</a>", False),
        ("<a href=/bye></a>", False),
    ],
)
def test_the_text_and_rel_of_a_link_say_that_it_logs_out(link: str, skipped: bool) -> None:
    plugin = LogoutLinks()
    plugin.parse(Response(f"{SITE}/", 200, {"Content-Type": "text/html; charset=utf-8"}, link))
    assert (plugin.admit(set_position(Request(f"{SITE}/bye"), 1)) is not None) == skipped


def test_a_start_page_and_a_form_are_what_the_user_wants() -> None:
    plugin = LogoutLinks()
    assert plugin.admit(Request(f"{SITE}/logout")) is None
    assert plugin.admit(set_position(Request(f"{SITE}/logout", method="POST"), 1)) is None
    assert plugin.admit(set_position(Request(f"{SITE}/logout"), 1)) is not None
