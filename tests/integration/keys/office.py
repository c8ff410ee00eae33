"""Where keys are kept and owners end, over tables of its own."""

from typing import Any

from meanwhile.operations.accounts.authenticate import Authenticate
from meanwhile.operations.accounts.delete_owner import DeleteOwner
from meanwhile.operations.accounts.manage_keys import Made, ManageKeys
from meanwhile.storage.api_keys import ApiKeys, api_keys_in
from meanwhile.storage.keyring import Keyring, wrapped_keys_in
from meanwhile.storage.thread_table import threads_in
from meanwhile.storage.threads import ThreadStore
from tests.support.aws import client, connected, contents, new_api_keys_table, new_keys, new_threads_table
from tests.support.clock import Clock


class Office:
    """The real operations over the real stores."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.table = new_api_keys_table()
        self.settings = new_keys()
        self.keys = ApiKeys(connected(api_keys_in(self.table)))
        self.keyring = self.another_keyring()
        self.threads = ThreadStore(connected(threads_in(new_threads_table())), self.keyring)
        self.manage = ManageKeys(keys=self.keys, keyring=self.keyring, now=self.clock)
        self.delete_owner = DeleteOwner(
            keys=self.keys, keyring=self.keyring, threads=self.threads, now=self.clock
        )

    def another_keyring(self) -> Keyring:
        """Return what another process has: the same tables, a memory of its own."""
        return Keyring(
            connected(wrapped_keys_in(self.settings["owner_keys_table"])),
            lambda: client("kms"),
            master_key=self.settings["master_key"],
            now=self.clock,
            cache_seconds=300,
            sealing_seconds=30,
        )

    def another_door(self) -> Authenticate:
        """Return what a process that has looked nothing up asks who calls."""
        return Authenticate(self.keys, now=self.clock, cache_seconds=30)

    def made(self, owner: str = "team", **wanted: Any) -> Made:
        """Make a key."""
        return self.manage.create(owner, **{"name": "", "scopes": (), "lives": None, **wanted})

    def items(self) -> list[dict[str, Any]]:
        """Return all that is kept of keys, raw."""
        return contents(self.table)
