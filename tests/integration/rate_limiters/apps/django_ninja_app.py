"""The site behind a throttle of Django Ninja: ``django_ninja_app.py FD``.

FD is a listening socket. Only refusals say something of the limit: ``Retry-After``.
"""

from __future__ import annotations

from django.urls import path
from django_site import front, one, serve
from ninja import NinjaAPI
from ninja.throttling import AnonRateThrottle

api = NinjaAPI(throttle=[AnonRateThrottle("20/5s")], docs_url=None, openapi_url=None)
api.get("/")(front)
api.get("/page/{int:n}")(one)
urlpatterns = [path("", api.urls)]

if __name__ == "__main__":
    serve()
