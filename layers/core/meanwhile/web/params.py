"""How an error names the part of a request at fault: `input[0].content[1].type`."""

from collections.abc import Iterable

_LONGEST = 200


def param_of(path: Iterable[str | int]) -> str | None:
    """Return a path in the API's notation; `None` for the request as a whole.

    Names in angle brackets are not the caller's: they tell the members of a union apart.
    """
    name = ""
    for step in path:
        if isinstance(step, int):
            name += f"[{step}]"
        elif not (step.startswith("<") and step.endswith(">")):
            name += f".{step}" if name else step
    return name[:_LONGEST] or None
