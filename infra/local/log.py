"""What the local stack says: one line per request and invocation, and what functions print."""

import asyncio

from infra.local.children import Child


class Log:
    """Writes to standard output; lines of functions carry their name."""

    def __init__(self) -> None:
        self._followers: set[asyncio.Task[None]] = set()

    def line(self, text: str) -> None:
        """Say one line at once."""
        print(text, flush=True)

    def follow(self, name: str, child: Child) -> None:
        """Repeat what a process prints, for as long as it prints."""
        follower = asyncio.create_task(self._repeat(name, child.output))
        self._followers.add(follower)
        follower.add_done_callback(self._followers.discard)

    async def _repeat(self, name: str, output: asyncio.StreamReader) -> None:
        while True:
            try:
                text = await output.readline()
            except ValueError:  # a line beyond the reader's limit; asyncio has dropped it
                self.line(f"{name} | (a line of more than 1 MB)")
                continue
            if not text:
                return
            self.line(f"{name} | {text.decode(errors='replace').rstrip()}")


log = Log()
