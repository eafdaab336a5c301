"""`MODELS`: servers with limits, each written from a page of documentation, by name.

Vendors document what their responses state, and rarely the algorithm behind it; where a page is silent, the model has
the one that is usual for such fields.
"""

from __future__ import annotations

import json
from typing import Final

from support.foreign_limit_models import FOREIGN_MODELS
from support.further_limit_models import FURTHER_MODELS
from support.limit_dialects import (
    aligned,
    both,
    bucket,
    changing,
    constant,
    costly,
    counter,
    date,
    decimals,
    draft6,
    draft8,
    epoch_ms,
    fields,
    fixed,
    go_duration,
    google,
    hubspot,
    iso,
    iso_minute,
    legacy,
    nearby,
    ratio,
    retry_after,
    second_late,
    seconds,
    shopify_graphql,
    sliding,
    strava,
    window_in_value,
)
from support.model_server import Model
from support.recent_limit_models import RECENT_MODELS
from support.shared_limit_models import SHARED_MODELS
from support.unseen_limit_models import UNSEEN_MODELS
from support.vendor_limit_models import VENDOR_MODELS

from crawler import Pace

__all__ = ["MODELS"]

MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0
JSON: Final = "application/json"
GITHUB = "https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api"
IETF = "https://datatracker.ietf.org/doc/draft-ietf-httpapi-ratelimit-headers/"
HAPROXY = "https://www.haproxy.com/blog/four-examples-of-haproxy-rate-limiting"
KONG = "https://developer.konghq.com/plugins/rate-limiting/"
NGINX_REQ = "https://nginx.org/en/docs/http/ngx_http_limit_req_module.html"
NGINX_CONN = "https://nginx.org/en/docs/http/ngx_http_limit_conn_module.html"

SECONDARY: Final = json.dumps({"message": "You have exceeded a secondary rate limit. Please wait a few minutes."})

