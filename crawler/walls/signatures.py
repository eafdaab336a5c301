"""The signatures of walls, each with its source.

Rule: a mark is markup or code of the wall itself, which a page about it shows escaped, and which the vendor does not
put into the pages that it lets through, as `_Incapsula_Resource`, `/cdn-cgi/challenge-platform/` and `_pxAppId` are.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from crawler.walls.suspicion import Kind

__all__ = ["FIELDS", "SIGNATURES", "WIDGETS", "Signature"]


class Signature(NamedTuple):
    """What shows a wall in a body."""

    kind: Kind
    """The kind of the wall."""
    vendor: str
    """Whose wall it is."""
    marks: tuple[bytes, ...]
    """Bytes in lower case, all of which the body has."""
    source: str
    """Where they are documented or can be looked at: a file or an issue of a public repository, or the page itself."""
    max_text: int = 4000
    """Bytes of text that readers see, at most. The longest challenge is that of Anubis in Russian, with 3.5 kB."""


FIELDS: Final = {
    "cf-mitigated": ("Cloudflare", ("challenge",)),  # Cloudflare docs: Detect a Challenge Page response
    "x-amzn-waf-action": ("AWS WAF", ("challenge", "captcha")),  # AWS WAF guide: How CAPTCHA and Challenge work
    "x-vercel-mitigated": ("Vercel", ("challenge",)),  # Vercel docs: Response headers
    "sg-captcha": ("SiteGround", ("challenge",)),  # sent with status 202 and a refresh to /.well-known/sgcaptcha/
}
"""Header fields that say that a response is a challenge: whose it is, and the values that mean it."""

_SAMPLES: Final = "FlareSolverr/FlareSolverr: html_samples"
_GALLERY_DL: Final = "mikf/gallery-dl: gallery_dl/util.py"
_PARKING: Final = "parkingtma/parkingtma.github.io: parking_services.json"

SIGNATURES: Final = (
    # ---- challenges --------------------------------------------------------------------------------------------------
    Signature("challenge", "Cloudflare", (b"window._cf_chl_opt",), _SAMPLES),
    Signature("challenge", "Cloudflare", (b"/cdn-cgi/challenge-platform/", b"/orchestrate/"), _SAMPLES),
    Signature("challenge", "Cloudflare", (b'id="challenge-form"', b"__cf_chl_"), "Ekultek/WhatWaf#1224"),
    Signature("challenge", "Cloudflare", (b'id="challenge-form"', b"jschl"), "codemanki/cloudscraper#287"),
    Signature("challenge", "Cloudflare", (b"cf-captcha-container",), "template of the captcha until 2022"),
    Signature("challenge", "Anubis", (b"/.within.website/x/cmd/anubis/",), "TecharoHQ/anubis: web/index.templ"),
    Signature("challenge", "Anubis", (b'id="anubis_challenge"',), "TecharoHQ/anubis: web/index.templ"),
    Signature("challenge", "go-away", (b"/.well-known/.git.gammaspectra.live/git/go-away/",), "go-away: lib"),
    Signature("challenge", "Akamai", (b"sec-if-cpt-container",), "germondai/trawl#33"),
    Signature("challenge", "Akamai", (b"bm-verify", b"/_sec/verify"), "page that posts to /_sec/verify"),
    Signature("challenge", "Akamai", (b"/_sec/cp_challenge/",), "page with a frame of /_sec/cp_challenge/"),
    Signature("challenge", "DataDome", (b".captcha-delivery.com",), "DataDome docs: Rule responses"),
    Signature("challenge", "HUMAN", (b"px-captcha",), "HUMAN docs: Customize the challenge page"),
    Signature("challenge", "HUMAN", (b"_pxappid", b"/captcha/captcha.js"), "HUMAN docs: Customize the challenge page"),
    Signature("challenge", "Imperva", (b"request unsuccessful. incapsula incident id",), "Imperva docs: Error pages"),
    Signature("challenge", "Imperva", (b'id="main-iframe"', b"_incapsula_resource"), "Imperva docs: Error pages"),
    Signature("challenge", "Imperva", (b"_incapsula_resource?swj",), "page that loads nothing else", 40),
    Signature("challenge", "Imperva", (b"<title>pardon our interruption",), "template of Distil"),
    Signature("challenge", "AWS WAF", (b"window.gokuprops",), "AWS WAF guide: JavaScript integrations"),
    Signature("challenge", "AWS WAF", (b"awswafintegration.", b"challenge-container"), "AWS WAF guide"),
    Signature("challenge", "Kasada", (b"kpsdk", b"/ips.js"), "page that loads nothing else", 40),
    Signature("challenge", "Vercel", (b"<title>vercel security checkpoint",), "Vercel docs: Attack challenge mode"),
    Signature("challenge", "DDoS-Guard", (b"<title>ddos-guard",), "Ekultek/WhatWaf#1005"),
    Signature("challenge", "DDoS-Guard", (b"/.well-known/ddos-guard/", b"checking your browser"), _GALLERY_DL),
    Signature("challenge", "Sucuri", (b"sucuri_cloudproxy_js",), "Anorov/cloudflare-scrape#76"),
    Signature("challenge", "SiteGround", (b"/.well-known/sgcaptcha/",), "page that refreshes to it"),
    Signature("challenge", "Fastly", (b"<title>client challenge",), "Fastly docs: Client challenges"),
    Signature("challenge", "Fastly", (b"/_fs-ch-",), "Fastly docs: Client challenges", 300),
    Signature("challenge", "F5", (b"/tspd/", b"your support id is"), "F5 docs: ASM challenge"),
    Signature("challenge", "F5", (b"please enable javascript to view the page content", b"support id"), "F5 docs"),
    Signature("challenge", "Radware", (b"<title>radware bot manager captcha",), "page of validate.perfdrive.com"),
    Signature("challenge", "Radware", (b"validate.perfdrive.com",), "page that leads to it"),
    Signature("challenge", "Yandex", (b"/checkcaptcha", b"captcha"), "page of /showcaptcha"),
    Signature("challenge", "Amazon", (b"/errors/validatecaptcha",), "apify/crawlee: blog/2024/03-27"),
    Signature("challenge", "eBay", (b"splashui/challenge",), "page of /splashui/challenge"),
    Signature("challenge", "Alibaba", (b"/_____tmd_____/punish",), "page that leads to it"),
    Signature("challenge", "Qrator", (b"/__qrator/qauth",), "page with status 401 that loads it"),
    Signature("challenge", "LiteSpeed", (b"/.lsrecap/recaptcha",), "LiteSpeed docs: reCAPTCHA"),
    Signature("challenge", "Imunify360", (b"<title>one moment, please", b"being verified"), "page that sends wsidchk"),
    Signature("challenge", "Imunify360", (b'id="wsidchk"',), "page that sends wsidchk"),
    Signature("challenge", "DuckDuckGo", (b"duckduckgo.com/anomaly.js", b"challenge"), "germondai/trawl#119"),
    Signature("challenge", "CrowdSec", (b"<title>crowdsec captcha",), "crowdsecurity/lua-cs-bouncer: captcha.html"),
    Signature("challenge", "BasedFlare", (b"/.basedflare/",), "haproxy-protection: bot-check.html"),
    Signature("challenge", "bunny.net", (b"/.bunny-shield/",), "page that loads shield-challenge.js"),
    Signature("challenge", "Weibo", (b"<title>sina visitor system",), "microlinkhq/is-antibot: providers/weibo"),
    Signature("challenge", "Google", (b'id="captcha-form"', b"unusual traffic"), "page of /sorry/index"),
    # ---- consent -----------------------------------------------------------------------------------------------------
    Signature("consent", "Google", (b'action="https://consent.google.',), "page of consent.google.com", 8000),
    Signature("consent", "YouTube", (b'action="https://consent.youtube.com/',), "page of consent.youtube.com", 8000),
    Signature("consent", "Yahoo", (b'class="consent-form"', b"collectconsent"), "page of consent.yahoo.com", 8000),
    Signature("consent", "DPG Media", (b"myprivacy.dpgmedia.", b"/consent"), "page of myprivacy.dpgmedia.nl"),
    # ---- parked domains ----------------------------------------------------------------------------------------------
    Signature("parked", "GoDaddy", (b"img1.wsimg.com/parking-lander/",), "page of /lander"),
    Signature("parked", "GoDaddy", (b'window.location.href="/lander"',), "page that does nothing else", 40),
    Signature("parked", "Bodis", (b'window.park = "',), "page that loads it as its configuration"),
    Signature("parked", "Sedo", (b"sedoparking.com/",), _PARKING),
    Signature("parked", "ParkingCrew", (b"parkingcrew.net/",), _PARKING),
    Signature("parked", "ParkingCrew", (b"d38psrni17bvxu.cloudfront.net/",), "style sheets of ParkingCrew"),
    Signature("parked", "AdSense for Domains", (b"<html data-adblockkey=",), "Adblock Plus docs: Sitekeys"),
    Signature("parked", "AdSense for Domains", (b"google.com/adsense/domains/caf.js",), "AdSense docs"),
    Signature("parked", "ParkLogic", (b"parklogic.com/",), _PARKING),
    Signature("parked", "HugeDomains", (b"hugedomains.com/domain_profile.cfm", b"is for sale"), _PARKING),
    Signature("parked", "Dan.com", (b"dan.com/buy-domain/",), _PARKING),
    Signature("parked", "Afternic", (b"afternic.com/forsale/",), _PARKING),
    Signature("parked", "Namecheap", (b"parkingpage.namecheap.com",), _PARKING),
    Signature("parked", "IONOS", (b"defaultparking", b"ionos"), "page of domains without a site"),
    Signature("parked", "a registrar", (b"this domain is parked",), "page of domains without a site", 600),
    Signature("parked", "a registrar", (b"this domain name is parked",), "page of domains without a site", 600),
)  # fmt: skip
"""The walls that a vendor's own marks show."""

WIDGETS: Final = {
    b"h-captcha": "hCaptcha",  # hCaptcha docs: class of the widget
    b"g-recaptcha": "reCAPTCHA",  # reCAPTCHA docs: class of the widget
    b"cf-turnstile": "Turnstile",  # Turnstile docs: class of the widget
    b"arkoselabs.com/": "Arkose",
}
"""Widgets that forms of good pages have too: a wall is a page that has nothing else."""
