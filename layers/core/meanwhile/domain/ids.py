"""Identifiers: random where something is made, derived where it must come out the same twice."""

import hashlib
import re
import secrets

HEX_DIGITS = 48

ITEM_PREFIXES = {
    "message": "msg",
    "function_call": "fc",
    "function_call_output": "fco",
    "reasoning": "rs",
    "compaction": "cmp",
}
"""Of the ids of items, by their types."""


def new_id(prefix: str) -> str:
    """Return an id nobody can guess, `resp_` and 48 hex digits for instance."""
    return f"{prefix}_{secrets.token_hex(HEX_DIGITS // 2)}"


def new_item_id(kind: str) -> str:
    """Return an id for an item of this type."""
    return new_id(ITEM_PREFIXES[kind])


def is_id(prefix: str, found: str) -> bool:
    """Whether this can be an id that `new_id` made: nothing else need be looked for."""
    return re.fullmatch(f"{prefix}_[0-9a-f]{{{HEX_DIGITS}}}", found) is not None


def new_nonce() -> str:
    """Return a mark that tells one write from every other."""
    return secrets.token_hex(8)


def derived_id(prefix: str, response_id: str, index: int) -> str:
    """Return the id of the item at `index`: the same in every replay, so the log need not hold it."""
    digest = hashlib.sha256(f"{response_id}/{index}".encode()).hexdigest()
    return f"{prefix}_{digest[:HEX_DIGITS]}"


def call_id(response_id: str, index: int) -> str:
    """Return a call id for a provider that sent none."""
    return derived_id("call", response_id, index)[:29]


def shard_of(response_id: str, shards: int) -> str:
    """Return which shard of the index of open responses holds this id; spreads one hot key over a few."""
    return str(int(response_id[-4:], 16) % shards)
