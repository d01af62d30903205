// The value parser, the framer and everything that formats or judges text, on arbitrary bytes, against reference.h.

#include <vector>

#include "at_client.h"
#include "at_value.h"
#include "line_framer.h"
#include "rows.h"
#include "reference.h"
#include "script.h"

using namespace esphome::esp32evse;
using namespace fuzz;

namespace {

constexpr size_t MAX_STRING = 31;
constexpr size_t MAX_ARGUMENT = 127;

/// A copy of just that size, so that the sanitizer sees a byte read or written behind it.
std::vector<char> exact(std::string_view text, bool terminated) {
  std::vector<char> copy(text.begin(), text.end());
  if (terminated)
    copy.push_back('\0');
  return copy;
}

void same(const Values &values, const ReferenceFields &expected) {
  require(values.size() == expected.size(), "number of fields");
  for (size_t i = 0; i < values.size(); i++) {
    const Field &field = values[i];
    require((field.text != nullptr) == expected[i].is_text, "type of a field");
    if (field.text == nullptr) {
      require(field.number == expected[i].number, "number");
    } else {
      require(std::string_view(field.text, field.length) == expected[i].text, "text");
      require(field.text[field.length] == '\0', "a text without an end");
    }
  }
}

void parse(Script &script) {
  const Row &row = ROWS[script.below(ROW_COUNT)];
  std::string text = script.rest();
  text.resize(std::min(text.size(), std::min(text.find('\0'), MAX_LINE)));
  std::vector<char> line = exact(text, true);
  Values values;
  const bool taken = values.parse(line.data(), row.signature);
  const auto expected = parse_reference(text, row.signature);
  require(taken == expected.has_value(), taken ? "taken, but it is no value" : "refused, but it is a value");
  if (taken)
    same(values, *expected);
}

/// Strings between 0xFF bytes become an argument as set_wifi_station and set_static_ip make one.
void format(Script &script) {
  AtText argument;
  argument.add("1");
  std::string expected = "1", signature = "B";
  std::vector<std::string> texts{""};
  for (const char character : script.rest()) {
    if (character == '\xFF' && texts.size() < Values::MAX_FIELDS - 1) {
      texts.emplace_back();
    } else {
      texts.back() += character;
    }
  }
  bool possible = true;
  for (const std::string &text : texts) {
    const std::vector<char> copy = exact(text, false);
    argument.add(",").add_string(copy.data(), copy.size());
    expected += "," + quoted(text);
    signature += "s";
    possible &= !text.empty() && text.size() <= MAX_STRING && !has_control(text);
  }
  possible &= expected.size() <= MAX_ARGUMENT;
  require(argument.ok() == possible, possible ? "an argument is refused" : "an impossible argument passes");
  if (!possible)
    return;
  const std::string made(argument.data(), argument.length());
  require(made == expected && !has_control(made), "not the argument that was meant");
  std::vector<char> line = exact(made, true);
  Values values;
  require(values.parse(line.data(), signature.c_str()), "what is formatted does not parse");
  for (size_t i = 0; i < texts.size(); i++)
    require(std::string_view(values[i + 1].text, values[i + 1].length) == texts[i], "a text changes on the way");
}

bool begins(std::string_view whole, std::string_view beginning) { return whole.starts_with(beginning); }

/// What a raw command must be, forced or not.
bool is_one_command(const std::string &upper) {
  const size_t mark = upper.find_first_of("=?");
  const bool second = mark != std::string::npos && upper.substr(mark + 1, 1) == "A";
  return begins(upper, "AT") && upper.size() <= MAX_ARGUMENT && !has_control(upper) && !second;
}

bool is_dangerous(const std::string &upper) {
  if (!begins(upper, "AT+"))
    return false;
  const std::string name = upper.substr(3, upper.find_first_of("=?") - 3);
  return begins("SERIAL0", name) || begins("SERIAL1", name) || begins("SUB", name);
}

void judge(Script &script) {
  const bool force = script.flag();
  const std::string text = script.rest();
  std::string upper = text;
  std::transform(upper.begin(), upper.end(), upper.begin(), [](char c) { return c >= 'a' && c <= 'z' ? c - 32 : c; });
  const std::vector<char> copy = exact(text, false);
  const bool sent = refuse_raw_command(copy.data(), copy.size(), force) == nullptr;
  const bool allowed = is_one_command(upper) && (force || !is_dangerous(upper));
  require(sent == allowed, sent ? "a raw command that must be refused" : "a raw command that may be sent");
}

void frame(Script &script) {
  LineFramer framer;
  ReferenceFramer reference;
  while (!script.empty()) {
    const uint8_t byte = script.byte();
    const LineFramer::Event event = framer.feed(byte);
    const auto character = static_cast<char>(byte);
    const auto line = reference.feed({&character, 1});
    require((event == LineFramer::Event::NONE) == !line.has_value(), "an end of a line");
    if (!line)
      continue;
    require((event == LineFramer::Event::DAMAGED) == line->damaged, "a damaged line");
    if (!line->damaged)
      require(framer.length() == line->text.size() && line->text == framer.line(), "a line");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static void (*const PARTS[])(Script &) = {parse, format, judge, frame};
  Script script(data, size);
  PARTS[script.below(std::size(PARTS))](script);
  return 0;
}
