"""`python -m tools.host_docs`: the same as `python -m tools host-docs`."""

import sys

from tools.docs.host_pages import main

if __name__ == "__main__":
    sys.exit(main())
