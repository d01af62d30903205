"""Breaks the component's C++ on purpose, one place after the other, and names what no test has noticed.

    python -m tools mutations [WORD ...]      only those whose description contains a word; half a minute each

The list is tests/native/mutations.py. Exits with 1 if a mutation survives or no longer fits the code.
"""

from __future__ import annotations

import sys

from tests.native import mutations


def main() -> int:
    if {"-h", "--help"} & set(sys.argv[1:]):
        print(__doc__)
        return 0
    return mutations.main()


if __name__ == "__main__":
    sys.exit(main())
