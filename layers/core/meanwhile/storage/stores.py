"""The stores of a response, as one value to hand around."""

from dataclasses import dataclass

from meanwhile.storage.leases import LeaseStore
from meanwhile.storage.log import LogStore
from meanwhile.storage.marks import MarkStore
from meanwhile.storage.responses import ResponseStore


@dataclass(frozen=True, slots=True)
class Stores:
    """Where responses live."""

    responses: ResponseStore
    leases: LeaseStore
    log: LogStore
    marks: MarkStore
