"""OCPP: 1,000 seeded cuts of line, messages, charger, server and process; no transaction message lost, doubled or late.

python -m tools ocpp-cuts                a minute; `make test` does 30
python -m tools ocpp-cuts --cuts 10000
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from tools.run import child

ROOT = Path(__file__).resolve().parent.parent.parent
TEST = "tests/bridge/ocpp/test_cuts.py"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cuts", type=int, default=1000)
    environment = {**os.environ, "EVSE_OCPP_CUTS": str(parser.parse_args().cuts)}
    return child.run([sys.executable, "-m", "pytest", "-q", TEST], cwd=ROOT, env=environment).returncode


if __name__ == "__main__":
    sys.exit(main())
