"""How an error names the part of a request at fault: `input[0].content[1].type`."""

from collections.abc import Iterable

TAG = "\0"
"""What our own names in a path begin with; no name in a body holds it (see `body.py`)."""

_LONGEST = 200


def param_of(path: Iterable[str | int]) -> str | None:
    """Return a path in the API's notation; `None` for the request as a whole.

    Steps that begin with `TAG` are not the caller's: they tell the members of a union apart.
    """
    name: str | None = None
    for step in path:
        if isinstance(step, int):
            name = f"{name or ''}[{step}]"
        elif not step.startswith(TAG):
            name = step if name is None else f"{name}.{step}"
    return None if name is None else name[:_LONGEST]
