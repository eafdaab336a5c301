"""The site behind django-ratelimit, which refuses with a 403 and says no more: ``django_ratelimit_app.py FD``.

FD is a listening socket.
"""

from __future__ import annotations

from django.urls import path
from django_ratelimit.decorators import ratelimit
from django_site import front, one, serve

limited = ratelimit(key="ip", rate="20/5s", group="site")
urlpatterns = [path("", limited(front)), path("page/<int:n>", limited(one))]

if __name__ == "__main__":
    serve()
