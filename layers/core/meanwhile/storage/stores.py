"""The stores of a response, and those of a thread, each as one value to hand around."""

from dataclasses import dataclass

from meanwhile.storage.leases import LeaseStore
from meanwhile.storage.log import LogStore
from meanwhile.storage.marks import MarkStore
from meanwhile.storage.responses import ResponseStore
from meanwhile.storage.thread_birth import ThreadBirth
from meanwhile.storage.thread_burial import ThreadBurial
from meanwhile.storage.thread_log import ThreadLog
from meanwhile.storage.threads import ThreadStore


@dataclass(frozen=True, slots=True)
class Stores:
    """Where responses live."""

    responses: ResponseStore
    leases: LeaseStore
    log: LogStore
    marks: MarkStore


@dataclass(frozen=True, slots=True)
class Threads:
    """Where threads live."""

    heads: ThreadStore
    log: ThreadLog
    burial: ThreadBurial
    birth: ThreadBirth
