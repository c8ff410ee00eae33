"""The parts of what items say, as answers show them. For the OpenAPI document only."""

from typing import Any, Literal

from meanwhile.web.schemas.shown import Shown


class ShownInputText(Shown):
    """Text to read."""

    type: Literal["input_text"]
    text: str


class ShownInputImage(Shown):
    """An image to see."""

    type: Literal["input_image"]
    image_url: str
    detail: str = "auto"


class ShownInputFile(Shown):
    """A file to read, as it was sent."""

    type: Literal["input_file"]
    filename: str
    file_data: str
    detail: Literal["auto", "low", "high"] = "auto"


class ShownOutputText(Shown):
    """Text that a model wrote."""

    type: Literal["output_text"]
    text: str
    annotations: list[dict[str, Any]]
    logprobs: list[dict[str, Any]]


class ShownRefusal(Shown):
    """Why a model will not answer."""

    type: Literal["refusal"]
    refusal: str


class ShownSummary(Shown):
    """A summary of thoughts."""

    type: Literal["summary_text"]
    text: str


class ShownReasoningText(Shown):
    """Thoughts."""

    type: Literal["reasoning_text"]
    text: str
