"""Which responses refuse a request because of a limit."""

from __future__ import annotations

import pytest
from support.cases import each

from crawler.limits.headers.declared import NOTHING, Declared, Observation
from crawler.limits.headers.refusal_status import REFUSAL_STATUSES, is_refusal

EMPTY = Declared(observations=(Observation(policy="a", remaining=9), Observation(policy="b", remaining=0)))
LEFT = Declared(observations=(Observation(policy="a", remaining=1),))


@pytest.mark.parametrize("status", sorted(REFUSAL_STATUSES))
def test_some_statuses_always_refuse(status):
    assert is_refusal(status, NOTHING)


@each("status", [0, 200, 202, 301, 304, 400, 401, 404, 430, 477, 500, 502, 504, 999])
def test_others_refuse_only_if_the_user_says_so(status):
    assert not is_refusal(status, EMPTY, [("Retry-After", "5")])
    assert is_refusal(status, NOTHING, statuses={status})


@pytest.mark.parametrize(
    ("declared", "headers", "refused"),
    [
        (NOTHING, [], False),
        (LEFT, [], False),
        (EMPTY, [], True),
        (Declared(retry_after=60.0), [], True),
        (Declared(violated=("secondary",)), [], True),
        (NOTHING, [("Retry-After", "when it suits")], True),
        (NOTHING, [("Server", "x")], False),
    ],
)
def test_forbidden_refuses_only_with_evidence(declared, headers, refused):
    assert is_refusal(403, declared, headers) is refused


def test_a_bad_request_refuses_only_if_a_policy_is_violated():
    assert is_refusal(400, Declared(violated=("Throttling",)))
    assert not is_refusal(400, Declared(retry_after=5.0, observations=EMPTY.observations))
