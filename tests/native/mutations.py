"""Breaks the C++ on purpose, one place after the other, and sees that some test fails each time.

    python -m tests.native.mutations [WORD ...]      only those whose description contains a word; half a minute each

Exits with 1 if a mutation survives or no longer fits the code.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from tests.native.harness import COMPONENT, HEADERS, ROOT, SOURCES


@dataclass(frozen=True)
class Mutation:
    """`old`, which stands exactly once in `file`, becomes `new`."""

    what: str
    file: str
    old: str
    new: str


CLIENT_H = "at_client.h"
CLIENT = "at_client.cpp"
FRAMER = "line_framer.h"
VALUE = "at_value.cpp"
CHARGING = "charging.cpp"

SURVIVES = "survives"

MUTATIONS = (
    Mutation(
        "session: a value counts before the next one",
        CHARGING,
        "last == 0 ? value : last;",
        "value;",
    ),
    Mutation("session: the last value counts whatever it is", CHARGING, "value_ <= LAST_STEP", "value_ <= 100000"),
    Mutation("session: zeros before the state forget the last value", CHARGING, "if (value == 0)", "if (false)"),
    Mutation("heartbeat: waits for no push", CLIENT, "heard * EARLY_MS", "(heard || true) * EARLY_MS"),
    Mutation("heartbeat: in the middle between two pushes", CLIENT, "heard * EARLY_MS", "(heard && false) * EARLY_MS"),
    Mutation("subscription: never repeated", CLIENT, "flags |= SUB_CHANGED;  // a digit", "flags |= DUE;  // a digit"),
    Mutation("subscription: always the first one is repeated", CLIENT, "(this->renewed_ + 1) %", "1 %"),
    Mutation("text: an empty one is sent", "at_value.cpp", "length - 1 >= MAX_STRING", "length > MAX_STRING"),
    Mutation(
        "value: an unknown form is asked for every second",
        CLIENT,
        "if ((state.flags & UNSUPPORTED) == 0)  // else",
        "if (true)  // else",
    ),
    Mutation("RDY: too short a silence", CLIENT_H, "SETTLE_MS = 1200", "SETTLE_MS = 900"),
    Mutation(
        "RDY: no silence", CLIENT, "this->set_state_(State::SETTLING);\n  }\n  for", "this->resync_();\n  }\n  for"
    ),
    Mutation(
        "RDY: subscriptions are believed to last", CLIENT, "SUBSCRIBED | SUB_REFUSED | UNSUPPORTED", "UNSUPPORTED"
    ),
    Mutation(
        "RDY: echo is believed to stay off", CLIENT, "this->echo_off_ = true;\n  if (ready_line)", "if (ready_line)"
    ),
    Mutation(
        "RDY: a pending write is sent blindly", CLIENT, "state.flags |= VERIFY_WANTED | CHECK_FIRST;\n  }\n", "}\n"
    ),
    Mutation("RDY: everything is put back, not only live settings", CLIENT, "this->rows_[row].has(LIVE) && ", ""),
    Mutation("RDY: a failed wish is put back", CLIENT, "state.wanted = NO_VALUE;", ""),
    Mutation("safe: writes without knowing the uptime", CLIENT, "if (!this->safe_) {", "if (!this->online_) {"),
    Mutation("safe: silence is forgotten", CLIENT_H, "HEARD_MS = 1500", "HEARD_MS = 150000000"),
    Mutation("safe: a young charger is written to", CLIENT_H, "SETTLED_UPTIME_S = 6", "SETTLED_UPTIME_S = 0"),
    Mutation(
        "safe: it has settled once and for all", CLIENT, "this->safe_ = this->settled_ = false", "this->safe_ = false"
    ),
    Mutation("uptime: the first odd one is believed", CLIENT, "if (!this->uptime_doubted_) {", "if (false) {"),
    Mutation("uptime: a missed restart is ignored", CLIENT, "this->on_reboot_(false);", "uptime = expected;"),
    Mutation("read: an OK without value is enough", CLIENT, "Outcome::OK && this->answered_;", "Outcome::OK;"),
    Mutation(
        "read: one ERROR makes unsupported", CLIENT, "} else if ((flags & DOUBTED) == 0) {", "} else if (false) {"
    ),
    Mutation("read: noise makes unsupported", CLIENT, "if ((flags & KNOWN) == 0)", "if (true)"),
    Mutation(
        "read: unsupported is said again and again",
        CLIENT,
        "} else if ((flags & UNSUPPORTED) != 0) {",
        "} else if (false) {",
    ),
    Mutation(
        "read: unsupported is never asked again", CLIENT, "(flags & (UNSUPPORTED | SUB_REFUSED)) != 0)\n", "false)\n"
    ),
    Mutation("read: a fact is believed at once", CLIENT, "&& state.wanted != this->digest_", "&& false"),
    Mutation("read: a fact's digest is a number's", CLIENT, "if (command.refresh != Refresh::ONCE)\n", ""),
    Mutation("list: complete without its last lines", CLIENT, "on_lines_end(row, complete)", "on_lines_end(row, true)"),
    Mutation(
        "list: lines that nobody asked for", CLIENT, "command.refresh >= Refresh::ONCE && asked == Task::NONE", "false"
    ),
    Mutation(
        "barrier: none after a time-out",
        CLIENT,
        "  this->set_state_(State::CLEARING);\n}\n\nvoid AtClient::on_reboot_",
        "  this->set_state_(State::READY);\n}\n\nvoid AtClient::on_reboot_",
    ),
    Mutation("barrier: any OK proves", CLIENT, "if (ok && this->answered_) {", "if (ok) {"),
    Mutation("barrier: no wait for late results", CLIENT_H, "QUIET_MS = 40;", "QUIET_MS = 0;"),
    Mutation("ERROR: no wait for a second one", CLIENT_H, "AFTER_ERROR_MS = 20", "AFTER_ERROR_MS = 0"),
    Mutation(
        "two commands in flight",
        CLIENT,
        "  if (this->task_ != Task::NONE) {\n    if (expired)",
        "  if (this->task_ != Task::NONE && expired) {\n    if (expired)",
    ),
    Mutation("write: success without a read-back", CLIENT, "if (this->matched_ && proven)", "if (proven)"),
    Mutation(
        "write: stored values without a check",
        CLIENT,
        "== STORED)\n    state.flags |= VERIFY_WANTED | CHECK_FIRST;",
        "== STORED)\n    state.flags |= 0;",
    ),
    Mutation(
        "write: stored texts without a check",
        CLIENT,
        "if (provable == slot->length)\n    state.flags",
        "if (false)\n    state.flags",
    ),
    Mutation(
        "write: older reads are told while it is pending",
        CLIENT,
        "if ((state.flags & PENDING) == 0) {\n    if",
        "if (true) {\n    if",
    ),
    Mutation(
        "write: what was seen matches the newer wish, too",
        CLIENT,
        "this->task_ = Task::READ;  // its",
        "this->matched_ |= false;  // what has",
    ),
    Mutation("write: a password is proven by what can be read", CLIENT, " || (state.flags & ACKED) != 0;", " || true;"),
    Mutation(
        "write: an older OK serves a newer password",
        CLIENT,
        "outcome != Outcome::SILENCE && (flags & WRITE_WANTED) == 0",
        "outcome != Outcome::SILENCE",
    ),
    Mutation(
        "write: the begin of a text is enough",
        CLIENT,
        "(text[slot->provable] == '\\0' || text[slot->provable] == ',')",
        "true",
    ),
    Mutation("write: tried for ever", CLIENT, "(state.flags & SENDS) < limit", "(state.flags & SENDS) <= limit"),
    Mutation("write: refused once is enough", CLIENT_H, "MAX_REFUSALS = 2", "MAX_REFUSALS = 1"),
    Mutation("write: never expires", CLIENT_H, "WRITE_EXPIRES_MS = 30000", "WRITE_EXPIRES_MS = 300000"),
    Mutation(
        "write: a failure shows nothing",
        CLIENT,
        "    state.flags |= DUE;  // publishes",
        "    state.flags |= 0;  // publishes",
    ),
    Mutation(
        "write: the clock stands while it waits",
        CLIENT,
        "state.wanted + (command.has(CLOCK) ?",
        "state.wanted + (false ?",
    ),
    Mutation(
        "write: an unprovable one is repeated",
        CLIENT,
        "if (this->rows_[row].has(UNPROVABLE))\n    this->end_request_(row, answered",
        "if (false)\n    this->end_request_(row, answered",
    ),
    Mutation(
        "run: repeated after silence",
        CLIENT,
        "this->end_request_(row, answered_end(outcome));\n      break;",
        "this->states_[row].flags |= outcome == Outcome::OK ? 0 : RUN_WANTED;\n      break;",
    ),
    Mutation("run: never expires", CLIENT_H, "RUN_EXPIRES_MS = 5000", "RUN_EXPIRES_MS = 50000"),
    Mutation(
        "run: the second waits from the end of the first",
        CLIENT,
        "if ((state.flags & RUN_WANTED) == 0)  // else it was asked for again",
        "// else it was asked for again",
    ),
    Mutation(
        "late answer: what it told stays",
        CLIENT,
        "this->next_poll_ = this->now_ + REPAIR_DELAY_MS;  // a late",
        "// a late",
    ),
    Mutation(
        "facts: believed unasked",
        CLIENT,
        "if (command.refresh >= Refresh::ONCE && asked == Task::NONE)",
        "if (command.has(LINES) && asked == Task::NONE)",
    ),
    Mutation(
        "facts: subscribed to",
        CLIENT,
        "if (this->rows_[row].refresh >= Refresh::ONCE)\n    return;  // there is",
        "// there is",
    ),
    Mutation("raw: never expires", CLIENT, "since(this->raw_stamp_, this->now_) > RUN_EXPIRES_MS", "false"),
    Mutation("silence: offline too late", CLIENT_H, "SILENT_COMMANDS_OFFLINE = 3", "SILENT_COMMANDS_OFFLINE = 4"),
    Mutation("silence: no back-off", CLIENT, "CLEAR_TIMEOUT_MS * (this->silent_commands_ + 1)", "CLEAR_TIMEOUT_MS"),
    Mutation(
        "silence: not refreshed afterwards",
        CLIENT,
        "    this->refresh();\n    this->listener_->on_online(true);",
        "    this->listener_->on_online(true);",
    ),
    Mutation(
        "subscription: lost and never missed",
        CLIENT,
        "this->change_all_(SUBSCRIBED, 0);  // what",
        ";  // what",
    ),
    Mutation(
        "subscription: only the one that is missed is renewed",
        CLIENT,
        "this->change_all_(SUBSCRIBED, 0);  // what",
        "state.flags &= ~SUBSCRIBED;  // what",
    ),
    Mutation("subscription: a slow one is missed too late", CLIENT, "limit = STALE_MS;", ""),
    Mutation(
        "subscription: the meter stays slow", CLIENT, "this->change_all_(0, SUB_CHANGED, 1", "this->change_all_(0, 0, 1"
    ),
    Mutation("subscription: refused for ever", CLIENT, "| SUB_REFUSED | SUB_CHANGED;", "| SUB_REFUSED;"),
    Mutation(
        "subscription: forgotten instead of stopped",
        CLIENT,
        "period - 1 < MAX_WATCHED_PERIOD_MS",
        "period <= MAX_WATCHED_PERIOD_MS",
    ),
    Mutation("subscription: automatic ones come back", CLIENT, "this->automatic_ = false;", ""),
    Mutation(
        "damage: not repaired",
        CLIENT,
        "    this->next_poll_ = this->now_ + REPAIR_DELAY_MS;\n}",
        "    this->now_ += 0;\n}",
    ),
    Mutation("echo: not noticed", CLIENT, 'strncmp(line, "AT", 2) == 0', "false"),
    Mutation(
        "automation: enters the client twice",
        CLIENT,
        "    return;  // asked for by a listener",
        "    this->entered_ = true;  // asked for by a listener",
    ),
    Mutation(
        "clock: a deadline does not wrap around", CLIENT, "static_cast<int32_t>(now - deadline) >= 0", "now >= deadline"
    ),
    Mutation(
        "clock: a stamp does not wrap around", CLIENT, "static_cast<uint16_t>(stamp(now) - then)", "(stamp(now) - then)"
    ),
    Mutation(
        "framer: the tail of a long line is one",
        FRAMER,
        "|| this->next_ >= MAX_LINE) {\n      this->damaged_ = true;",
        "|| this->next_ >= MAX_LINE) {\n      this->next_ = 0;",
    ),
    Mutation("framer: control bytes pass", FRAMER, "byte < 0x20 || byte == 0x7F ||", ""),
    Mutation("framer: the NUL behind RDY spoils a line", FRAMER, "if (byte == 0 && this->next_ == 0)", "if (false)"),
    Mutation("values: 64 bits wrap around", VALUE, "value >> 32 > UINT32_MAX / 10 || next < value", "false"),
    Mutation(
        "values: narrow types take anything",
        VALUE,
        "value >> 32 != 0 || low > UINT32_MAX >> missing_bits(letter)",
        "false",
    ),
    Mutation("values: what is not UTF-8 passes", VALUE, "*byte = '?';", ";"),
    Mutation("values: a missing field passes", VALUE, "if (*text == '\\0' && optional)", "if (*text == '\\0')"),
    Mutation("values: rubbish behind a field passes", VALUE, " || (*text != '\\0' && *text != ','))", ")"),
    Mutation(
        "argument: a backslash is not escaped", VALUE, "text[i] == '\"' || text[i] == '\\\\')\n", "text[i] == '\"')\n"
    ),
    Mutation("argument: 32 bytes", VALUE, "length - 1 >= MAX_STRING", "length - 1 > MAX_STRING"),
    Mutation("argument: control bytes pass", VALUE, "if (is_control(text[i]))\n      this->ok_ = false;", ""),
    Mutation("raw: small letters are harmless", VALUE, "upper(*name++) != *command++", "*name++ != *command++"),
    Mutation("raw: a second command passes", VALUE, "upper(text[end + 1]) == 'A'", "false"),
    Mutation("raw: line ends pass", VALUE, 'return "it holds a line end or control byte";', "end = i;"),
    Mutation(
        "session: the first state is an event",
        CHARGING,
        "    this->active_ = session;\n    return NOTHING;",
        "    this->active_ = false;",
    ),
    Mutation("session: a lost digit counts", CHARGING, "if (value < last)", "if (false)"),
    Mutation(
        "session: values may not be far apart",
        CHARGING,
        "if (value < last)",
        "if (value < last || (last != 0 && value - last > 1000))",
    ),
    Mutation("session: a lost digit is a fall", CHARGING, "= value < this->value_", "= last < this->value_"),
    Mutation("session: a missed end is missed", CHARGING, "(this->energy_.fell() || this->duration_.fell())", "false"),
    Mutation("lifetime: believed at once", CHARGING, "reset ? total : this->last_;", "total;"),
    Mutation("lifetime: the first one waits", CHARGING, " || this->memory_.shown == NONE)", ")"),
    Mutation("lifetime: a spike serves for a reset", CHARGING, " && total < this->memory_.shown;", ";"),
    Mutation("lifetime: a lost digit counts", CHARGING, "if (total < believed)", "if (false)"),
    Mutation("lifetime: what follows a lost digit proves it", CHARGING, "total - believed > TOLERANCE_WH ||", ""),
    Mutation("lifetime: a reset serves for ever", CHARGING, "this->reset_expected_ = false;", ";"),
    Mutation(
        "lifetime: a restart's fall is shown", CHARGING, "believed + TOLERANCE_WH >= this->memory_.stored", "false"
    ),
    Mutation(
        "lifetime: a reset elsewhere is not shown", CHARGING, "believed + TOLERANCE_WH >= this->memory_.stored", "true"
    ),
    Mutation(
        "status: charging waits for authorization",
        CHARGING,
        "is_session(situation.state) && !is_charging(situation.state)",
        "is_session(situation.state)",
    ),
)


def survives(mutation: Mutation) -> str | None:
    """Why this mutation is a problem, or None if a test has failed because of it."""
    with tempfile.TemporaryDirectory() as directory:
        for name in (*HEADERS, *SOURCES):
            shutil.copy(COMPONENT / name, directory)
        path = Path(directory, mutation.file)
        text = path.read_text()
        if text.count(mutation.old) != 1:
            return f"does not fit the code any more: {text.count(mutation.old)} times {mutation.old!r}"
        path.write_text(text.replace(mutation.old, mutation.new))
        command = [sys.executable, "-m", "pytest", "-q", "-x", "--tb=line", "-p", "no:randomly", "tests/native"]
        environment = {**os.environ, "EVSE_COMPONENT": directory}
        result = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    if result.returncode == 1 and "BuildError" not in result.stdout:
        return None
    return "does not compile:\n" + result.stdout[-2000:] if "BuildError" in result.stdout else SURVIVES


def main() -> int:
    words = sys.argv[1:]
    problems = 0
    if survives(Mutation("nothing is broken", CLIENT, "#include <cstring>", "#include  <cstring>")) != SURVIVES:
        sys.exit("the tests fail without any mutation")
    for mutation in MUTATIONS:
        if words and not any(word in mutation.what for word in words):
            continue
        problem = survives(mutation)
        problems += problem is not None
        print(f"{mutation.what}: {problem or 'found'}", flush=True)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
