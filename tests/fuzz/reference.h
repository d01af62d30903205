#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// The charger's language once more, written for clearness instead of size, to compare the component with.
namespace fuzz {

constexpr size_t MAX_LINE = 128;

inline bool is_control(char character) { return static_cast<uint8_t>(character) < 0x20 || character == 0x7F; }
inline bool has_control(std::string_view text) { return std::any_of(text.begin(), text.end(), is_control); }

struct ReferenceField {
  bool is_text{false};
  std::string text;
  uint64_t number{0};  // negative ones as their two's complement

  bool operator==(const ReferenceField &) const = default;
};
using ReferenceFields = std::vector<ReferenceField>;

struct IntegerRange {
  __int128 low, high;
};

inline IntegerRange range_of(char letter) {
  switch (letter) {
    case 'B':
      return {0, UINT8_MAX};
    case 'H':
      return {0, UINT16_MAX};
    case 'I':
      return {0, UINT32_MAX};
    case 'Q':
      return {0, UINT64_MAX};
    case 'b':
      return {INT8_MIN, INT8_MAX};
    default:
      return {INT32_MIN, INT32_MAX};
  }
}

/// UTF-8, up to forms that are longer than need be: each character's first byte tells how many follow it.
inline bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    const auto first = static_cast<uint8_t>(text[0]);
    size_t following = 0;
    if (first >= 0xC2 && first <= 0xDF)
      following = 1;
    else if (first >= 0xE0 && first <= 0xEF)
      following = 2;
    else if (first >= 0xF0 && first <= 0xF4)
      following = 3;
    else if (first >= 0x80)
      return false;
    if (text.size() <= following)
      return false;
    const std::string_view rest = text.substr(1, following);
    if (!std::all_of(rest.begin(), rest.end(), [](char byte) { return (static_cast<uint8_t>(byte) >> 6) == 2; }))
      return false;
    text.remove_prefix(1 + following);
  }
  return true;
}

/// Takes a quoted string from the front of `text`.
inline std::optional<ReferenceField> take_string(std::string_view &text) {
  ReferenceField field;
  field.is_text = true;
  if (!text.starts_with('"'))
    return std::nullopt;
  for (size_t i = 1; i < text.size(); i++) {
    if (text[i] == '"') {
      text.remove_prefix(i + 1);
      return field;
    }
    if (text[i] != '\\') {
      field.text += text[i];
      continue;
    }
    if (++i == text.size() || std::string_view("n\"\\").find(text[i]) == std::string_view::npos)
      return std::nullopt;
    field.text += text[i] == 'n' ? '\n' : text[i];
  }
  return std::nullopt;
}

/// Takes a number from the front of `text`. No charger prints `-0`.
inline std::optional<ReferenceField> take_number(std::string_view &text, char letter) {
  const IntegerRange range = range_of(letter);
  const bool negative = text.starts_with('-');
  text.remove_prefix(negative ? 1 : 0);
  const size_t length = std::min(text.find_first_not_of("0123456789"), text.size());
  __int128 value = 0;
  for (size_t i = 0; i < length && value <= UINT64_MAX; i++)
    value = value * 10 + (text[i] - '0');
  text.remove_prefix(length);
  if (negative)
    value = -value;
  if (length == 0 || value < range.low || value > range.high || (negative && (value == 0 || range.low == 0)))
    return std::nullopt;
  ReferenceField field;
  field.number = static_cast<uint64_t>(value);
  return field;
}

/// The fields behind `+NAME=`, or nothing if they are not as the signature says; see Values in at_value.h.
inline std::optional<ReferenceFields> parse_reference(std::string_view text, std::string_view signature) {
  ReferenceFields fields;
  bool optional = false;
  for (const char letter : signature) {
    if (letter == '|') {
      optional = true;
      continue;
    }
    if (optional && text.empty())
      break;
    if (!fields.empty()) {
      if (!text.starts_with(','))
        return std::nullopt;
      text.remove_prefix(1);
    }
    const auto field = letter == 's' ? take_string(text) : take_number(text, letter);
    if (!field || !(text.empty() || text.starts_with(',')))
      return std::nullopt;
    fields.push_back(*field);
  }
  return fields;
}

/// Cuts bytes into lines. A line is damaged if it is too long or holds control bytes; NULs before it mean nothing.
class ReferenceFramer {
 public:
  struct Line {
    std::string text;
    bool damaged;
  };

  /// The line that ends with this piece, which holds at most one and ends there; nothing if it is empty.
  std::optional<Line> feed(std::string_view piece) {
    if (!piece.ends_with('\n') && !piece.ends_with('\r')) {
      this->text_ += piece;
      return std::nullopt;
    }
    this->text_ += piece.substr(0, piece.size() - 1);
    this->text_.erase(0, std::min(this->text_.find_first_not_of('\0'), this->text_.size()));
    Line line{this->text_, this->text_.size() > MAX_LINE || has_control(this->text_)};
    this->text_.clear();
    return line.text.empty() ? std::nullopt : std::optional(std::move(line));
  }

 private:
  std::string text_;
};

/// A string as it stands on the line.
inline std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (const char character : text) {
    if (character == '"' || character == '\\')
      out += '\\';
    if (character == '\n') {
      out += "\\n";
    } else {
      out += character;
    }
  }
  return out + '"';
}

}  // namespace fuzz
