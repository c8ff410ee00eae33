"""What `POST /responses/compact` answers. For the OpenAPI document only."""

from typing import Annotated, Literal

from pydantic import Field
from pydantic.json_schema import SkipJsonSchema

from meanwhile.web.schemas.answers import FailureDetail, ShownCompaction, Usage
from meanwhile.web.schemas.shown import Shown


class CompactedResponse(Shown):
    """One item, which stands for all that was given."""

    id: Annotated[str, Field(pattern="^resp_[0-9a-f]{48}$")]
    object: Literal["response.compaction"]
    created_at: int
    output: Annotated[list[ShownCompaction], Field(max_length=1)]
    usage: Usage
    error: FailureDetail | SkipJsonSchema[None] = None
    """Only where making it failed after signs of life had been sent; `output` is empty then."""
