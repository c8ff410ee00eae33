"""Expand: show a model what compaction items stand for."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from meanwhile.domain.calls import check_calls
from meanwhile.domain.compaction import last_compaction
from meanwhile.domain.errors import InvalidRequest, Tampered
from meanwhile.domain.facts import COMPACTION, ENCRYPTED_CONTENT
from meanwhile.domain.request import Json, Request
from meanwhile.storage.compactions import Compactions


@dataclass(frozen=True, slots=True)
class Expand:
    """Opens compaction items; costs nothing where there are none."""

    compactions: Compactions

    def __call__(self, owner: str, item: Json) -> list[Json]:
        """Return the items that stand behind a compaction item.

        Raises:
            Tampered: It is not what was sealed for this owner.
            OwnerDeleted: The owner's key is destroyed.
        """
        return self.compactions.open(owner, item[ENCRYPTED_CONTENT]).shown_as(item["id"])

    def shown(self, owner: str, items: Sequence[Json]) -> list[Json]:
        """Return what a model is shown of these items: the last compaction expanded, and what is behind it.

        Raises:
            Tampered, OwnerDeleted: As above.
        """
        at = last_compaction(items)
        if at is None:
            return list(items)
        return [*self(owner, items[at]), *items[at + 1 :]]

    def request(self, owner: str, request: Request) -> Request:
        """Return a request as a model is shown it.

        Raises:
            Tampered, OwnerDeleted: As above.
        """
        if last_compaction(request.input) is None:
            return request
        return replace(request, input=self.shown(owner, request.input))

    def check(self, owner: str, request: Request) -> None:
        """Refuse what this owner cannot have got from us, before anything is stored.

        Raises:
            InvalidRequest: A compaction item does not open, or calls and outputs do not fit together.
            OwnerDeleted: As above.
        """
        if last_compaction(request.input) is None:
            return
        self.check_items(owner, request.input, "input")
        check_calls(self.shown(owner, request.input), open_calls=request.is_compaction)

    def check_items(self, owner: str, items: Sequence[Json], param: str) -> None:
        """Refuse compaction items that do not open; `param` is what the items came in.

        Raises:
            InvalidRequest, OwnerDeleted: As above.
        """
        for index, item in enumerate(items):
            if item["type"] == COMPACTION:
                self._check_one(owner, item, f"{param}[{index}].{ENCRYPTED_CONTENT}")

    def _check_one(self, owner: str, item: Json, param: str) -> None:
        try:
            self(owner, item)
        except Tampered:
            raise InvalidRequest(
                f"'{param}' is not what this service has given you.", param=param, code="invalid_value"
            ) from None
