"""What can be wrong with a template or a machine, said in one line.

LocalStackError             the stack cannot start; the message says what to change
├── Unresolvable            an intrinsic function that has no value here
├── NotSupported            the template asks for something that this stack does not do
└── PortInUse               somebody else listens on the gateway's port
Throttled                   no execution is free (Lambda's TooManyRequestsException)
"""


class LocalStackError(Exception):
    """The stack cannot start; the message says what to change."""


class Unresolvable(LocalStackError):
    """An intrinsic function that has no value here; the message names the resource and the property."""


class NotSupported(LocalStackError):
    """The template asks for something that this stack does not do."""


class PortInUse(LocalStackError):
    """Somebody else listens on the gateway's port."""


class Throttled(Exception):
    """No execution of the function is free: Lambda's TooManyRequestsException."""
