"""Where the client is broken on purpose, so that a test here fails each time: `python -m tools mutations client`."""

from __future__ import annotations

from tests.support.mutation import Mutation

CLIENT = "at_client.cpp"
LINK = "link.cpp"
LINK_H = "link.h"
SCHEDULE = "schedule.cpp"
WISHES = "wishes.cpp"
WISHES_H = "wishes.h"
FRAMER = "line_framer.h"
VALUE = "at_value.cpp"
CHARGING = "charging.cpp"
ENERGY = "energy.cpp"
CADENCE = "cadence.cpp"
UTF8 = "utf8.cpp"

MUTATIONS = (
    # link
    Mutation("RDY: too short a silence", LINK_H, "SETTLE_MS = 1200", "SETTLE_MS = 900"),
    Mutation(
        "RDY: no silence",
        LINK,
        "  this->age_.forget();\n  this->settled_ = false;\n  this->settle_(now);",
        "  this->clear_();",
    ),
    Mutation(
        "life: a loop that stood still changes nothing",
        LINK,
        "  if (!stood_still)\n    return false;",
        "  if (true)\n    return false;",
    ),
    Mutation(
        "life: what waited is fresh", LINK, "this->heard_at_ = this->turn_before_;", "this->heard_at_ = this->turn_at_;"
    ),
    Mutation("life: silence is forgotten", LINK_H, "HEARD_MS = 1500", "HEARD_MS = 150000000"),
    Mutation("life: a young charger is written to", LINK_H, "SETTLED_UPTIME_S = 6", "SETTLED_UPTIME_S = 0"),
    Mutation("uptime: the first odd one is believed", LINK, "if (!expected && !repeated) {", "if (false) {"),
    Mutation(
        "uptime: a missed restart is ignored",
        LINK,
        "return younger ? Verdict::RESTARTED",
        "return false ? Verdict::RESTARTED",
    ),
    Mutation("barrier: any OK proves", LINK, "if (ok && this->named_) {", "if (ok) {"),
    Mutation(
        "barrier: results count before it is sent",
        LINK,
        "      if (this->to_send_)\n        return false;\n",
        "      this->to_send_ = false;\n",
    ),
    Mutation("ERROR: no wait for a second one", LINK_H, "AFTER_ERROR_MS = 20", "AFTER_ERROR_MS = 0"),
    Mutation("silence: never lost", LINK, "    this->silent_commands_++;", "    this->silent_commands_ += 0;"),
    Mutation(
        "trust: a bad line is believed", LINK_H, "this->damaged_ && now - this->damaged_at_ < CAREFUL_MS", "false"
    ),
    Mutation(
        "trust: for ever careful", LINK_H, "this->damaged_ && now - this->damaged_at_ < CAREFUL_MS", "this->damaged_"
    ),
    # wishes
    Mutation(
        "write: success without a read-back", WISHES, "if (matched && (proven", "if ((matched || true) && (proven"
    ),
    Mutation(
        "write: a password is proven by what can be read", WISHES, "(proven || this->acknowledged_)", "(proven || true)"
    ),
    Mutation(
        "write: stored values without a check",
        WISHES,
        "wish.attempt = checks ? Attempt::Step::CHECK",
        "wish.attempt = false ? Attempt::Step::CHECK",
    ),
    Mutation(
        "write: tried for ever", WISHES, "this->sends_ < (this->refused_", "true || this->sends_ < (this->refused_"
    ),
    Mutation("write: never expires", WISHES_H, "WRITE_EXPIRES_MS = 30000", "WRITE_EXPIRES_MS = 300000"),
    Mutation("run: never expires", WISHES_H, "RUN_EXPIRES_MS = 5000", "RUN_EXPIRES_MS = 50000"),
    Mutation("wishes: what stood before is forgotten", WISHES, "      merged.add(rest);\n", ""),
    Mutation(
        "wishes: a pending restart is forgotten",
        WISHES,
        "      this->queue_[i].attempt.check_first();",
        "      (void) 0;",
    ),
    Mutation("pause: the flash is written at any time", WISHES_H, "FLASH_TICKS = 200;", "FLASH_TICKS = 0;"),
    Mutation("pause: a refusal is forgotten", WISHES_H, "REFUSED_TICKS = 20;", "REFUSED_TICKS = 0;"),
    Mutation("kept: noise is believed", WISHES, "  if (repeated)\n    this->prove(value);", "  this->prove(value);"),
    Mutation("kept: lost while it waits", WISHES, "  this->lost_ = true;\n  this->attempt", "  this->attempt"),
    # schedule
    Mutation("lacking: asked again and again", SCHEDULE, "state.failures = RowState::LACKING;", "state.failures = 0;"),
    Mutation("lacking: never asked again", SCHEDULE, "    state.due |= state.is_lacking();\n", ""),
    Mutation("lacking: one ERROR is enough", SCHEDULE, "if (state.failures == DOUBTED) {", "if (false) {"),
    Mutation("subscription: lost and never missed", SCHEDULE, "    lost |= state.patience == 0;\n", ""),
    Mutation(
        "subscription: never repeated",
        SCHEDULE,
        "this->states_[this->renewed_].renew |= this->states_[this->renewed_].subscribed;",
        "",
    ),
    Mutation(
        "start: those of an earlier life stay",
        SCHEDULE,
        "  this->unsubscribes_ = MAX_UNSUBSCRIBES;\n  this->refresh();",
        "  this->refresh();",
    ),
    # client
    Mutation("read: a fact is believed at once", CLIENT, " || command.refresh == Refresh::ONCE;", ";"),
    Mutation(
        "reads: starved by wishes",
        CLIENT,
        "const bool wish_may = !has_job || !this->wish_served_;",
        "const bool wish_may = true;",
    ),
    Mutation("wish: older reads are told while it is pending", CLIENT, "if (waits || (kept", "if ((kept"),
    Mutation(
        "wish: a failure shows nothing",
        CLIENT,
        "if (!held || this->schedule_.row(row).has(UNPROVABLE))\n    this->schedule().read(row);",
        "",
    ),
    Mutation("raw: lines of others, too", CLIENT, "!pushed || may_answer(", "!pushed || true || may_answer("),
    Mutation(
        "restart: the first RDY is one", CLIENT, "this->met_ ? Restart::READY : Restart::FIRST_READY", "Restart::READY"
    ),
    Mutation("session: zeros before the state forget the last value", CHARGING, "if (value == 0)", "if (false)"),
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
    Mutation("values: a missing field passes", VALUE, "if (*text == '\\0' && optional)", "if (*text == '\\0')"),
    Mutation("values: rubbish behind a field passes", VALUE, " || (*text != '\\0' && *text != ','))", ")"),
    Mutation(
        "argument: a backslash is not escaped", VALUE, "text[i] == '\"' || text[i] == '\\\\')\n", "text[i] == '\"')\n"
    ),
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
    Mutation("session: a lost digit counts", CHARGING, "if (!continues)", "if (false)"),
    Mutation("session: a lost digit is a fall", CHARGING, "= value < this->value_;", "= this->latest_ < value;"),
    Mutation("session: any last value is believed", CHARGING, "value - this->value_ <= most", "true"),
    Mutation("session: no last value is believed", CHARGING, "value - this->value_ <= most", "value == this->value_"),
    Mutation("session: the total is not asked", CHARGING, "this->stored_ <= watt_hours &&", "false &&"),
    Mutation("session: it waits for ever", CHARGING, "now - this->ended_at_ < END_WAITS_MS", "true"),
    Mutation(
        "session: a late energy spoils what is stored", CHARGING, "std::min(this->stored_, watt_hours", "(watt_hours"
    ),
    Mutation("session: a missed end is missed", CHARGING, "(this->energy_.fell() || this->duration_.fell())", "false"),
    Mutation("lifetime: believed at once", ENERGY, "if (!this->agree_(before, reading))", "if (before.total == NONE)"),
    Mutation("lifetime: a lost digit counts", ENERGY, "return !fell || ", "return true || "),
    Mutation("lifetime: a damaged session counts", ENERGY, "std::max(a, b) - std::min(a, b) > MISMATCH_WH", "false"),
    Mutation("lifetime: a damaged uptime counts", ENERGY, " && seconds - this->uptime_ <= UPTIME_STEP_S", ""),
    Mutation("lifetime: one uptime is enough", ENERGY, "this->uptimes_ < 2", "this->uptimes_ < 1"),
    Mutation("lifetime: a reset stays armed", ENERGY, "  this->reset_ = false;\n", ""),
    Mutation("lifetime: a reset begins with the session", ENERGY, "-static_cast<int64_t>(now.session)", "0"),
    Mutation("lifetime: a reset elsewhere is a restart", ENERGY, "now.stored() + SMALL_WH < stored &&", "false &&"),
    Mutation("lifetime: a restart is a reset", ENERGY, "now.stored() + SMALL_WH < stored &&", "true ||"),
    Mutation("lifetime: a restart takes the session", ENERGY, "this->memory_.offset +=", "this->memory_.offset -="),
    Mutation("lifetime: past the old mark is no restart", ENERGY, "if (now.uptime >= last.uptime)", "if (true)"),
    Mutation(
        "lifetime: a session that ended counts twice",
        ENERGY,
        "gained < last.total - now.stored()",
        "gained < UINT64_MAX",
    ),
    Mutation("lifetime: silence leaves old readings", ENERGY, "  this->uptimes_ = 0;\n", ""),
    Mutation("cadence: equal values are swallowed", CADENCE, "  if (this->lingers_ || (", "  if (value == before || ("),
    Mutation("cadence: the value before a turn is lost", CADENCE, "return turn ? ", "return false ? "),
    Mutation("cadence: noise makes steps", CADENCE, "this->is_step_(before) && ", ""),
    Mutation("cadence: steps wait", CADENCE, "cadence.steps && ", "false && "),
    Mutation("cadence: a held value is forgotten", CADENCE, "if (!this->held_ || ", "if (true || "),
    Mutation("cadence: a counter's end is not seen", CADENCE, "turn && untold && cadence.counts", "false"),
    Mutation("text: overlong forms pass", UTF8, "lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80", "0x80"),
    Mutation("text: surrogates pass", UTF8, "lead == 0xED ? 0x9F : ", ""),
    Mutation("text: a character is cut", UTF8, "if (this->length_ + size > MAX_LENGTH)", "if (this->length_ > 125)"),
    Mutation(
        "status: charging waits for authorization",
        CHARGING,
        "is_session(situation.state) && !is_charging(situation.state)",
        "is_session(situation.state)",
    ),
)
