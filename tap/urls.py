"""Credentials in URLs: the parameters of a query that are named for one, and what stands before the @."""

import re
from collections.abc import Iterator

from .credentials import REPLACEMENT, Span

PARAMETER_NAME = (
    r"[?&;](?:[\w.~-]*(?:token|secret|passw(?:or)?d|signature|credential|(?:api|access|account)[-_]?key|auth)"
    r"|key|sig|pwd|jwt|code)"
)
_PARAMETER = re.compile(rf"({PARAMETER_NAME}=)[^&;#\s]*", re.IGNORECASE)
_USERINFO = re.compile(r"(?<=://)[^/?#\s]*@")


def url(text: str) -> str:
    """Return the URL with user, password and the values of credential parameters replaced."""
    return _PARAMETER.sub(rf"\g<1>{REPLACEMENT}", _USERINFO.sub(f"{REPLACEMENT}@", text))


# What stands before the @ of a URL: up to the last one before the path; or, when there is none before a / and what
# follows the colon is no port, up to the first after that.
_LOGIN = re.compile(
    rb":\\*/\\*/([^/?#\s\"\\@:]{0,100}:(?:(?:[^/?#\s\"\\]|\\+u[0-9a-fA-F]{4}){1,300}(?=@)"
    rb"|(?![0-9]{0,5}(?:[/?#\"\\]|\Z))(?:[^\s\"\\@<>]|\\+u[0-9a-fA-F]{4}|\\+/){1,300}(?=@)))"
)
_MAX_LOGIN = 450


def spans(raw: bytes) -> Iterator[Span]:
    """Yield where user and password stand in a URL, in order."""
    at = raw.find(b"@")
    done = 0
    while at >= 0:
        since = max(done, at - _MAX_LOGIN)
        start = max(raw.rfind(b"://", since, at), raw.rfind(rb":\/\/", since, at))
        login = _LOGIN.match(raw, start) if start >= 0 else None
        if login is not None and login.end() >= at:
            yield login.span(1)
        done = at if login is None else max(at, login.end())
        at = raw.find(b"@", done + 1)
