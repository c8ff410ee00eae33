"""What was promised gone is gone, from the table and from the bucket."""

from typing import Any

import openai
import pytest
from openai import OpenAI

from infra.local.client import LocalStack
from tests.stack.conftest import INLINE_BYTES, UNSTORED_RETENTION_SECONDS
from tests.stack.inside import objects_of, parts_of
from tests.stack.talking import ask, ended
from tests.support.waiting import eventually

pytestmark = pytest.mark.xdist_group("stack")

CONTENT = ("payload", "blob", "owner")
"""The attributes that say something about anybody."""


def test_what_is_not_stored_is_deleted_soon_after_its_end(stack: LocalStack, sdk: OpenAI) -> None:
    """Long enough to be polled; then readers do not find it, and the sweeper leaves nothing of it."""
    question = "".join(f"Incompressible {number**7}. " for number in range(INLINE_BYTES // 8))
    response = ask(sdk, question, store=False)
    assert objects_of(stack, response.id)

    found = ended(sdk, response.id)
    assert (found.status, found.to_dict()["store"]) == ("completed", False)
    assert found.completed_at is not None
    gone_at = str(int(found.completed_at) + UNSTORED_RETENTION_SECONDS)
    # Readers know of an end a moment before the head does.
    eventually(lambda: parts_of(stack, response.id)["head"]["expires_at"]["N"] == gone_at)

    eventually(lambda: not is_found(sdk, response.id))
    eventually(lambda: not content_of(parts_of(stack, response.id)))
    assert eventually(lambda: not objects_of(stack, response.id))
    assert "open_shard" not in parts_of(stack, response.id)["head"]


def test_deleting_leaves_no_content(stack: LocalStack, sdk: OpenAI) -> None:
    """With the answer to the call it is done, not some day; what a sweep that came by adds, it takes away."""
    question = "".join(f"Incompressible {number**7}. " for number in range(INLINE_BYTES // 8))
    response = ask(sdk, question)
    ended(sdk, response.id)
    assert content_of(parts_of(stack, response.id))

    sdk.responses.delete(response.id)

    parts = parts_of(stack, response.id)
    assert content_of(parts) == []
    assert objects_of(stack, response.id) == []
    bare = {"response_id", "part", "deleted", "expires_at"}
    of_head = bare | {"stood_in", "stood_at"}
    eventually(
        lambda: all(
            set(item) == (of_head if part == "head" else bare)
            for part, item in parts_of(stack, response.id).items()
        )
    )


def is_found(sdk: OpenAI, response_id: str) -> bool:
    """Whether its owner can read it."""
    try:
        sdk.responses.retrieve(response_id)
    except openai.NotFoundError:
        return False
    return True


def content_of(parts: dict[str, dict[str, Any]]) -> list[str]:
    """Return the names of the parts that hold any content."""
    return [part for part, item in parts.items() if any(name in item for name in CONTENT)]
