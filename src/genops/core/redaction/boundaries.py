"""What may stand beside a find. RE2 has no look-around, so this is checked here, on the characters before and after."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from types import MappingProxyType

__all__ = ["BOUNDARIES", "Boundary"]

Boundary = Callable[[str, int, int], bool]

_MORE = ("@", "|", ":", "%", "$")
_JOINS = "-./:,_#"


def _word(text: str, start: int, end: int) -> bool:
    """Not a part of a longer word."""
    return not (_wordlike(text, start - 1) or _wordlike(text, end))


def _number(text: str, start: int, end: int) -> bool:
    """Not a part of a longer word or number: `1-555-0100` is no end of `12-1-555-0100`."""
    if not _word(text, start, end):
        return False
    before = text[start - 1 : start] if start else ""
    if before == "+":
        return False
    if (
        before
        and before in _JOINS
        and _wordlike(text, start - 2)
        and not (before in ":,#" and not _digit(text, start - 2))
    ):
        return False
    after = text[end : end + 1]
    return not (after and after in "-./:_" and _digit(text, end + 1))


def _group(text: str, start: int, end: int) -> bool:
    """Not a part of a number in groups: `4111 1111 1111` is no end of `4111 1111 1111 1111`."""
    if not _number(text, start, end):
        return False
    more_after = text[end : end + 1] == " " and _digit(text, end + 1)
    return not (more_after or (text[start - 1 : start] == " " and _digit(text, start - 2)))


def _token(text: str, start: int, end: int) -> bool:
    """Not a part of a longer run of letters and digits; an escaped line end (`\\n`) before it is no letter."""
    before = _ascii_word(text, start - 1) and text[max(start - 2, 0) : start - 1] != "\\"
    before = before or (text[start - 1 : start] in ("-", ".") and _ascii_word(text, start - 2))
    return not (before or _ascii_word(text, end))


_NAME = re.compile(
    r"([A-Za-z][\w.-]*(?: (?:key|token|secret|api|access|auth|bot|client)){0,2})\W{1,14}(?:\w{1,10}\W{1,9})?$", re.I
)
_PARTS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_PUBLIC = frozenset(
    re.findall(
        r"\S+",
        """
    id ids name version hash url uri path type count index date event vault public foreign primary csrf frame
    keyframe results length size column field label status host endpoint region bucket namespace scope expiry
    expires issuer pairs limit usage used format stats accessor selector credentialsid
    """,
    )
)
_SECRETIVE = frozenset(
    re.findall(
        r"\S+",
        """
    access adafruit adobe airtable algolia alibaba api apikey artifactory asana atlassian auth authorization beamer
    bearer bintray bird bitbucket bittrex buildkite circleci client cloudflare codecov cohere coinbase confluence
    confluent contentful credential credentials creds databricks datadog discord droneci dropbox etsy facebook
    fastly finicity finnhub flickr freshbooks gitter hubspot intercom jfrog jira jwt key keys kraken kucoin
    launchdarkly license linkedin lob looker mailchimp mailgun mapbox mattermost maxmind meraki messagebird netlify
    newrelic nytimes oauth okta openai passwd password pat plaid privateai rapidapi relic secret secrets sendbird
    sentry shopify snyk sonar square squarespace stripe sumo telegram token tokens travis twilio twitch twitter
    typeform webhook xray yandex zapier zendesk
    """,
    )
)


def _named(text: str, start: int, end: int) -> bool:
    """The value of something that is a secret by its name: `api_token`, but not `tokenVersion` or `monkeys`."""
    if _ascii_word(text, end) or (text[end : end + 1] in _MORE and _ascii_word(text, end + 1)):
        return False
    match = _NAME.search(text, max(start - 90, 0), start)
    if match is None:
        return True
    parts = [part.lower() for part in _PARTS.findall(match[0])]
    return not _PUBLIC.intersection(parts) and any(_secretive(part) for part in parts)


def _secretive(part: str) -> bool:
    return part in _SECRETIVE or part.endswith(("token", "secret", "apikey", "accesskey", "secretkey", "privatekey"))


def _email(text: str, start: int, end: int) -> bool:
    return not (_ascii_word(text, start - 1) or text[end : end + 1] == "@" or text[max(start - 1, 0) : start] == "@")


def _ipv6(text: str, start: int, end: int) -> bool:
    return not (
        _wordlike(text, start - 1)
        or _wordlike(text, end)
        or text[start - 1 : start] == ":"
        or text[end : end + 1] == ":"
    )


def _wordlike(text: str, at: int) -> bool:
    return 0 <= at < len(text) and (text[at].isalnum() or text[at] == "_") and not "\u2e80" <= text[at] <= "\uffdc"


def _ascii_word(text: str, at: int) -> bool:
    return 0 <= at < len(text) and text[at].isascii() and (text[at].isalnum() or text[at] == "_")


def _digit(text: str, at: int) -> bool:
    return 0 <= at < len(text) and "0" <= text[at] <= "9"


BOUNDARIES: Mapping[str, Boundary] = MappingProxyType(
    {
        "word": _word,
        "number": _number,
        "group": _group,
        "token": _token,
        "email": _email,
        "named": _named,
        "ipv6": _ipv6,
    }
)
