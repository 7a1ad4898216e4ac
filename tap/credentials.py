"""What credentials are called: the names of headers, and those of keys in JSON and elsewhere."""

import re
from collections.abc import Mapping
from functools import lru_cache

REPLACEMENT = "[redacted]"

Span = tuple[int, int]  # where one begins in a text, and where it ends

_HEADER = re.compile(
    r"(?:^|[-_])(?:authorization|auth|authentication|cookie2?|token|secret|password|credentials?|signature|"
    r"signature-256|jwt|(?:api|access|account|auth|subscription|secret|private|master|functions?)[-_]?key|apikey)$",
    re.IGNORECASE,
)
_ANY_KEY = re.compile(
    r"(?<!idempotency)(?<!cache)(?<!surrogate)(?<!websocket)(?<!partition)(?<!routing)(?<!request)[-_]key$",
    re.IGNORECASE,
)
_NAME = re.compile(
    rb"[\w.-]*(?:"
    # "id_token" and "userIdToken", but not "valid_token".
    rb"(?:(?<![A-Za-z])|(?-i:(?<=[a-z0-9])(?=[A-Z])))(?:id|bot|auth|api)[_-]?token"
    rb"|(?:authorization|access|refresh|session|bearer|security|csrf)[_-]?token"
    rb"|(?:client|app|api|consumer|webhook|shared|signing)[_-]?secret|secret[_-]?(?:access[_-]?)?key"
    rb"|(?:api|access|private|account|subscription|encryption)[_-]?key"
    rb"|(?<!forgot)(?<!forgot[_-])passw(?:or)?d|passphrase|authorization|(?:set-)?cookie|credential|secret)",
    re.IGNORECASE,
)
MAX_NAME = 100


def is_header(name: str) -> bool:
    """Say whether a header of this name holds a credential."""
    return _HEADER.search(name) is not None


def headers(pairs: Mapping[str, str]) -> dict[str, str]:
    """Return the headers with the value of every credential header replaced; any key might be one."""
    return {
        name: REPLACEMENT if is_header(name) or _ANY_KEY.search(name) else value for name, value in pairs.items()
    }


@lru_cache  # the same few come again and again
def is_name(word: bytes) -> bool:
    """Say whether a key of this name holds a credential."""
    return _NAME.fullmatch(word) is not None
