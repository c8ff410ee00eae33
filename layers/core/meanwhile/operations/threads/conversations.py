"""Conversations: make, find, describe, branch, list and delete them."""

import logging
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice

from meanwhile.domain.attempt import Making
from meanwhile.domain.errors import (
    ConversationNotFound,
    InvalidRequest,
    OwnerDeleted,
    Unavailable,
    VersionConflict,
)
from meanwhile.domain.ids import new_id
from meanwhile.domain.paths import CONVERSATION, Path, Stretch
from meanwhile.domain.threads import About, NewItem, ThreadHead
from meanwhile.operations.threads.make import Make
from meanwhile.storage.stores import Threads

logger = logging.getLogger(__name__)

_LOOKED_AT = 1_000
"""Conversations that one call looks at for those that were asked for."""
_ROWS_A_QUERY = 100
_TRIES = 3
_LONGEST_CURSOR, _MILLIS_DIGITS = 100, 15
_BURIED_AT_ONCE = 500
"""Parts that a delete removes itself; the sweeper sees to the rest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversation:
    """A conversation as its owner sees it. Times are seconds since 1970."""

    id: str
    about: About
    active_at: float
    parent: Stretch | None = None
    """Of a branch: what it branched off, and before which position; in lists it is left out."""
    running: str | None = None
    """The response that runs in it, as far as is known."""

    @classmethod
    def of(cls, head: ThreadHead, about: About) -> "Conversation":
        """Return what its two parts amount to."""
        return cls(
            id=head.id, about=about, active_at=head.active_at, parent=head.path.parent, running=head.lock
        )

    @property
    def created_at(self) -> float:
        """When it was made."""
        return self.about.created_at


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which conversations to list. Times are of their last activity; `until` is excluded."""

    tag: str | None = None
    metadata: Mapping[str, str] | None = None
    since: float | None = None
    until: float | None = None

    def fits(self, about: About) -> bool:
        """Whether what is said about one is what was asked for."""
        if self.tag is not None and self.tag not in about.tags:
            return False
        return all(about.metadata.get(name) == value for name, value in (self.metadata or {}).items())

    def in_millis(self) -> "Wanted":
        """Return the same in whole milliseconds, as activity has them."""
        return replace(self, since=_whole_millis(self.since), until=_whole_millis(self.until))

    @property
    def filters(self) -> bool:
        """Whether rows may be passed over."""
        return self.tag is not None or bool(self.metadata)


