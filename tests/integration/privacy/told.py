"""Responses in every state, all that was ever true of them, and ways to tamper with what is stored."""

from collections.abc import Callable, Sequence
from hashlib import sha512
from typing import Any

from meanwhile.domain.errors import ServiceError
from meanwhile.domain.model_events import Finished, FinishReason, ModelEvent, TextDelta, Usage
from meanwhile.domain.request import Request
from meanwhile.domain.response import Head
from meanwhile.domain.transcript import Transcript
from tests.integration.privacy.vault import Raw, Vault
from tests.support import aws
from tests.unit.operations.scene import Scene

INLINE_BYTES = 700
"""Of a payload: what the models below say fits, a long request does not."""

STOP = Finished(FinishReason.STOP, Usage(input_tokens=1, output_tokens=2))
Tamper = Callable[["Told"], object]


class Told:
    """Four responses of ada and one of bob; `restore()` undoes whatever was done to them."""

    def __init__(self, vault: Vault) -> None:
        self.vault = vault
        self.scene = Scene()
        self.scene.clock = vault.clock
        self.scene.use(vault.stores(inline_bytes=INLINE_BYTES))
        self.heads: dict[str, Head] = {}
        self.truths: dict[str, list[Any]] = {}
        """Everything its owner could ever rightly see of a response."""
        self._tell("ended", "ada", "one ", "two ", "three ", STOP)
        self._tell("other", "ada", "uno ", "dos ", "tres ", STOP)
        self._tell("bobs", "bob", "eins ", "zwei ", "drei ", STOP)
        self._tell("running", "ada", "un ", "deux ", "trois ")
        self._tell("unmended", "ada", "ein ", "to ", STOP, mend=False)
        self._items = aws.contents(vault.table)
        self._objects = {key: self._read(key) for key in vault.objects()}

    def _tell(self, name: str, owner: str, *said: str | ModelEvent, mend: bool = True) -> None:
        scene = self.scene
        long = sha512(name.encode()).hexdigest() * 2 + "".join(map(chr, range(0x4E00, 0x4E00 + 600)))
        message = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": name}]}
        request = Request(model="simulator", input=[message], instructions=long, background=True)
        head = self.heads[name] = scene.accept(owner, request)
        truths = self.truths[name] = [scene.read(owner, head.id)]
        claimed = scene.claimed(head)
        truths.append(scene.read(owner, head.id))
        transcript = Transcript(claimed.answer)
        for each in said:
            event = TextDelta(each) if isinstance(each, str) else each
            claimed.append(transcript.add(event, at=int(scene.clock())))
            truths.append(scene.read(owner, head.id))
        if claimed.answer.end is not None and mend:
            claimed.finish()
            truths[:] = [scene.read(owner, head.id)]

    # ── Seen ──────────────────────────────────────────────────────────────────────────────────────────

    def seen(self, name: str) -> Any:
        """Return what the owner sees now, or the error."""
        head = self.heads[name]
        try:
            return self.scene.read(head.owner, head.id)
        except ServiceError as error:
            return error

    def mend(self, name: str) -> None:
        """Let the sweeper's hand go over it."""
        try:
            self.scene.ending.mend(self.heads[name])
        except ServiceError:
            return

    # ── Tampered with ─────────────────────────────────────────────────────────────────────────────────

    def item(self, name: str, part: str) -> Raw:
        return self.vault.item(self.heads[name].id, part)

    def change(self, name: str, part: str, **attributes: Raw) -> None:
        """Set attributes of an item."""
        self.vault.put(self.item(name, part), **attributes)

    def remove(self, name: str, *parts: str) -> None:
        for part in parts:
            self.vault.remove(self.heads[name].id, part)

    def copy(self, here: tuple[str, str], there: tuple[str, str]) -> None:
        """Put an item in another's place, with all that stands in the clear."""
        name, part = there
        self.vault.put(self.item(*here), response_id={"S": self.heads[name].id}, part={"S": part})

    def move(self, here: tuple[str, str], there: tuple[str, str]) -> None:
        """Put an item in another's place, and leave its own empty."""
        self.copy(here, there)
        self.remove(*here)

    def swap(self, one: tuple[str, str], other: tuple[str, str], *attributes: str) -> None:
        """Exchange attributes of two items."""
        here, there = self.item(*one), self.item(*other)
        self.vault.put(here, **{each: there[each] for each in attributes if each in there})
        self.vault.put(there, **{each: here[each] for each in attributes if each in here})

    def flip(self, name: str, part: str, at: int, bit: int = 0) -> None:
        """Change one bit of a sealed payload, wherever it lies."""
        item = self.item(name, part)
        sealed = bytearray(item["payload"]["B"] if "payload" in item else self._read(item["blob"]["S"]))
        sealed[at % len(sealed)] ^= 1 << bit
        if "payload" in item:
            self.vault.put(item, payload={"B": bytes(sealed)})
        else:
            self.vault.s3.put_object(Bucket=aws.BUCKET, Key=item["blob"]["S"], Body=bytes(sealed))

    def blob(self, name: str, part: str = "request") -> str:
        """Return the key of an object."""
        return str(self.item(name, part)["blob"]["S"])

    def write_object(self, key: str, body: bytes) -> None:
        self.vault.s3.put_object(Bucket=aws.BUCKET, Key=key, Body=body)

    def restore(self) -> None:
        """Put everything back as it was."""
        there = aws.contents(self.vault.table)
        for item in there:
            if item not in self._items:
                self.vault.remove(item["response_id"]["S"], item["part"]["S"])
        for item in self._items:
            if item not in there:
                self.vault.put(item)
        for key, body in self._objects.items():
            self.write_object(key, body)
        for key in set(self.vault.objects()) - set(self._objects):
            self.vault.s3.delete_object(Bucket=aws.BUCKET, Key=key)

    def _read(self, key: str) -> bytes:
        body: bytes = self.vault.s3.get_object(Bucket=aws.BUCKET, Key=key)["Body"].read()
        return body


def texts(shown: Any) -> Sequence[str]:
    """Return the text of every message."""
    return [part["text"] for item in shown["output"] for part in item.get("content", ())]
