"""`python -m tools.docs`: the same as `python -m tools docs`."""

import sys

from tools.docs.pages import main

if __name__ == "__main__":
    sys.exit(main())
