#pragma once

#include <cstdint>

namespace esphome::esp32evse {

/// The lifetime energy as people want it: it never falls except at a reset. Rules: docs/lifetime-energy.md.
///
/// The charger's own total T is the energy S that it has stored plus that of the running session, c. A restart within a
/// session takes c away. What was taken away is kept as an offset.
class LifetimeEnergy {
 public:
  static constexpr uint64_t NONE = UINT64_MAX;
  static constexpr uint32_t MISMATCH_WH =
      1000;                                  ///< T and c need not be of the same moment: 43 kW for a minute and more
  static constexpr uint32_t SMALL_WH = 100;  ///< a fall below S by this little is no reset
  static constexpr uint32_t UPTIME_STEP_S =
      10;  ///< between two readings of the uptime; a lost digit makes a larger one

  /// One look at the charger.
  struct Reading {
    uint64_t total{NONE};  ///< EMETERTOTCONSUM, Wh
    uint32_t session{0};   ///< EMETERCONSUM, Wh
    uint32_t uptime{0};    ///< UPTIME, s

    uint64_t stored() const { return this->total > this->session ? this->total - this->session : 0; }
  };
  /// What must survive a loss of power: the last reading that was believed, and the offset to it.
  struct Memory {
    int64_t offset{0};  ///< Wh
    Reading last;
  };

  void restore(const Memory &memory) { this->memory_ = memory; }
  const Memory &memory() const { return this->memory_; }
  bool is_known() const { return this->memory_.last.total != NONE; }
  /// A reading waits for a second one that proves it.
  bool is_doubted() const { return this->candidate_.total != NONE; }
  /// Wh; only if it is known.
  uint64_t shown() const { return this->memory_.last.total + static_cast<uint64_t>(this->memory_.offset); }

  void on_uptime(uint32_t seconds);
  void on_session(uint32_t watt_hours);
  /// True if memory() has changed.
  bool on_total(uint64_t watt_hours);
  /// The charger has said OK to a reset: from the next reading that is believed on, what was charged since now is
  /// shown.
  void on_reset();
  /// The charger has fallen silent or restarted: what it said before does not go with what it will say.
  void forget_readings();

 protected:
  inline bool agree_(const Reading &first, const Reading &second) const;
  inline bool was_reset_(const Reading &now) const;
  inline bool was_restarted_(const Reading &now) const;
  inline void believe_(const Reading &now);

  Memory memory_;
  Reading candidate_;  // believed when the next one agrees: there is no checksum
  uint32_t session_{0};
  uint32_t session_at_{0};  // uptime
  uint32_t session_at_reset_{0};
  uint32_t uptime_{0};
  uint8_t uptimes_{0};  // in a row that went together; two are believed
  bool session_known_{false};
  bool reset_{false};
};

}  // namespace esphome::esp32evse
