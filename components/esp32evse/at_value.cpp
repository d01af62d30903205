#include "at_value.h"

#include <cstring>

namespace esphome::esp32evse {

namespace {

struct IntegerType {
  uint64_t max;  // of the magnitude
  bool is_signed;
};

IntegerType integer_type(char letter) {
  switch (letter) {
    case 'B':
      return {UINT8_MAX, false};
    case 'H':
      return {UINT16_MAX, false};
    case 'I':
      return {UINT32_MAX, false};
    case 'b':
      return {INT8_MAX, true};
    case 'i':
      return {INT32_MAX, true};
    default:
      return {UINT64_MAX, false};
  }
}

/// Decimal digits at `*cursor`, which moves behind them.
bool parse_integer(char **cursor, char letter, Field *field) {
  const IntegerType type = integer_type(letter);
  const bool negative = type.is_signed && **cursor == '-';
  if (negative)
    ++*cursor;
  const uint64_t max = negative ? type.max + 1 : type.max;
  if (**cursor < '0' || **cursor > '9')
    return false;
  uint64_t value = 0;
  for (; **cursor >= '0' && **cursor <= '9'; ++*cursor) {
    const auto digit = static_cast<uint8_t>(**cursor - '0');
    if (value > (max - digit) / 10)
      return false;
    value = value * 10 + digit;
  }
  field->number = negative ? -value : value;
  return true;
}

/// A quoted string at `*cursor`, unescaped in place.
bool parse_string(char **cursor, Field *field) {
  char *in = *cursor;
  if (*in++ != '"')
    return false;
  char *out = in;
  field->text = out;
  for (; *in != '"'; in++) {
    if (*in == '\0')
      return false;
    if (*in == '\\') {
      in++;
      if (*in == 'n') {
        *in = '\n';
      } else if (*in != '"' && *in != '\\') {
        return false;
      }
    }
    *out++ = *in;
  }
  *cursor = in + 1;
  *out = '\0';
  field->length = static_cast<uint8_t>(out - field->text);
  return true;
}

char upper(char character) { return character >= 'a' && character <= 'z' ? character - 0x20 : character; }

/// The charger executes any unambiguous prefix of a name, so a prefix is as dangerous as the name.
bool abbreviates(const char *name, size_t length, const char *command) {
  if (length > strlen(command))
    return false;
  for (size_t i = 0; i < length; i++) {
    if (upper(name[i]) != command[i])
      return false;
  }
  return true;
}

}  // namespace

bool Values::parse(char *text, const char *signature) {
  this->count_ = 0;
  bool optional = false;
  for (; *signature != '\0' && this->count_ < MAX_FIELDS; signature++) {
    if (*signature == '|') {
      optional = true;
      continue;
    }
    if (*text == '\0' && optional)
      return true;
    if (this->count_ > 0 && *text++ != ',')
      return false;
    Field field;
    if (*signature == 's' ? !parse_string(&text, &field) : !parse_integer(&text, *signature, &field))
      return false;
    this->fields_[this->count_++] = field;
    if (*text != '\0' && *text != ',')
      return false;
  }
  return true;
}

void Argument::put_(char character) {
  if (this->length_ >= MAX_LENGTH) {
    this->ok_ = false;
    return;
  }
  this->text_[this->length_++] = character;
}

void Argument::separate_() {
  if (this->length_ > 0)
    this->put_(',');
}

Argument &Argument::number(uint32_t value) {
  this->separate_();
  char digits[10];
  size_t count = 0;
  do {
    digits[count++] = static_cast<char>('0' + value % 10);
    value /= 10;
  } while (value > 0);
  while (count > 0)
    this->put_(digits[--count]);
  return *this;
}

Argument &Argument::string(const char *text, size_t length) {
  this->separate_();
  if (length > MAX_STRING)
    this->ok_ = false;
  this->put_('"');
  for (size_t i = 0; i < length && this->ok_; i++) {
    const auto byte = static_cast<uint8_t>(text[i]);
    if (byte < 0x20 || byte == 0x7F) {
      this->ok_ = false;
    } else if (byte == '"' || byte == '\\') {
      this->put_('\\');
    }
    this->put_(text[i]);
  }
  this->put_('"');
  return *this;
}

const char *refuse_raw_command(const char *text, size_t length, bool force) {
  if (length < 2 || upper(text[0]) != 'A' || upper(text[1]) != 'T')
    return "it must begin with AT";
  if (length > Argument::MAX_LENGTH)
    return "it is longer than 127 bytes";
  for (size_t i = 0; i < length; i++) {
    if (static_cast<uint8_t>(text[i]) < 0x20 || text[i] == 0x7F)
      return "it holds a line end or another control byte";
  }
  if (force || length < 4 || text[2] != '+')
    return nullptr;
  const char *name = text + 3;
  size_t name_length = 0;
  while (3 + name_length < length && name[name_length] != '=' && name[name_length] != '?')
    name_length++;
  if (name_length < 2)
    return nullptr;
  if (abbreviates(name, name_length, "SERIAL0") || abbreviates(name, name_length, "SERIAL1"))
    return "reading or writing a serial port's settings can crash the charger";
  if (abbreviates(name, name_length, "SUB"))
    return "a wrong subscription hangs the charger; use the subscribe actions";
  return nullptr;
}

}  // namespace esphome::esp32evse
