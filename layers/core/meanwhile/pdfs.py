"""How many pages a PDF has, as far as its bytes tell. Nothing of it is parsed or decompressed.

An estimate. Page objects are counted where they can be seen: in files of before PDF 1.5, and in many since.
Others keep them in compressed streams; of those the size has to do. A file that was changed and saved may
show a page more than once.
"""

import math
import re

BYTES_A_PAGE = 20_000
"""Of a file whose pages cannot be seen: between typeset text and pages with pictures."""

_PAGE = re.compile(rb"/Type[\0\t\n\f\r ]{0,8}+/Page(?![A-Za-z0-9])")
"""A page object; the tree that holds them is of type `Pages`. A few steps from each place, no more."""


def pages_of(data: bytes) -> int:
    """Return about how many pages there are, one at least; takes time by the length of the file."""
    seen = sum(1 for _ in _PAGE.finditer(data))
    return seen or max(1, math.ceil(len(data) / BYTES_A_PAGE))
