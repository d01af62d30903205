#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace esphome::esp32evse {

/// One field of a value line. Signed types are kept as their two's complement.
struct Field {
  uint64_t number{0};
  const char *text{nullptr};  ///< of a string, else nullptr
  uint8_t length{0};

  int64_t as_signed() const { return static_cast<int64_t>(this->number); }
};

/// The fields behind `+NAME=`.
///
/// A signature names their types, one letter each: B u8, H u16, I u32, Q u64, b i8, i i32, s string; those behind a `|`
/// may be missing. Further fields are ignored, so that a newer firmware may append some.
class Values {
 public:
  static constexpr size_t MAX_FIELDS = 5;

  /// Parses in place (strings lose their escapes), once. False if anything is not exactly as the signature says.
  bool parse(char *text, const char *signature);

  const Field &operator[](size_t index) const { return this->fields_[index]; }
  size_t size() const { return this->count_; }
  /// One number, as if the charger had said it.
  void set_number(uint64_t number) {
    this->fields_[0].number = number;
    this->count_ = 1;
  }

 protected:
  std::array<Field, MAX_FIELDS> fields_{};
  uint8_t count_{0};
};

/// The argument of a write, `1,"text"`: strings quoted and escaped, never a line end, never too long.
class AtText {
 public:
  static constexpr size_t MAX_ARGUMENT = 127;
  static constexpr size_t MAX_STRING = 31;
  static constexpr size_t MAX_NAME = 30;  ///< of an SSID: v2.1.1 takes 31 and loses the network

  AtText &add(const char *text);
  /// Quoted and escaped, 1 to `max_length` bytes.
  AtText &add_string(const char *text, size_t length, size_t max_length = MAX_STRING);

  /// False once a string was empty or too long or held a control byte, or the whole did not fit.
  bool ok() const { return this->ok_; }
  const char *data() const { return this->text_; }  ///< NUL-terminated
  size_t length() const { return this->length_; }

 protected:
  void put_(char character);

  char text_[MAX_ARGUMENT + 1]{};
  uint8_t length_{0};
  bool ok_{true};
};

/// Of an argument or a value.
uint8_t count_fields(const char *text);

/// What follows the first `count` fields of an argument or a value, with the comma before it; "" if nothing does.
const char *skip_fields(const char *text, uint8_t count);

/// Four decimal numbers of 0 to 255. The charger takes less for an address (`10.0.0`, `010.0.0.1`), and means another.
bool is_ipv4(const char *text, size_t length);

/// Whether a value line of this name may be the answer to a raw command, whose name may be abbreviated.
bool may_answer(const char *name, const char *command);

/// Why a raw command must not be sent, or nullptr. `force` lets through what can only hurt the charger, never what is
/// not exactly one command.
const char *refuse_raw_command(const char *text, size_t length, bool force);

}  // namespace esphome::esp32evse
