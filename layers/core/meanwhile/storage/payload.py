"""Content as bytes, before it is sealed: JSON, compressed when that helps."""

import json
import zlib
from typing import Any

from meanwhile.domain.errors import LogCorrupt

_PLAIN, _DEFLATED = b"\x00", b"\x01"


def pack(content: Any) -> bytes:
    """Return JSON content as bytes; the first byte says whether they are compressed."""
    plain = json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()
    deflated = zlib.compress(plain, 6)
    return _DEFLATED + deflated if len(deflated) < len(plain) else _PLAIN + plain


def unpack(packed: bytes) -> Any:
    """Return the content that `pack` was given.

    Raises:
        LogCorrupt: These bytes did not come from `pack`.
    """
    form, body = packed[:1], packed[1:]
    try:
        if form == _DEFLATED:
            body = zlib.decompress(body)
        elif form != _PLAIN:
            raise LogCorrupt("a payload of an unknown form")
        return json.loads(body)
    except (zlib.error, ValueError):
        pass  # these errors hold the text; ours, raised outside, has none of them as its cause
    raise LogCorrupt("a payload that cannot be read")