MODELS: Final[dict[str, Model]] = {
    # 1. Long quotas
    "github": Model(
        page=GITHUB,
        limits=fixed(60, HOUR),
        says=[date, legacy()],
        status=403,
        pages=150,
        type=JSON,
        body=json.dumps({"message": "API rate limit exceeded for 192.0.2.1."}),
    ),
    "ninety-minutes": Model(
        page="https://developers.pinterest.com/docs/reference/rate-limits/",
        limits=fixed(100, 5400.0),
        says=[date, legacy()],
        pages=250,
    ),
    "daily": Model(
        page="https://developers.themoviedb.org/",
        limits=aligned(100, DAY),
        says=[date, legacy()],
        pages=250,
        begins=DAY,
    ),
    "daily-without-reset": Model(
        page="https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/headers_api_usage.htm",
        limits=aligned(100, DAY),
        says=[ratio("Sforce-Limit-Info", "api-usage=")],
        status=403,
        type=JSON,
        body=json.dumps([{"errorCode": "REQUEST_LIMIT_EXCEEDED", "message": "TotalRequests Limit exceeded."}]),
        pages=250,
        begins=DAY,
    ),
    "daily-told-by-retry-after": Model(
        page="https://developer.mozilla.org/docs/Web/HTTP/Reference/Status/429",
        limits=aligned(100, DAY),
        refuses=[retry_after],
        declared=False,
        pages=150,
        begins=DAY,
    ),
    "monthly": Model(
        page="https://docs.rapidapi.com/docs/response-headers",
        limits=fixed(100, 30 * DAY),
        pages=150,
        says=[
            fields(
                "x-ratelimit-requests-limit", "x-ratelimit-requests-remaining", "x-ratelimit-requests-reset", by=seconds
            )
        ],
    ),
    "api-football": Model(
        page="https://www.api-football.com/documentation-v3",
        pages=150,
        limits=both(fixed(10, MINUTE), aligned(100, DAY)),
        says=[
            fields("X-RateLimit-Limit", "X-RateLimit-Remaining"),
            fields("x-ratelimit-requests-limit", "x-ratelimit-requests-remaining", of=1),
        ],
        begins=DAY,
    ),
    "docker-hub": Model(
        page="https://docs.docker.com/docker-hub/usage/pulls/",
        limits=fixed(100, 21600.0),
        says=[window_in_value],
        pages=250,
    ),
    "strava": Model(
        page="https://developers.strava.com/docs/rate-limits/",
        says=[strava],
        pages=250,
        begins=DAY,
        limits=both(aligned(100, 900.0), aligned(1000, DAY)),
    ),
    # 2. A policy, and not what remains of it
    "crossref": Model(
        page="https://www.crossref.org/documentation/retrieve-metadata/rest-api/access-and-authentication/",
        limits=fixed(10, 1.0),
        says=[constant(X_Rate_Limit_Limit="10", X_Rate_Limit_Interval="1s")],
    ),
    "policy-alone": Model(page=IETF, limits=fixed(50, 10.0), says=[draft8("default", state=False)]),
    "policy-alone-token-bucket": Model(page=IETF, limits=bucket(50, 5.0), says=[draft8("default", state=False)]),
    "atlassian-items-without-r": Model(
        page="https://developer.atlassian.com/cloud/jira/platform/rate-limiting/",
        limits=fixed(50, 10.0),
        says=[draft8("burst", state=False), constant(RateLimit='"burst"')],
        refuses=[retry_after],
    ),
    "limit-without-remaining": Model(
        page="https://developers.cloudflare.com/fundamentals/api/reference/limits/",
        limits=sliding(60, MINUTE),
        says=[constant(RateLimit_Policy="60;w=60")],
        refuses=[retry_after],
    ),
    # 3. Concurrency limits
    "stripe-concurrency": Model(
        page="https://docs.stripe.com/rate-limits",
        at_once=4,
        declared=False,
        refuses=[constant(Stripe_Rate_Limited_Reason="global-concurrency")],
    ),
    "nginx-limit-conn-429": Model(page=NGINX_CONN, at_once=4, declared=False),
    "nginx-limit-conn-503": Model(page=NGINX_CONN, at_once=4, declared=False, status=503),
    "nginx-limit-conn-429-of-two": Model(page=NGINX_CONN, at_once=2, declared=False),
    "okta-concurrency": Model(
        page="https://developer.okta.com/docs/reference/rl2-concurrency/",
        at_once=4,
        declared=False,
        refuses=[constant(X_Rate_Limit_Limit="0", X_Rate_Limit_Remaining="0")],
    ),
    "crossref-concurrency": Model(
        page="https://www.crossref.org/documentation/retrieve-metadata/rest-api/access-and-authentication/",
        limits=fixed(50, 1.0),
        at_once=3,
        says=[constant(X_Concurrency_Limit="3")],
    ),
    # 4. Plenty
    "plenty": Model(page=GITHUB, limits=fixed(5000, HOUR), says=[date, legacy()]),
    "plenty-of-two-windows": Model(
        page="https://docs.gitlab.com/user/gitlab_com/#rate-limits-on-gitlabcom",
        limits=fixed(1000, MINUTE),
        says=[date, legacy(prefix="RateLimit-")],
    ),
    "plenty-of-a-budget": Model(
        page=GITHUB,
        limits=fixed(5000, HOUR),
        says=[date, legacy()],
        pages=600,
        quotas={"key": 1.0},
        hosts=2,
    ),
    # 5. Rates
    "nginx-1-per-s": Model(page=NGINX_REQ, limits=bucket(1, 1.0), declared=False, status=503, pages=100),
    "nginx-4-per-s": Model(page=NGINX_REQ, limits=bucket(1, 4.0), declared=False, status=503, pages=200),
    "nginx-4-per-s-429": Model(page=NGINX_REQ, limits=bucket(1, 4.0), declared=False, pages=200),
    "silent-8-per-s": Model(page=NGINX_REQ, limits=bucket(1, 8.0), declared=False, pages=200, latency=nearby),
    # with hide_client_headers
    "silent-8-in-a-second": Model(page=KONG, limits=fixed(8, 1.0), declared=False, pages=200),
    "nginx-10-per-s": Model(page=NGINX_REQ, limits=bucket(1, 10.0), declared=False, status=503),
    "nginx-10-per-s-429": Model(page=NGINX_REQ, limits=bucket(1, 10.0), declared=False),
    "nginx-burst-5": Model(page=NGINX_REQ, limits=bucket(6, 4.0), declared=False, status=503, pages=200),
    "nearby-10-per-s": Model(page=NGINX_REQ, limits=bucket(1, 10.0), declared=False, latency=nearby),
    "nearby-100-per-s": Model(page=NGINX_REQ, limits=bucket(1, 100.0), declared=False, latency=nearby, pages=1000),
    "nearby-6-of-20": Model(page=NGINX_REQ, limits=bucket(6, 20.0), declared=False, latency=nearby),
    "nearby-11-of-50": Model(page=NGINX_REQ, limits=bucket(11, 50.0), declared=False, latency=nearby, pages=500),
    "nearby-queue-of-5": Model(page=NGINX_REQ, limits=bucket(6, 20.0, queues=True), declared=False, latency=nearby),
    "bucket-40-of-40": Model(
        page="https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-request-throttling.html",
        limits=bucket(40, 40.0),
        declared=False,
        pages=600,
    ),
    "bucket-5-of-20": Model(
        page="https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-request-throttling.html",
        limits=bucket(20, 5.0),
        declared=False,
    ),
    "haproxy-sticky-counter": Model(page=HAPROXY, limits=counter(20, 10.0), declared=False, pages=200),
    "hubspot": Model(
        page="https://developers.hubspot.com/docs/developer-tooling/platform/usage-guidelines",
        says=[hubspot],
        limits=both(fixed(100, 10.0), aligned(250_000, DAY)),
    ),
    "ncbi": Model(
        page="https://www.ncbi.nlm.nih.gov/books/NBK25497/",
        limits=fixed(3, 1.0),
        says=[fields("X-RateLimit-Limit", "X-RateLimit-Remaining")],
        refuses=[constant(Retry_After="2")],
        pages=150,
    ),
    "shopify-rest": Model(
        page="https://shopify.dev/docs/api/admin-rest/usage/rate-limits",
        limits=bucket(40, 2.0),
        pages=150,
        says=[ratio("X-Shopify-Shop-Api-Call-Limit")],
        refuses=[constant(Retry_After="2.0")],
    ),
    # 6. 403 and 400 as refusals
    "github-secondary": Model(
        page=GITHUB,
        limits=fixed(90, MINUTE),
        status=403,
        type=JSON,
        body=SECONDARY,
        declared=False,
        says=[date, constant(X_RateLimit_Limit="5000", X_RateLimit_Remaining="4900")],
    ),
    "github-secondary-retry-after": Model(
        page=GITHUB,
        limits=fixed(90, MINUTE),
        refuses=[retry_after],
        status=403,
        type=JSON,
        body=SECONDARY,
        declared=False,
    ),
    "google-403": Model(
        page="https://developers.google.com/workspace/drive/api/guides/handle-errors",
        limits=fixed(100, MINUTE),
        status=403,
        type=JSON,
        body=google("userRateLimitExceeded"),
        declared=False,
    ),
    "cloudflare-1015": Model(
        page="https://developers.cloudflare.com/support/troubleshooting/http-status-codes/cloudflare-1xxx-errors/error-1015/",
        limits=fixed(50, 10.0),
        status=403,
        type="text/html",
        declared=False,
        body="<title>Access denied | Cloudflare</title><h1>Error 1015</h1><h2>You are being rate limited</h2>",
    ),
    "django-ratelimit": Model(
        page="https://django-ratelimit.readthedocs.io/en/stable/usage.html",
        limits=fixed(50, 10.0),
        status=403,
        type="text/html",
        body="<h1>403 Forbidden</h1>",
        declared=False,
        pacing={"*": Pace(refusals=(403,))},
    ),
    "aws-json": Model(
        page="https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.Errors.html",
        limits=bucket(20, 5.0),
        status=400,
        type="application/x-amz-json-1.0",
        declared=False,
        body=json.dumps({"__type": "com.amazonaws.dynamodb#ThrottlingException", "message": "Rate exceeded"}),
    ),
    "aws-xml": Model(
        page="https://docs.aws.amazon.com/AWSEC2/latest/APIReference/throttling.html",
        limits=bucket(20, 5.0),
        status=400,
        type="text/xml",
        declared=False,
        body="<Response><Errors><Error><Code>RequestLimitExceeded</Code></Error></Errors></Response>",
    ),
    "linear": Model(
        page="https://linear.app/developers/rate-limiting",
        limits=fixed(100, MINUTE),
        status=400,
        type=JSON,
        body=json.dumps({"errors": [{"extensions": {"code": "RATELIMITED"}}]}),
        says=[
            fields(
                "X-RateLimit-Requests-Limit",
                "X-RateLimit-Requests-Remaining",
                "X-RateLimit-Requests-Reset",
                by=epoch_ms,
            )
        ],
    ),
    # 7. Several policies
    "nestjs": Model(
        page="https://docs.nestjs.com/security/rate-limiting",
        limits=both(fixed(20, 5.0), fixed(60, 50.0)),
        says=[
            fields("X-RateLimit-Limit-short", "X-RateLimit-Remaining-short", "X-RateLimit-Reset-short", by=seconds),
            fields("X-RateLimit-Limit-long", "X-RateLimit-Remaining-long", "X-RateLimit-Reset-long", by=seconds, of=1),
        ],
        pages=200,
    ),
    "named-at-the-refusal": Model(
        page=IETF,
        limits=both(fixed(20, 5.0, name="burst"), fixed(60, MINUTE, name="minute")),
        says=[lambda answer: draft6(answer, answer.refusing[0] if answer.refusing else answer.limits[0])],
        refuses=[retry_after],
        declared=False,
        pages=200,
    ),
    "hidden-beside-declared": Model(
        page="https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api#about-secondary-rate-limits",
        limits=both(fixed(20, 5.0), fixed(60, MINUTE)),
        says=[legacy(seconds, "RateLimit-")],
        refuses=[retry_after],
        declared=False,
        pages=200,
    ),
    "headers-on-429-only": Model(
        page="https://developer.zendesk.com/api-reference/introduction/rate-limits/",
        limits=fixed(50, 10.0),
        refuses=[date, legacy()],
        declared=False,
    ),
    # 8. Windows of more than ten minutes
    "twitter": Model(
        page="https://docs.x.com/x-api/fundamentals/rate-limits",
        limits=fixed(100, 900.0),
        pages=250,
        says=[date, legacy(prefix="x-rate-limit-")],
    ),
    "hourly": Model(
        page="https://docs.discourse.org/",
        limits=aligned(100, HOUR),
        says=[date, legacy()],
        pages=250,
        begins=HOUR,
    ),
    # 9. Shared things
    "others": Model(
        page=GITHUB,
        limits=fixed(100, MINUTE),
        says=[date, legacy()],
        others=0.5,
        declared=False,
    ),
    "fifty-seconds": Model(
        page="https://www.mediawiki.org/wiki/Manual:$wgRateLimits",
        limits=fixed(60, 50.0),
        refuses=[],
        declared=False,
        pages=200,
    ),
    "lowered": Model(
        page=IETF,
        limits=changing(60, 30.0, (90.0, 20)),
        says=[draft8("default")],
        pages=250,
    ),
    "raised": Model(
        page=IETF,
        limits=changing(20, 30.0, (90.0, 60)),
        says=[draft8("default")],
        pages=250,
    ),
    "slowapi": Model(
        page="https://slowapi.readthedocs.io/en/latest/api/",
        limits=fixed(60, MINUTE),
        says=[date, legacy(second_late)],
        refuses=[retry_after],
    ),
    "two-hosts": Model(
        page="https://developer.atlassian.com/cloud/jira/platform/rate-limiting/",
        limits=fixed(60, 30.0),
        hosts=2,
        says=[legacy(seconds)],
        quotas={"key": 1.0},
    ),
    "retry-after-alone": Model(
        page="https://api.slack.com/apis/rate-limits",
        limits=fixed(50, MINUTE),
        refuses=[retry_after],
        declared=False,
    ),
    "silent-window": Model(
        page="https://api.slack.com/apis/rate-limits",
        limits=fixed(50, MINUTE),
        declared=False,
    ),
    # 10. Other units and plain dialects
    "openai-requests": Model(
        page="https://platform.openai.com/docs/guides/rate-limits",
        limits=bucket(60, 1.0, states_time_to_full=True),
        says=[
            fields(
                "x-ratelimit-limit-requests",
                "x-ratelimit-remaining-requests",
                "x-ratelimit-reset-requests",
                by=go_duration,
            )
        ],
    ),
    "openai-tokens": Model(
        page="https://platform.openai.com/docs/guides/rate-limits",
        limits=costly(40_000, 40_000 / MINUTE, (200, 600)),
        says=[
            fields(
                "x-ratelimit-limit-tokens",
                "x-ratelimit-remaining-tokens",
                "x-ratelimit-reset-tokens",
                by=go_duration,
            )
        ],
    ),
    "shopify-graphql": Model(
        page="https://shopify.dev/docs/api/admin-graphql#rate-limits",
        limits=costly(2_000, 100.0, (10, 90)),
        status=200,
        answers=shopify_graphql,
        pacing={"*": Pace(bodies=True)},
    ),
    "anthropic": Model(
        page="https://platform.claude.com/docs/en/api/rate-limits",
        limits=bucket(50, 50 / 60, states_time_to_full=True),
        says=[
            fields(
                "anthropic-ratelimit-requests-limit",
                "anthropic-ratelimit-requests-remaining",
                "anthropic-ratelimit-requests-reset",
                by=iso,
            )
        ],
    ),
    "cloudflare-api": Model(
        page="https://developers.cloudflare.com/fundamentals/api/reference/limits/",
        limits=fixed(60, MINUTE),
        says=[draft8("default")],
    ),
    "atlassian": Model(
        page="https://developer.atlassian.com/cloud/jira/platform/rate-limiting/",
        limits=aligned(100, MINUTE),
        says=[legacy(iso_minute)],
        pages=250,
        begins=DAY,
    ),
    "mastodon": Model(
        page="https://docs.joinmastodon.org/api/rate-limits/",
        limits=aligned(100, 300.0),
        says=[legacy(iso)],
        begins=DAY,
    ),
    "reddit": Model(
        page="https://support.reddithelp.com/hc/en-us/articles/16160319875092-Reddit-Data-API-Wiki",
        limits=aligned(100, 600.0),
        begins=DAY,
        says=[
            lambda answer: {
                "x-ratelimit-used": str(answer.limits[0][0].quota - answer.limits[0][1].remaining),
                "x-ratelimit-remaining": f"{answer.limits[0][1].remaining:.1f}",
                "x-ratelimit-reset": seconds(answer, answer.limits[0][1].reset),
            }
        ],
    ),
    "discord": Model(
        page="https://discord.com/developers/docs/topics/rate-limits",
        limits=fixed(5, 5.0),
        pages=100,
        says=[
            fields("X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset-After", by=decimals),
            constant(X_RateLimit_Bucket="abcd1234"),
        ],
    ),
    "envoy": Model(
        page="https://www.envoyproxy.io/docs/envoy/latest/configuration/http/http_filters/local_rate_limit_filter",
        limits=bucket(20, 4.0),
        says=[legacy(seconds)],
    ),
    "zendesk": Model(
        page="https://developer.zendesk.com/api-reference/introduction/rate-limits/",
        limits=fixed(100, MINUTE),
        says=[legacy(seconds, "ratelimit-"), fields("x-rate-limit", "x-rate-limit-remaining")],
    ),
    # 11. Shared quotas
    **SHARED_MODELS,
    # 12. Further vendors
    **VENDOR_MODELS,
    # 13. Dialects that were not looked at before
    **FURTHER_MODELS,
    **UNSEEN_MODELS,
    **RECENT_MODELS,
    **FOREIGN_MODELS,
}
"""Model by name."""
