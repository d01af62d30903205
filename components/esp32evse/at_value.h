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

  AtText &add(const char *text);
  /// Quoted and escaped, 1 to 31 bytes.
  AtText &add_string(const char *text, size_t length);

  /// False once a string was empty or too long or held a control byte, or the whole did not fit.
  bool ok() const { return this->ok_; }
  const char *data() const { return this->text_; }
  size_t length() const { return this->length_; }

 protected:
  void put_(char character);

  char text_[MAX_ARGUMENT];
  uint8_t length_{0};
  bool ok_{true};
};

/// Why a raw command must not be sent, or nullptr. `force` lets through what can only hurt the charger, never what is
/// not exactly one command.
const char *refuse_raw_command(const char *text, size_t length, bool force);

}  // namespace esphome::esp32evse
