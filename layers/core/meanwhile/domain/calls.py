"""Function calls and their outputs: no model takes one without the other."""

from collections.abc import Iterable

from meanwhile.domain.errors import InvalidRequest
from meanwhile.domain.request import Json


def check_calls(items: Iterable[Json], *, is_whole: bool = True, open_calls: bool = False) -> None:
    """Refuse outputs without a call before them and, unless `open_calls`, calls without an output.

    What continues a thread is not the whole: its calls may stand there.

    Raises:
        InvalidRequest: As the API words it.
    """
    waiting: set[str] = set()
    called: set[str] = set()
    for item in items:
        if item["type"] == "function_call":
            waiting.add(item["call_id"])
            called.add(item["call_id"])
        elif item["type"] == "function_call_output":
            if is_whole and item["call_id"] not in called:
                raise InvalidRequest(
                    f"No tool call found for function call output with call_id {item['call_id']}.",
                    param="input",
                )
            waiting.discard(item["call_id"])
    if waiting and not open_calls:
        raise InvalidRequest(
            f"No tool output found for function call {min(waiting)}.",
            param="input",
        )
