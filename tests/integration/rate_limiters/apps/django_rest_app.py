"""The site behind a throttle of Django REST framework: ``django_rest_app.py FD``.

FD is a listening socket. Only refusals say something of the limit: ``Retry-After``.
"""

from __future__ import annotations

from django.urls import path
from django_site import front, one, serve
from rest_framework.decorators import api_view, throttle_classes
from rest_framework.throttling import AnonRateThrottle


class Throttle(AnonRateThrottle):
    """Accepts 20 requests in 5 seconds, which cannot be said in its language of rates."""

    rate = "20 in 5 seconds"

    def parse_rate(self, rate):
        return 20, 5


def limited(view):
    """Return a view behind the throttle."""
    return api_view()(throttle_classes([Throttle])(view))


urlpatterns = [path("", limited(front)), path("page/<int:n>", limited(one))]

if __name__ == "__main__":
    serve()
