#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "at_value.h"
#include "command_row.h"
#include "parts.h"

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

/// How far a value has got on its way to the charger. It has arrived when a read-back shows it.
class Attempt {
 public:
  static constexpr uint8_t MAX_SENDS = 3;
  static constexpr uint8_t MAX_REFUSALS = 2;

  enum class Step : uint8_t {
    CHECK,      ///< read first: the charger may hold it already
    SEND,       ///< write it
    READ_BACK,  ///< written: only a read-back tells what became of it
    HELD,       ///< the end
    REFUSED,    ///< the end: ERROR every time
    DIFFERENT,  ///< the end: another value every time
  };

  Attempt(Step step = Step::SEND) : step_(step) {}
  Step step() const { return this->step_; }
  /// What is sent again is the same value, and not for ever.
  bool was_sent() const { return this->sends_ > 0; }
  bool has_ended() const { return this->step_ >= Step::HELD; }
  /// The charger may have restarted: never send blindly again.
  void check_first() { this->step_ = Step::CHECK; }
  /// Another value is meant from now on. What was sent is read back first, or quick wishes would starve the read-backs.
  void renew();

  void on_sent(Outcome outcome);
  /// `matched`: the read shows the value; `proven`: that is all there is to be seen of it.
  void on_read(bool matched, bool proven);
  /// A read without an answer, which noise may have caused. True: the second in a row.
  bool on_nothing_read();

 protected:
  Step step_ : 3;
  uint8_t sends_ : 2 {0};  // MAX_SENDS
  bool acknowledged_ : 1 {false};
  bool refused_ : 1 {false};
  bool doubted_ : 1 {false};
};

/// What somebody has asked the charger for.
struct Wish {
  enum class Kind : uint8_t {
    NUMBER,  ///< write a number, or the first field of several
    TEXT,    ///< write text
    RUN,     ///< run the command once
    RAW,     ///< send text as a command of its own
  };

  uint32_t number{0};
  uint32_t asked_at{0};
  uint32_t pending_since{0};  ///< when the first of those was asked for that it has replaced
  uint16_t text{0};           ///< where its text stands
  uint8_t text_length{0};
  uint8_t provable{0};  ///< so many bytes of the text can be read back
  uint8_t row{NO_ROW};
  Kind kind : 2 {Kind::NUMBER};
  bool saturated : 1 {false};
  bool in_flight : 1 {false};
  bool renewed : 1 {false};  ///< changed while it was in flight
  bool paused : 1 {false};   ///< has waited since it was checked
  bool starved : 1 {false};  ///< has waited for so long that what the charger holds is shown
  Attempt attempt;

  bool is_write() const { return this->kind == Kind::NUMBER || this->kind == Kind::TEXT; }
  bool is_text() const { return WRITES_TEXTS && this->kind == Kind::TEXT; }
  bool is_raw() const { return SENDS_RAW_COMMANDS && this->kind == Kind::RAW; }
};

/// Rows that must wait before they are written again. Ticks are the client's, of 50 ms.
class Pauses {
 public:
  static constexpr uint8_t FLASH_TICKS = 200;  // 10 s: the charger's flash wears out
  // 0.5 s, before anything older is shown; doubles with every refusal in a row ...
  static constexpr uint8_t REFUSED_TICKS = 10;
  static constexpr uint8_t MAX_REFUSED_TICKS = 160;  // ... but the next wish shall not expire because of it

  bool contains(uint8_t row) const;
  /// Whether the row waits because of the flash, and nobody has been told yet.
  bool is_news(uint8_t row);
  void after_flash(uint8_t row);
  void after_refusal(uint8_t row);
  void after_success(uint8_t row);
  void tick();

 protected:
  struct Entry {
    uint8_t row{NO_ROW};
    uint8_t ticks{0};
    uint8_t refused_ticks{0};
    bool tells{false};
  };
  Entry &entry_(uint8_t row);

  std::array<Entry, 16> entries_;
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
  // So long nothing older is shown: with the heartbeat's period less than 5 s, for which a value may be old.
  static constexpr uint32_t STARVED_MS = 700;

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
  /// A row whose wish is starved from now on, or NO_ROW.
  uint8_t starve(uint32_t now);
  const char *text_of(const Wish &wish) const { return this->text_.data() + wish.text; }
  /// Whether what stands behind the `=` of a value line is the text that is wished, as far as it goes.
  bool matches_text(const Wish &wish, const char *text) const;
  /// An older firmware has fewer fields, as its answer shows.
  void leave_out_fields_behind(Wish &wish, uint8_t count);
  /// The flash may hold what is wished already: it is read before it is written.
  static bool is_checked(const CommandRow &command) { return command.has(STORED) && !command.has(UNPROVABLE); }
  static bool matches_number(const Wish &wish, const CommandRow &command, const Values &values, uint32_t now);
  void begin_anew(Wish &wish, const CommandRow &command);
  void end(Wish *wish);
  void on_restart();
  bool empty() const { return this->count_ == 0; }
  Pauses pauses;

 protected:
  Wish *add_(uint8_t row, Wish::Kind kind, uint32_t now);
  bool has_room_(const Wish *wish, size_t length) const;
  void put_text_(Wish *wish, const char *text, size_t length);
  void drop_text_(Wish *wish);
  void replace_(Wish *wish, const CommandRow &command, uint32_t now);

  uint16_t text_used_{0};
  uint8_t count_{0};
  std::array<Wish, QUEUE> queue_;
  std::array<char, TEXT> text_;
};

/// A setting that the charger loses when it restarts. It never expires.
///
/// Noise must never be written back. A heard value is believed when it has come three times in a row, for a digit is
/// lost twice now and then, and when the last time was the answer to a read, for a burst of noise may say anything as
/// often as it likes. That costs a few milliseconds: what is not believed yet is read at once. A wish that a read-back
/// shows is proof enough.
class Kept {
 public:
  static constexpr uint8_t BELIEVED_TIMES = 3;
  static constexpr uint32_t ANY = UINT32_MAX;  ///< the charger may begin with any value

  explicit Kept(uint8_t row = NO_ROW) : row_(row) {}
  uint8_t row() const { return this->row_; }
  uint32_t value() const { return this->value_; }
  /// To be put back.
  bool is_lost() const { return this->lost_; }
  /// Of a push. False: it is to be read.
  bool hear(uint32_t value);
  /// Of a read, when its OK has come. False: it is to be read once more.
  bool hear_answer(uint32_t value);
  void prove(uint32_t value);
  /// Somebody wished for this value, and nobody knows whether the charger holds it.
  void doubt(uint32_t value);
  /// Whether the charger's value needs no putting back: it is the kept one, or what was wished for last.
  bool is_held_by(uint32_t value);
  /// `start`: what the charger begins with. That need not be put back: somebody has changed it since, if it is
  /// another.
  void on_restart(uint32_t start);
  /// The charger will not have it.
  void give_up() { this->lost_ = this->known_ = false; }
  Attempt attempt;

 protected:
  uint8_t row_;
  uint8_t times_ : 2 {0};  // heard_ was heard in a row: BELIEVED_TIMES and more
  bool known_ : 1 {false};
  bool lost_ : 1 {false};
  uint32_t value_{0};
  uint32_t heard_{0};
};

}  // namespace esphome::esp32evse
