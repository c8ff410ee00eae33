"""What `POST /responses/compact` answers. For the OpenAPI document only."""

from typing import Annotated, Literal

from pydantic import Field
from pydantic.json_schema import SkipJsonSchema

from meanwhile.web.schemas.answers import FailureDetail, ShownCompaction, ShownMessage, Usage
from meanwhile.web.schemas.shown import Shown


class CompactedResponse(Shown):
    """The user's messages, and the item that stands for them and for all else."""

    id: Annotated[str, Field(pattern="^resp_[0-9a-f]{48}$")]
    object: Literal["response.compaction"]
    created_at: int
    output: list[ShownMessage | ShownCompaction]
    usage: Usage
    error: FailureDetail | SkipJsonSchema[None] = None
    """Only where making it failed after signs of life had been sent; `output` is empty then."""
