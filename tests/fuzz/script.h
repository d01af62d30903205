#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include "../support/escaped.h"

namespace fuzz {

/// What the fuzzer invents, read from the front. Behind its end come zeros.
class Script {
 public:
  Script(const uint8_t *data, size_t size) : data_(data), left_(size) {}

  bool empty() const { return this->left_ == 0; }
  uint8_t byte() {
    if (this->left_ == 0)
      return 0;
    this->left_--;
    return *this->data_++;
  }
  /// 0 to `count` - 1.
  uint8_t below(size_t count) { return static_cast<uint8_t>(this->byte() % count); }
  bool flag() { return (this->byte() & 1) != 0; }
  uint32_t number() {
    uint32_t value = 0;
    for (int i = 0; i < 4; i++)
      value = value << 8 | this->byte();
    return value;
  }
  /// At most `limit` bytes, their number in front of them.
  std::string text(size_t limit) { return this->take_(this->below(limit + 1)); }
  std::string rest() { return this->take_(this->left_); }

 private:
  std::string take_(size_t size) {
    size = size < this->left_ ? size : this->left_;
    std::string text(reinterpret_cast<const char *>(this->data_), size);
    this->data_ += size;
    this->left_ -= size;
    return text;
  }

  const uint8_t *data_;
  size_t left_;
};

/// With EVSE_STORY in the environment everything that happens is told on stderr.
inline const bool TELLS = std::getenv("EVSE_STORY") != nullptr;

/// A finding: the fuzzer keeps the input.
[[noreturn]] inline void fail(const char *what) {
  std::fprintf(stderr, "FINDING: %s\n", what);
  std::abort();
}

inline void require(bool holds, const char *what) {
  if (!holds)
    fail(what);
}

}  // namespace fuzz

/// What costs time: the origin of each allocation, and freed memory that is kept aside.
extern "C" const char *__asan_default_options() { return "malloc_context_size=2:quarantine_size_mb=1"; }
