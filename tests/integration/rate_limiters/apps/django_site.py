"""The site on Django, served by waitress. The programs with its limits import this module first: it configures Django.

One thread serves: with several, all three limiters sometimes accept a request too many.
"""

from __future__ import annotations

import django
from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import Http404, HttpResponse
from site_pages import FRONT, page
from wsgi_site import serve as waitress

__all__ = ["front", "one", "serve"]

settings.configure(
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF="__main__",  # the program
    CACHES={"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}},
    REST_FRAMEWORK={
        "DEFAULT_AUTHENTICATION_CLASSES": [],
        "DEFAULT_PERMISSION_CLASSES": [],
        "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
        "UNAUTHENTICATED_USER": None,
    },
)
django.setup()


def front(request):
    return HttpResponse(FRONT)


def one(request, n: int):
    if (text := page(n)) is None:
        raise Http404
    return HttpResponse(text)


def serve() -> None:
    """Serve the program's ``urlpatterns`` until the process is terminated."""
    waitress(get_wsgi_application(), threads=1)
