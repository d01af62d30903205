#include "at_value.h"

#include <cstring>

namespace esphome::esp32evse {

namespace {

bool is_control(char character) {
  const auto byte = static_cast<uint8_t>(character);
  return byte < 0x20 || byte == 0x7F;
}

/// How many bits an integer type has less than 32 for its positive values.
uint8_t missing_bits(char letter) {
  switch (letter) {
    case 'B':
      return 24;
    case 'H':
      return 16;
    case 'b':
      return 25;
    case 'i':
      return 1;
    default:
      return 0;
  }
}

/// Decimal digits at `cursor`; returns what is behind them, or nullptr.
char *parse_integer(char *cursor, char letter, Field *field) {
  const bool negative = letter >= 'a' && *cursor == '-';
  if (negative)
    cursor++;
  const char *const first = cursor;
  uint64_t value = 0;
  for (; *cursor >= '0' && *cursor <= '9'; cursor++) {
    const uint64_t next = value * 10 + static_cast<uint8_t>(*cursor - '0');
    if (value >> 32 > UINT32_MAX / 10 || next < value)  // less could only wrap around to something small
      return nullptr;
    value = next;
  }
  // A signed type has one value more below zero than above.
  const uint32_t low = static_cast<uint32_t>(value) - (negative ? 1 : 0);
  if (cursor == first || (letter != 'Q' && (value >> 32 != 0 || low > UINT32_MAX >> missing_bits(letter))))
    return nullptr;
  field->number = negative ? -value : value;
  return cursor;
}

/// A quoted string at `in`, unescaped in place; returns what is behind it, or nullptr.
char *parse_string(char *in, Field *field) {
  if (*in++ != '"')
    return nullptr;
  char *const first = in;
  char *out = first;
  field->text = first;
  for (; *in != '"'; in++) {
    char character = *in;
    if (character == '\\') {
      character = *++in;
      if (character == 'n') {
        character = '\n';
      } else if (character != '"' && character != '\\') {
        return nullptr;
      }
    }
    if (character == '\0')
      return nullptr;
    *out++ = character;
  }
  *out = '\0';
  field->length = static_cast<uint8_t>(out - first);
  return in + 1;
}

char upper(char character) { return character >= 'a' && character <= 'z' ? character - 0x20 : character; }

/// The charger executes any unambiguous prefix of a name, so a prefix is as dangerous as the name.
bool abbreviates(const char *name, size_t length, const char *command) {
  for (; length > 0; length--) {
    if (upper(*name++) != *command++)
      return false;
  }
  return true;
}

}  // namespace

bool Values::parse(char *text, const char *signature) {
  bool optional = false;
  for (; *signature != '\0'; signature++) {
    if (*signature == '|') {
      optional = true;
      continue;
    }
    if (*text == '\0' && optional)
      return true;
    if (this->count_ > 0 && *text++ != ',')
      return false;
    Field &field = this->fields_[this->count_++];
    text = *signature == 's' ? parse_string(text, &field) : parse_integer(text, *signature, &field);
    if (text == nullptr || (*text != '\0' && *text != ','))
      return false;
  }
  return true;
}

void AtText::put_(char character) {
  if (this->length_ < MAX_ARGUMENT) {
    this->text_[this->length_++] = character;
  } else {
    this->ok_ = false;
  }
}

AtText &AtText::add(const char *text) {
  while (*text != '\0')
    this->put_(*text++);
  return *this;
}

AtText &AtText::add_string(const char *text, size_t length, size_t max_length) {
  if (length == 0 || length > max_length)
    this->ok_ = false;
  this->put_('"');
  for (size_t i = 0; i < length && this->ok_; i++) {
    if (is_control(text[i]))
      this->ok_ = false;
    if (text[i] == '"' || text[i] == '\\')
      this->put_('\\');
    this->put_(text[i]);
  }
  this->put_('"');
  return *this;
}

uint8_t count_fields(const char *text) {
  uint8_t count = 0;
  do {
    count++;
    text = skip_fields(text, 1);
  } while (*text++ != '\0');
  return count;
}

const char *skip_fields(const char *text, uint8_t count) {
  bool quoted = false;
  for (; *text != '\0'; text++) {
    if (*text == '\\' && text[1] != '\0') {
      text++;
    } else if (*text == '"') {
      quoted = !quoted;
    } else if (*text == ',' && !quoted && --count == 0) {
      break;
    }
  }
  return text;
}

bool is_ipv4(const char *text, size_t length) {
  const char *const end = text + length;
  for (uint8_t part = 0; part < 4; part++) {
    if (part > 0 && (text == end || *text++ != '.'))
      return false;
    const char *const first = text;
    uint16_t value = 0;
    while (text < end && text - first < 3 && *text >= '0' && *text <= '9')
      value = value * 10 + (*text++ - '0');
    if (text == first || value > 255 || (*first == '0' && text - first > 1))
      return false;
  }
  return text == end;
}

bool may_answer(const char *name, const char *command) {
  if (strncmp(command, "AT+", 3) != 0 && strncmp(command, "at+", 3) != 0)
    return false;
  for (command += 3; *command != '\0' && *command != '?' && *command != '='; command++) {
    if (upper(*command) != *name++)
      return false;
  }
  return true;
}

const char *refuse_raw_command(const char *text, size_t length, bool force) {
  if (length < 2 || upper(text[0]) != 'A' || upper(text[1]) != 'T')
    return "it must begin with AT";
  if (length > AtText::MAX_ARGUMENT)
    return "it is longer than 127 bytes";
  size_t end = length;  // of the name
  for (size_t i = length; i-- > 0;) {
    if (is_control(text[i]))
      return "it holds a line end or control byte";
    if (text[i] == '=' || text[i] == '?')
      end = i;
  }
  // The charger gives up an ambiguous name at its `=` and takes what follows for another command.
  if (end + 1 < length && upper(text[end + 1]) == 'A')
    return "it holds two commands";
  if (force || length < 3 || text[2] != '+')
    return nullptr;
  if (abbreviates(text + 3, end - 3, "SERIAL0") || abbreviates(text + 3, end - 3, "SERIAL1"))
    return "serial settings can crash the charger";
  if (abbreviates(text + 3, end - 3, "SUB"))
    return "it can hang the charger; use the subscribe actions";
  return nullptr;
}

}  // namespace esphome::esp32evse
