"""What a compaction item says, sealed for its owner: it lies with callers, and comes back from them."""

import base64

from meanwhile.domain.compaction import Compaction
from meanwhile.domain.errors import Tampered
from meanwhile.domain.facts import ENCRYPTED_CONTENT
from meanwhile.storage.keyring import Keyring
from meanwhile.storage.payload import pack, unpack

_SUBJECT = "compactions"
"""Of no response or thread: an item may be handed back wherever its owner likes, and opens nowhere else."""


class Compactions:
    """Seals and opens. What was sealed opens until the owner is destroyed, whatever key is the newest."""

    def __init__(self, keyring: Keyring) -> None:
        self._keyring = keyring

    def close(self, owner: str, compaction: Compaction) -> str:
        """Return it sealed, as base64.

        Raises:
            OwnerDeleted: The owner's key is destroyed.
        """
        sealed = self._keyring.seal(owner, _SUBJECT).close(pack(compaction.to_json()), ENCRYPTED_CONTENT)
        return base64.b64encode(sealed).decode()

    def open(self, owner: str, content: str) -> Compaction:
        """Return what was sealed for this owner.

        Raises:
            Tampered: It was altered, made up, or sealed for somebody else.
            OwnerDeleted: The owner's key is destroyed.
        """
        try:
            sealed = base64.b64decode(content, validate=True)
        except ValueError:
            raise Tampered("a compaction that is no base64") from None
        return Compaction.from_json(
            unpack(self._keyring.seal(owner, _SUBJECT).open(sealed, ENCRYPTED_CONTENT))
        )
