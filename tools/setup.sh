#!/bin/sh
# Sees to Debian's packages and to the virtual environment: `tools/setup.sh demo` or `tools/setup.sh test`.
# Installs what is missing where it may (root, or sudo that asks nothing), else says the one line to type. Without what
# tools/debian-packages.txt calls essential it ends with 1; without the rest, some tests are skipped.
set -u
cd "$(dirname "$0")/.."
purpose=${1:?demo or test}
python=${PYTHON:-python3}
venv=.venv

fail() {
  wait
  echo "$*" >&2
  exit 1
}

# --- Debian's packages: the list's first group is essential ------------------------------------------------------------

listed() {
  sed -n "$1" tools/debian-packages.txt | sed 's/#.*//'
}

absent() { # a program of that name does, too: Node.js need not be Debian's, and Debian's npm cannot live beside another
  for package in $(listed "$1"); do
    command -v "$package" >/dev/null || dpkg-query -W -f '${Status}\n' "$package" 2>/dev/null | grep -q 'ok installed' || printf '%s ' "$package"
  done
}

known() {
  for package in "$@"; do
    if apt-cache show "$package" >/dev/null 2>&1; then
      printf '%s ' "$package"
    else
      echo "Not offered here: $package; tests that need it are skipped" >&2
    fi
  done
}

install() {
  echo "Installing $*"
  # shellcheck disable=SC2086  # empty, or one word
  [ -n "$updated" ] || $sudo apt-get update -qq </dev/null >/dev/null || echo "apt-get update failed" >&2
  updated=1
  packages=$(known "$@")
  # shellcheck disable=SC2086  # several words
  [ -z "$packages" ] || $sudo env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y -qq --no-install-recommends $packages </dev/null >/dev/null || echo "could not install $packages" >&2
}

say_once() {
  [ -n "$said" ] || echo "$*"
  said=1
}

packages() { # those of a range of the list
  command -v dpkg-query >/dev/null && command -v apt-get >/dev/null || {
    say_once "No apt here: tools/debian-packages.txt lists what to install by hand"
    return
  }
  missing=$(absent "$1")
  [ -n "$missing" ] || return
  if [ "$(id -u)" = 0 ]; then
    sudo=
  elif sudo -n true 2>/dev/null; then
    sudo=sudo
  else
    say_once "To have everything: sudo apt-get install --no-install-recommends $(absent "$needed")"
    return
  fi
  # shellcheck disable=SC2086  # several words
  install $missing
}

essential='1,/^$/p' rest='/^$/,$p'
needed=$essential said='' updated=''
[ "$purpose" = demo ] || needed='1,$p'
packages "$essential"
command -v "$python" >/dev/null || fail "python3 is missing: sudo apt-get install python3 python3-venv"
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
  fail "Python 3.11 or newer is needed; this is $("$python" -V). Another one: make PYTHON=python3.12 ..."
"$python" -c 'import ensurepip, venv' 2>/dev/null || fail "Python's venv is missing: sudo apt-get install python3-venv"
command -v g++ >/dev/null || fail "g++ is missing: sudo apt-get install g++"

# --- the virtual environment: made anew when pyproject.toml has changed -------------------------------------------------

[ "$purpose" = demo ] || packages "$rest" & # while pip works
[ ! "$venv/.installed" -nt pyproject.toml ] || {
  wait
  exit 0
}
echo "Installing the tools into $venv, about 110 packages and a minute ..."
log="$venv/install.log"
by_uv() { # in a fourth of pip's time
  "$venv/bin/pip" install --disable-pip-version-check --no-compile uv &&
    "$venv/bin/uv" pip install --python "$venv/bin/python" --cache-dir .cache/uv --editable '.[dev]'
}
by_pip() { # it knows the mirrors and certificates of this machine's pip.conf
  echo "uv could not install them, which is to be seen in $log; pip takes some minutes"
  "$venv/bin/pip" install --disable-pip-version-check --no-compile --editable '.[dev]' >>"$log" 2>&1
}
"$python" -m venv "$venv" || fail "could not make $venv"
by_uv >"$log" 2>&1 || by_pip || {
  tail -20 "$log" >&2
  fail "The tools could not be installed; the whole log is in $log"
}
touch "$venv/.installed"
wait
