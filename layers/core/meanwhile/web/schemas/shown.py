"""What all answers have in common, and the smallest of their parts."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field


class Shown(BaseModel):
    """Everything in it is always there, null where there is nothing."""

    model_config = ConfigDict(extra="forbid", protected_namespaces=())


class DroppedItems(Shown):
    """What the model was not shown of its thread, by position; deleted items may be among them."""

    items: Annotated[int, Field(ge=1)]
    tokens: Annotated[int, Field(ge=0)] | None
    """At the most; null if nobody has kept count."""
    first: Annotated[int, Field(ge=0)]
    last: Annotated[int, Field(ge=0)]
