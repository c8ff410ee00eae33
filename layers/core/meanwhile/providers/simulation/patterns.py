"""A short string for a simple regular expression. The expression is never run: it may be hostile."""

import string

_CLASSES = {"d": string.digits, "w": string.ascii_lowercase + string.digits + "_", "s": " "}
_ANY = string.ascii_letters + string.digits + " -_.:/"
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r"}
_MOST = 1000


class NotSimple(Exception):
    """The expression uses something this reader does not know: look-around, back references, properties."""


def example_of(pattern: str, extra: int = 0) -> str:
    """Return a match made of literals, classes, groups, first alternatives and counts.

    What may be repeated is repeated as seldom as it may be, and up to `extra` times more often.

    Raises:
        NotSimple: Where it uses anything else.
    """
    reader = _Reader(pattern, extra)
    text = reader.alternatives()
    if reader.at < len(pattern):
        raise NotSimple(pattern)
    return text


class _Reader:
    def __init__(self, pattern: str, extra: int) -> None:
        self.pattern = pattern
        self.extra = extra
        self.at = 0

    def alternatives(self) -> str:
        """Read `a|b|c`; the first is the example."""
        first = self.sequence()
        while self._peek() == "|":
            self.at += 1
            self.sequence()
        return first

    def sequence(self) -> str:
        """Read pieces until the group or the pattern ends."""
        text = ""
        while (sign := self._peek()) and sign not in "|)":
            text += self._counted(self._piece(self._take()))
            if len(text) > _MOST:
                raise NotSimple(self.pattern)
        return text

    def _piece(self, sign: str) -> str:
        match sign:
            case "^" | "$":
                return ""
            case "(":
                return self._group()
            case "[":
                return self._set()
            case ".":
                return "x"
            case "\\":
                return self._escape()[0]
            case "*" | "+" | "?" | "{":
                raise NotSimple(self.pattern)
        return sign

    def _group(self) -> str:
        if self.pattern.startswith("?:", self.at):
            self.at += 2
        elif self.pattern.startswith("?P<", self.at) or self.pattern.startswith("?<", self.at):
            name, closed, _ = self.pattern[self.at :].partition(">")
            if not closed or not name.lstrip("?P<").isidentifier():
                raise NotSimple(self.pattern)
            self.at += len(name) + 1
        elif self._peek() == "?":
            raise NotSimple(self.pattern)
        text = self.alternatives()
        if self._take() != ")":
            raise NotSimple(self.pattern)
        return text

    def _set(self) -> str:
        negated = self._peek() == "^"
        self.at += negated
        signs = ""
        while (sign := self._take()) != "]" or not signs:
            members = self._escape() if sign == "\\" else sign
            if (
                self._peek() == "-"
                and self.pattern[self.at + 1 : self.at + 2] not in ("]", "")
                and len(members) == 1
            ):
                self.at += 1
                last = self._take()
                last = self._escape() if last == "\\" else last
                members = "".join(map(chr, range(ord(members), min(ord(last[0]), ord(members) + 128) + 1)))
            signs += members
        left = [each for each in _ANY if each not in signs] if negated else list(signs)
        if not left:
            raise NotSimple(self.pattern)
        return left[0]

    def _escape(self) -> str:
        sign = self._take()
        if sign in _CLASSES:
            return _CLASSES[sign]
        if sign.lower() in _CLASSES:
            return "".join(
                each
                for each in _ANY
                if each not in _CLASSES[sign.lower()] + string.ascii_uppercase * (sign == "W")
            )
        if sign in _ESCAPES:
            return _ESCAPES[sign]
        if sign.isalnum():
            raise NotSimple(self.pattern)
        return sign

    def _counted(self, text: str) -> str:
        sign = self._peek()
        if sign not in ("*", "+", "?", "{"):
            return text
        least, most = {"*": ("0", ""), "+": ("1", ""), "?": ("0", "1")}.get(sign) or self._braces()
        self.at += 1
        if self._peek() in ("?", "+"):  # lazy and possessive match the same text
            self.at += 1
        if not least.isdecimal() or len(least) > 4 or len(most) > 9:
            raise NotSimple(self.pattern)
        times = int(least) + self.extra
        return text * (min(times, int(most)) if most else times)

    def _braces(self) -> tuple[str, str]:
        inside, _, _ = self.pattern[self.at + 1 :].partition("}")
        self.at += len(inside) + 1
        least, comma, most = inside.partition(",")
        if most and not most.isdecimal():
            raise NotSimple(self.pattern)
        return least, most if comma else least

    def _peek(self) -> str:
        return self.pattern[self.at : self.at + 1]

    def _take(self) -> str:
        sign = self._peek()
        if not sign:
            raise NotSimple(self.pattern)
        self.at += 1
        return sign