@dataclass(frozen=True, slots=True)
class ConversationPage:
    """A page of a list; `cursor` is where to go on, shown or not, if there is more."""

    rows: list[Conversation]
    cursor: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversations:
    """Whoever is not the owner of a conversation is told what a stranger to its id is told."""

    threads: Threads
    make: Make
    now: Callable[[], float]

    def create(
        self,
        owner: str,
        *,
        items: Sequence[NewItem] = (),
        title: str | None = None,
        tags: Sequence[str] = (),
        metadata: Mapping[str, str] | None = None,
        pinned: Sequence[str] = (),
        making: Making | None = None,
    ) -> Conversation:
        """Make a conversation, with its first items already in it; `making` is the one that a key names.

        Raises:
            OwnerDeleted: The owner's key is destroyed.
            SlotTaken: Only with `making`: it has been made.
        """
        making = making or _new()
        about = About(title=title, tags=tuple(tags), metadata=metadata or {}, pinned=tuple(pinned))
        made = self.make(owner, Path.root(making.id), about, items, before=0, asked=making.asked)
        return Conversation.of(*made)

    def get(self, owner: str, conversation_id: str) -> Conversation:
        """Return a conversation: one call.

        Raises:
            ConversationNotFound: Not there, not theirs, or deleted.
        """
        return Conversation.of(*self.known(owner, conversation_id))

    def known(self, owner: str, conversation_id: str) -> tuple[ThreadHead, About]:
        """Return head and description of a conversation, in one call.

        Raises:
            ConversationNotFound: As above.
        """
        try:
            found = self.threads.heads.conversation(owner, conversation_id)
        except OwnerDeleted as error:
            raise ConversationNotFound(conversation_id) from error
        if found is None:
            raise ConversationNotFound(conversation_id)
        return found

    def update(
        self,
        owner: str,
        conversation_id: str,
        change: Callable[[About], About],
        *,
        version: int | None = None,
    ) -> Conversation:
        """Change title, tags or metadata, at most once; with `version` only if it stands at that version.

        Without it, the change is made anew to what somebody else has changed at the same moment.

        Raises:
            ConversationNotFound: As above.
            VersionConflict: Somebody else has changed it since; without `version`, again and again.
        """
        for tries_left in reversed(range(_TRIES if version is None else 1)):
            head, about = self.known(owner, conversation_id)
            if version is not None and version != about.version:
                raise VersionConflict(version, about.version)
            changed = replace(change(about), version=about.version + 1, created_at=about.created_at)
            if self.threads.heads.update_about(head, changed):
                return Conversation.of(head, changed)
            if not tries_left:
                _, there = self.known(owner, conversation_id)
                raise VersionConflict(about.version, there.version)
        raise AssertionError("the last try returns or raises")

    def fork(
        self,
        owner: str,
        conversation_id: str,
        *,
        at: int,
        items: Sequence[NewItem] = (),
        pinned: Sequence[str] | None = None,
        making: Making | None = None,
    ) -> Conversation:
        """Branch off a conversation before position `at`: nothing is copied but what is said about it.

        `pinned` are those that are still in it; `None` means all. `making` is the one that a key names.

        Raises:
            ConversationNotFound: As above.
            SlotTaken: Only with `making`: it has been made.
        """
        head, about = self.known(owner, conversation_id)
        making = making or _new()
        if pinned is not None:
            about = replace(about, pinned=tuple(pinned))
        before = head.tokens if at <= head.tip else None
        branch = head.path.branch(making.id, at)
        made = self.make(owner, branch, about, items, before=before, asked=making.asked)
        return Conversation.of(*made)

    def delete(self, owner: str, conversation_id: str) -> None:
        """Delete a conversation with its items; of a long one the sweeper removes the rest.

        From the first write on nobody finds it; what branches share with it is gone once its parts are. If
        more cannot be written now, all the rest is the sweeper's.

        Raises:
            ConversationNotFound: As above.
        """
        now = self.now()
        if not self.threads.heads.mark_deleted(conversation_id, now=now, owner=owner):
            raise ConversationNotFound(conversation_id)
        try:
            self.threads.burial.bury(conversation_id, now=now, at_most=_BURIED_AT_ONCE)
        except Unavailable:
            logger.warning("the sweeper removes it", extra={"conversation": conversation_id})

    def list(
        self,
        owner: str,
        *,
        wanted: Wanted | None = None,
        cursor: str | None = None,
        limit: int = 20,
    ) -> ConversationPage:
        """Return up to `limit` conversations, latest activity first: one query of the index, one batch read.

        With filters there may be more of both, and fewer rows, even none, if too many others stand between.

        Raises:
            InvalidRequest: `cursor` is none that a page before has named.
        """
        wanted = (wanted or Wanted()).in_millis()
        behind = _from_cursor(cursor)
        since = wanted.since or 0
        if wanted.until is not None and behind and behind[0] >= wanted.until:
            behind = None  # all that is wanted stands behind it
        if (wanted.until is not None and wanted.until <= since) or (behind and behind[0] < since):
            return ConversationPage([], None)
        try:
            return self._page(owner, wanted, behind, limit)
        except OwnerDeleted:
            return ConversationPage([], None)

    def _page(
        self, owner: str, wanted: Wanted, behind: tuple[float, str] | None, limit: int
    ) -> ConversationPage:
        page = _ROWS_A_QUERY if wanted.filters else min(limit + 1, _ROWS_A_QUERY)
        places = self.threads.heads.of_owner(
            owner, behind=behind, since=wanted.since, until=wanted.until, page=page
        )
        rows: list[Conversation] = []
        last: tuple[float, str] | None = None
        for chunk in _chunks(islice(places, _LOOKED_AT), page):
            abouts = self.threads.heads.abouts(owner, [thread for _, thread in chunk])
            for active_at, thread in chunk:
                about = abouts.get(thread)
                if about is not None and wanted.fits(about):
                    if len(rows) == limit:
                        return ConversationPage(rows, _to_cursor(rows[-1].active_at, rows[-1].id))
                    rows.append(Conversation(id=thread, about=about, active_at=active_at))
                last = (active_at, thread)
        more = next(places, None) is not None
        return ConversationPage(rows, _to_cursor(*last) if more and last else None)


def _new() -> Making:
    """Return what is made without a key."""
    return Making(id=new_id(CONVERSATION))


def _chunks(places: Iterator[tuple[float, str]], size: int) -> Iterator[list[tuple[float, str]]]:
    while chunk := list(islice(places, size)):
        yield chunk


def _whole_millis(seconds: float | None) -> float | None:
    return None if seconds is None else math.ceil(round(seconds * 1000, 2)) / 1000


def _to_cursor(active_at: float, thread: str) -> str:
    return f"{round(active_at * 1000)}-{thread}"


def _from_cursor(cursor: str | None) -> tuple[float, str] | None:
    if cursor is None:
        return None
    millis, _, thread = cursor.partition("-")
    could_be = len(cursor) <= _LONGEST_CURSOR and millis.isdecimal() and len(millis) <= _MILLIS_DIGITS
    if not (could_be and thread.startswith(f"{CONVERSATION}_")):
        raise InvalidRequest(
            "This is no cursor of a list of conversations.", param="after", code="invalid_value"
        )
    return int(millis) / 1000, thread
