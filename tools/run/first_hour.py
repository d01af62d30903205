"""A newcomer's first hour: every line of README and docs on a fresh Debian, by a normal user, with their times.

    python -m tools first-hour [--suite bookworm] [--packages 'make g++'] [--no-sudo] [--keep] [LINE ...]

Needs root and debootstrap (apt-get install debootstrap). Makes a Debian tree under .cache/first_hour (350 MB, and what
the lines install), clones the committed state of this checkout into it, and runs each LINE of shell there as the user
`builder`, who may use sudo without a password unless `--no-sudo` is given; default: every line of shell in the README
and what the pages under docs add to it, with a simulated charger where they have a real one, and as much of a line as a
computer without a board can do. Prints the seconds, the megabytes and the exit code of each line; ends with 1 if one
failed.
"""

from __future__ import annotations

import argparse
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PLACE = ROOT / ".cache/first_hour"
USER = "builder"
HOME = f"home/{USER}"
PACKAGES = "make"
#: What stands for parts of the lines here.
INSTEAD = {
    "make demo": "make demo ARGS=--once",
    "esphome run evse.yaml": "esphome compile --only-generate evse.yaml",
    "/dev/ttyUSB0": "/tmp/charger",
    "evse-host doctor": "evse-host --port /tmp/charger doctor",
}
#: Each line is a shell of its own; these begin it. A simulated charger is there as long as the line runs.
BEGIN = 'cd esp32evse; export PATH="$HOME/.local/bin:$PATH"'
SIMULATOR = "rm -f /tmp/charger; (evse-host simulate --link /tmp/charger >/dev/null 2>&1 &) ; sleep 3"
#: With mounts and processes of its own, which end with it, also when it is killed.
APART = ("unshare", "--mount", "--pid", "--fork", "--kill-child")
MIRROR = "http://deb.debian.org/debian"
CERTIFICATES = "etc/ssl/certs/ca-certificates.crt"


def make_tree(tree: Path, suite: str, packages: list[str], may_sudo: bool) -> None:
    """A minimal Debian with git, certificates and ``packages``, and the user."""
    shutil.rmtree(tree, ignore_errors=True)
    include = ",".join(["ca-certificates", "git", *packages, *(["sudo"] if may_sudo else [])])
    log = tree.with_suffix(".log")
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("w") as output:
        command = [*APART, "debootstrap", "--variant=minbase", f"--include={include}", suite, str(tree), MIRROR]
        subprocess.run(command, stdout=output, stderr=output, check=True)
    shutil.copy("/etc/resolv.conf", tree / "etc/resolv.conf")
    shutil.copy("/" + CERTIFICATES, tree / CERTIFICATES)  # a network that is inspected has its own
    (tree / "etc/hosts").write_text("127.0.0.1 localhost\n::1 localhost\n")
    (tree / "etc/apt/apt.conf.d/90yes").write_text('APT::Get::Assume-Yes "true";\n')  # nobody is there to answer
    in_tree(tree, "root", f"useradd --create-home --shell /bin/bash {USER}")
    if may_sudo:
        (tree / f"etc/sudoers.d/{USER}").write_text(f"{USER} ALL=(ALL) NOPASSWD: ALL\n")


def in_tree(tree: Path, user: str, line: str, log: Path | None = None) -> int:
    """Runs a line of shell in the tree, apart; returns its exit code."""
    mounts = "mount -t proc proc /proc; mount -t devpts -o ptmxmode=666 devpts /dev/pts; mount -t tmpfs tmpfs /dev/shm"
    # The shell stays: whoever is process 1 has to see to orphans, which su does not.
    inside = f"{mounts}; su - {user} -c {shlex.quote(line)}; exit $?"
    prepare = f"mkdir -p {tree}/dev/shm {tree}/dev/pts && exec chroot {tree} /bin/sh -c {shlex.quote(inside)}"
    command = [*APART, "/bin/sh", "-c", prepare]
    environment = {"PATH": os.environ["PATH"], "TERM": "dumb", "LANG": "C.UTF-8"}
    with (log or Path(os.devnull)).open("w") as output:
        streams = {"stdin": subprocess.DEVNULL, "stdout": output, "stderr": output}
        return subprocess.run(command, **streams, env=environment, check=False).returncode


