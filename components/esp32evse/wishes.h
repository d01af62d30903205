#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "at_value.h"
#include "attempt.h"
#include "command_row.h"
#include "parts.h"
#include "pauses.h"

namespace esphome::esp32evse {

/// How a wish (a write or a run) ends. Whatever is not HELD differs from what was asked for, and a client has to see
/// it.
enum class WishEnd : uint8_t {
  HELD,        ///< a read-back shows it, or the charger said OK to what no read-back can show
  SATURATED,   ///< held, but what was asked for lay outside the range: the nearest value inside
  REFUSED,     ///< the charger answered ERROR
  DIFFERENT,   ///< the charger took it and shows another value
  UNANSWERED,  ///< sent, but whether it was heard nobody knows
  EXPIRED,     ///< not sent: the charger was silent for too long
};

/// What somebody has asked the charger for.
struct Wish {
  enum class Kind : uint8_t {
    NUMBER,  ///< write a number, or the first field of several
    TEXT,    ///< write text
    RUN,     ///< run the command once
    RAW,     ///< send text as a command of its own
  };

  // So long nothing older is shown: with the heartbeat's period less than 5 s, for which a value may be old.
  static constexpr uint8_t STARVED_TICKS = 15;  // of the client, of 50 ms: 0.75 s at most

  /// Where its text stands, and how much of it can be read back; in bytes.
  struct Text {
    uint16_t begin;
    uint8_t length;
    uint8_t provable;
  };

  union {
    uint32_t number{0};  ///< of a NUMBER
    Text text;           ///< of a TEXT or RAW
  };
  uint32_t asked_at{0};
  uint8_t row{0};
  uint8_t ticks{0};  ///< that it has waited, together with those that it has replaced; STARVED_TICKS and more
  Kind kind : 2 {Kind::NUMBER};
  bool saturated : 1 {false};
  bool in_flight : 1 {false};
  bool renewed : 1 {false};  ///< changed while it was in flight
  bool paused : 1 {false};   ///< has waited since it was checked
  Attempt attempt;

  bool is_starved() const { return this->ticks == STARVED_TICKS; }
  bool is_write() const { return this->kind == Kind::NUMBER || this->kind == Kind::TEXT; }
  bool is_text() const { return WRITES_TEXTS && this->kind == Kind::TEXT; }
  bool is_raw() const { return SENDS_RAW_COMMANDS && this->kind == Kind::RAW; }
  bool has_text() const { return this->is_text() || this->is_raw(); }
};

/// Wishes in the order in which they were asked for: at most QUEUE, and three of the longest texts, which all that can
/// be set hold.
///
/// A newer wish for the same command takes the older one's place, field by field: what both set, the newer one decides.
class Wishes {
 public:
  static constexpr uint8_t QUEUE = 20;  // one script may set everything
  static constexpr size_t TEXT = WRITES_TEXTS || SENDS_RAW_COMMANDS ? 3 * (AtText::MAX_ARGUMENT + 1) : 0;
  static constexpr uint32_t WRITE_EXPIRES_MS = 30000;  // a person has given up by then
  static constexpr uint32_t RUN_EXPIRES_MS = 5000;     // an old authorization must not unlock for somebody else

  /// False: no room.
  bool ask_number(const CommandRow &command, uint8_t row, uint32_t number, bool saturated, uint32_t now);
  bool ask_text(const CommandRow &command, uint8_t row, const AtText &argument, uint8_t provable, uint32_t now);
  bool ask_run(uint8_t row, uint32_t now);
  bool ask_raw(const char *text, size_t length, uint32_t now);

  /// The write that is wished for this row, or nullptr.
  Wish *find(uint8_t row);
  const Wish *find(uint8_t row) const;
  /// The first one that need not wait, or nullptr.
  Wish *first();
  Wish *in_flight();
  /// One that has waited too long, or nullptr.
  Wish *expired(uint32_t now);
  const char *text_of(const Wish &wish) const { return this->text_.data() + wish.text.begin; }
  /// Whether what stands behind the `=` of a value line is the text that is wished, as far as it goes.
  bool matches_text(const Wish &wish, const char *text) const;
  /// An older firmware has fewer fields, as its answer shows.
  void leave_out_fields_behind(Wish &wish, uint8_t count);
  /// The flash may hold what is wished already: it is read before it is written.
  static bool is_checked(const CommandRow &command) { return command.has(STORED) && !command.has(UNPROVABLE); }
  static bool matches_number(const Wish &wish, const CommandRow &command, const Values &values, uint32_t now);
  void begin_anew(Wish &wish, const CommandRow &command);
  void remove(Wish *wish);
  void on_restart();
  bool empty() const { return this->count_ == 0; }
  Wish *begin() { return this->queue_.data(); }
  Wish *end() { return this->begin() + this->count_; }
  Pauses pauses;

 protected:
  Wish *add_(uint8_t row, uint32_t now);
  bool has_room_(const Wish *wish, size_t length) const;
  void put_text_(Wish *wish, Wish::Kind kind, const char *text, size_t length, uint8_t provable);
  void drop_text_(const Wish &wish);
  void replace_(Wish *wish, const CommandRow &command, uint32_t now);

  uint16_t text_used_{0};
  uint8_t count_{0};
  std::array<Wish, QUEUE> queue_;
  std::array<char, TEXT> text_;
};

}  // namespace esphome::esp32evse
