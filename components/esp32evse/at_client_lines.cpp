// What the charger says: a line is a result, a value, a start; and what of it is believed.

#include <cstring>

#include "at_client.h"

namespace esphome::esp32evse {

void AtClient::receive(const uint8_t *data, size_t length, uint32_t now) {
  this->now_ = now;
  for (size_t i = 0; i < length; i++) {
    const LineFramer::Event event = this->framer_.feed(data[i]);
    if (event == LineFramer::Event::LINE) {
      this->on_line_(this->framer_.line(), this->framer_.length());
    } else if (event == LineFramer::Event::DAMAGED) {
      this->on_damage_();
    }
  }
}

void AtClient::on_line_(char *line, size_t length) {
  const bool ok = strcmp(line, "OK") == 0;
  if (ok || strcmp(line, "ERROR") == 0) {
    this->on_result_(ok);
  } else if (strcmp(line, "RDY") == 0) {
    this->on_ready_line_();
  } else if (line[0] == '+' && strchr(line, '=') != nullptr) {
    this->on_value_line_(line, length);
  } else if (this->is_raw_()) {
    this->listener_->on_raw_line(line, length);
  } else if (line[0] == '~' || strncmp(line, "AT", 2) == 0) {
    this->schedule_.switch_echo_off();  // somebody switched the echo on
    this->work_ = true;
  } else {
    this->on_damage_();
  }
}

void AtClient::on_value_line_(char *line, size_t length) {
  char *equals = strchr(line, '=');
  *equals = '\0';
  const char *name = line + 1;
  this->link_.on_value_line(name);
  const uint8_t row = this->find_row_(name);
  if (this->is_raw_line_(row, name)) {
    *equals = '=';
    this->listener_->on_raw_line(line, length);
    *equals = '\0';
  }
  if (row != NO_ROW)
    this->on_row_values_(row, equals + 1);
}

/// The row whose value lines have this name, or NO_ROW.
uint8_t AtClient::find_row_(const char *name) const {
  for (uint8_t row = 0; row < this->row_count(); row++) {
    if (strcmp(name, this->schedule_.row(row).answer) == 0)
      return row;
  }
  return NO_ROW;
}

/// Of the raw command in flight, and no push of another value.
bool AtClient::is_raw_line_(uint8_t row, const char *name) {
  if (!this->is_raw_())
    return false;
  const bool pushed = row != NO_ROW && this->schedule_.state(row).subscribed;
  return !pushed || may_answer(name, this->wishes_.text_of(*this->wishes_.in_flight()));
}

void AtClient::on_row_values_(uint8_t row, char *text) {
  const CommandRow &command = this->schedule_.row(row);
  const bool answers = this->asks_(row);
  if (command.is_only_answered() && !answers)
    return;  // never pushed
  const uint16_t sum = digest(text);
  if (answers)
    this->command_.digest = digest(text, this->command_.digest);
  const bool shows_text = answers && this->shows_text_(text);
  Values values;
  if (!values.parse(text, command.signature)) {
    // What is lacking may have another form in this firmware, and asking again tells nothing more.
    if (!this->schedule_.state(row).is_lacking())
      this->on_damage_();
    return;
  }
  if (!this->is_there_(row, sum))
    return;
  this->schedule_.on_value(row);
  // A push may come just before the answer.
  const bool looks = answers && this->command_.job.kind == Schedule::Job::Kind::LOOK && !this->command_.answered;
  if (answers)
    this->on_answer_(values, shows_text);
  if (this->may_tell_(row, values, sum)) {
    if (!command.has(LINES))
      this->schedule_.state(row).believed = sum;
    this->doubts_.drop(row);
    this->listener_->on_values(row, values, !looks);
  }
}

/// Whether a value, which is still in one piece, is the text that is read back.
bool AtClient::shows_text_(const char *text) const {
  const Wish *wish = this->wishes_.find(this->command_.row);
  return wish != nullptr && wish->is_text() && this->wishes_.matches_text(*wish, text);
}

/// Noise does not bring a command into the firmware: what it lacks must say the same twice.
bool AtClient::is_there_(uint8_t row, uint16_t digest) {
  RowState &state = this->schedule_.state(row);
  if (!state.is_lacking() || this->schedule_.row(row).has(LINES))
    return true;
  if (this->doubts_.confirm(row, digest, Doubts::TWICE)) {
    state.believed = digest;
    return true;
  }
  state.due = this->work_ = true;
  return false;
}

/// What a value line of the command in flight says about it.
void AtClient::on_answer_(const Values &values, bool shows_text) {
  const CommandRow &command = this->schedule_.row(this->command_.row);
  if (!command.has(LINES))
    this->command_.answered = true;  // a whole line does not make up for a lost one
  this->command_.number = static_cast<uint32_t>(values[0].number);
  Wish *wish = this->wishes_.find(this->command_.row);
  const bool is_wished = shows_text || (wish != nullptr && Wishes::matches_number(*wish, command, values, this->now_));
  if (this->command_.task == Task::KEPT_READ) {
    this->command_.matched = this->kept_.find(this->command_.row)->is_held_by(this->command_.number);
  } else if (this->command_.task == Task::WISH_READ) {
    this->command_.matched = is_wished;
    if (wish->is_text())
      this->wishes_.leave_out_fields_behind(*wish, values.size());
  } else if (is_wished && Wishes::is_checked(command)) {
    wish->attempt.check_first();  // the flash may hold it after all
  }
}

/// Whether the listener hears of a value: not of an older one right after a wish, nor of one that may be noise.
bool AtClient::may_tell_(uint8_t row, const Values &values, uint16_t digest) {
  Kept *kept = this->kept_.find(row);
  const Wish *wish = this->wishes_.find(row);
  const bool waits = wish != nullptr && !wish->is_starved();
  // What is read after a write: its first field is what was wished; noise may be in the others.
  const bool proves = this->asks_(row) && this->command_.matched;
  if (proves && (wish == nullptr || this->command_.task == Task::WISH_READ))
    return values.size() == 1 || this->is_believed_(row, digest);
  if (waits || (kept != nullptr && kept->is_lost()))
    return false;
  if (kept != nullptr && !this->asks_(row) && !kept->hear(static_cast<uint32_t>(values[0].number)))
    this->read(row);
  return this->is_believed_(row, digest);
}

bool AtClient::is_believed_(uint8_t row, uint16_t digest) {
  const CommandRow &command = this->schedule_.row(row);
  const bool careful = this->link_.is_careful(this->now_);
  const bool is_fact = command.refresh == Refresh::ONCE;  // it is not read again soon
  if ((!careful && !is_fact) || command.has(LINES) || digest == this->schedule_.state(row).believed)
    return true;
  if (this->doubts_.confirm(row, digest, careful ? Doubts::CAREFULLY : Doubts::TWICE))
    return true;
  this->read(row);
  return false;
}

/// A line was lost. It may have been a value that nobody will repeat soon.
void AtClient::on_damage_() {
  if (this->is_raw_())
    return;  // a raw command may answer anything
  this->counters_[DISCARDED]++;
  this->command_.answered = false;
  this->link_.on_damage(this->now_);
  this->schedule_.repair(this->now_);
}

void AtClient::on_result_(bool ok) {
  if (!this->link_.on_result(ok, this->now_))
    return;
  if (this->command_.task != Task::NONE) {
    this->counters_[ok ? ANSWERED : FAILED]++;
    this->finish_(ok ? Outcome::OK : Outcome::ERROR);
  } else if (ok) {
    this->on_damage_();  // nobody has asked
  }
}

// --- restarts ---------------------------------------------------------------------------------------------------------

void AtClient::on_ready_line_() {
  this->finish_(Outcome::SILENCE);
  this->link_.on_ready_line(this->now_);
  this->on_restart_(this->met_ ? Restart::READY : Restart::FIRST_READY);
}

void AtClient::on_restart_(Restart restart) {
  this->met_ = true;
  this->work_ = true;
  this->counters_[REBOOTS] += restart == Restart::FIRST_READY ? 0 : 1;
  this->wishes_.on_restart();
  this->schedule_.on_restart();
  this->doubts_.forget();
  for (Kept &kept : this->kept_)
    kept.on_restart(this->schedule_.row(kept.row()).has(STARTS_ON) ? 1 : Kept::ANY);
  this->listener_->on_restart(restart);
}

}  // namespace esphome::esp32evse