def lines_of(page: str) -> list[str]:
    """Every line of shell in a page, without its remark, in order; a `cd` counts for the lines after it. Of the
    examples with their output, which run in the tests, those that install."""
    lines, folder = [], ""
    for block in re.findall(r"^```sh\n(.*?)^```$", page, re.MULTILINE | re.DOTALL):
        folder = ""
        for line in block.splitlines():
            command = re.split(r"\s{2,}#", line)[0].strip()
            if command.startswith("cd "):
                folder = f"{command} && "
            elif command:
                lines.append(folder + command)
    return lines + re.findall(r"^ *\$ (pipx install .*?)(?:\s{2,}#.*)?$", page, re.MULTILINE)


def every_line() -> list[str]:
    """The README's lines, then those of the pages under docs that were not there yet."""
    pages = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    return list(dict.fromkeys(line for page in pages for line in lines_of(page.read_text(encoding="utf-8"))))


def played(line: str) -> str:
    """The line as it can be run here."""
    for part, other in INSTEAD.items():
        line = line.replace(part, other)
    simulator = f"{SIMULATOR}; " if "/tmp/charger" in line else ""
    return f"{BEGIN}; {simulator}{line}"


def clone(tree: Path) -> None:
    target = tree / HOME / "esp32evse"
    subprocess.run(["git", "clone", "--quiet", "--no-hardlinks", str(ROOT), str(target)], check=True)
    in_tree(tree, "root", f"chown -R {USER}: /{HOME}")


def megabytes(tree: Path) -> int:
    return int(subprocess.run(["du", "-smx", tree], capture_output=True, text=True, check=True).stdout.split()[0])


def play(tree: Path, line: str, number: int) -> bool:
    """Runs a line and prints its row of the protocol; True if it went well."""
    log = PLACE / f"line-{number}.log"
    before, start = megabytes(tree), time.monotonic()
    certificates = f"export PIP_CERT=/{CERTIFICATES} SSL_CERT_FILE=/{CERTIFICATES}; "
    status = in_tree(tree, USER, certificates + played(line), log)
    took, grown = time.monotonic() - start, megabytes(tree) - before
    last = (log.read_text(errors="replace").strip().splitlines() or [""])[-1]
    print(f"{took:6.0f} s {grown:+6} MB  exit {status}  {line}\n{'':24}{last[:200]}", flush=True)
    return status == 0


def main() -> int:
    parser = argparse.ArgumentParser(description="The lines of README and docs on a fresh Debian, with their times.")
    parser.add_argument("lines", nargs="*", metavar="LINE", help="default: all lines of shell in README and docs")
    parser.add_argument("--suite", default="bookworm", help="Debian's name for the release; default bookworm")
    parser.add_argument("--packages", default=PACKAGES, help=f"what the user has installed; default '{PACKAGES}'")
    parser.add_argument("--no-sudo", action="store_true", help="the user may not install packages")
    parser.add_argument(
        "--keep", action="store_true", help="use the tree of the last run, if there is one, and keep it"
    )
    arguments = parser.parse_args()
    if os.geteuid() != 0 or shutil.which("debootstrap") is None:
        print("needs root and debootstrap: sudo apt-get install debootstrap", file=sys.stderr)
        return 2
    tree = PLACE / arguments.suite
    if not (arguments.keep and tree.is_dir()):
        print(f"Laying out Debian {arguments.suite} ...", flush=True)
        make_tree(tree, arguments.suite, arguments.packages.split(), not arguments.no_sudo)
        clone(tree)
    went_well = [play(tree, line, number) for number, line in enumerate(arguments.lines or every_line())]
    if not arguments.keep:
        shutil.rmtree(tree)
    return 0 if all(went_well) else 1


if __name__ == "__main__":
    sys.exit(main())
