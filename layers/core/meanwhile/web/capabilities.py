"""What a model cannot do is refused before anything is stored."""

from collections.abc import Callable

from meanwhile.domain.errors import InvalidRequest
from meanwhile.domain.files import is_pdf
from meanwhile.domain.request import Json, Request
from meanwhile.domain.window import NO_FILES
from meanwhile.providers.catalogue import ModelEntry


def check_model(request: Request, entry: ModelEntry) -> None:
    """Compare a request with the model's catalogue entry.

    Raises:
        InvalidRequest: The model cannot do it; `param` names what.
    """
    if not entry.tools and request.tools:
        raise _unsupported("tools")
    if not entry.structured_output and request.text_format["type"] != "text":
        raise _unsupported("text.format")
    if not entry.reasoning and (request.reasoning or {}).get("effort") not in (None, "none"):
        raise _unsupported("reasoning.effort")
    most = entry.max_output_tokens
    if most is not None and (request.max_output_tokens or 0) > most:
        raise InvalidRequest(
            f"Invalid 'max_output_tokens': this model writes at most {most} tokens.",
            param="max_output_tokens",
            code="integer_above_max_value",
        )
    image = None if entry.images else _first(request, _is_image)
    if image:
        raise InvalidRequest("This model cannot see images.", param=image, code="invalid_value")
    file = None if entry.files else _first(request, is_pdf)
    if file:
        raise InvalidRequest(f"{NO_FILES} Send its text.", param=file, code="invalid_value")


def _is_image(part: Json) -> bool:
    return bool(part["type"] == "input_image")


def _first(request: Request, is_meant: Callable[[Json], bool]) -> str | None:
    """Return where the first such part is."""
    for index, item in enumerate(request.input):
        for name in ("content", "output"):
            parts = item.get(name)
            for place, part in enumerate(parts if isinstance(parts, list) else []):
                if is_meant(part):
                    return f"input[{index}].{name}[{place}]"
    return None


def _unsupported(param: str) -> InvalidRequest:
    return InvalidRequest(
        f"Unsupported parameter: '{param}' is not supported with this model.",
        param=param,
        code="unsupported_parameter",
    )
