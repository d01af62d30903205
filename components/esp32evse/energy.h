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
  static constexpr uint32_t NO_UPTIME = UINT32_MAX;  ///< a restart of the charger may have been missed
  static constexpr uint32_t MISMATCH_WH = 1000;      ///< T and c need not be of the same moment: a minute at 43 kW
  static constexpr uint32_t MOST_WH_PER_S = 14;      ///< three phases with 63 A at 265 V
  static constexpr uint32_t SMALL_WH = 100;          ///< a fall by this little is no reset, and no lost session
  static constexpr uint32_t STEP_S = 10;             ///< between two readings that belong together
  static constexpr uint32_t LASTS_S = 6;             ///< what is odd must be heard until after the next heartbeat
  static constexpr uint32_t CLOCK_S = 5;             ///< the uptime's own inaccuracy: it may go back so far

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
  /// The next two readings are to prove each other.
  void begin_anew() { this->candidate_ = {}; }
  /// Wh; only if it is known.
  uint64_t shown() const { return this->memory_.last.total + static_cast<uint64_t>(this->memory_.offset); }

  /// `uptime`: the charger's, now, in s, or NO_UPTIME: then the value proves nothing.
  void on_session(uint32_t watt_hours, uint32_t uptime);
  /// True if memory() has changed.
  bool on_total(uint64_t watt_hours, uint32_t uptime);
  /// The charger has said OK to a reset: from the next reading that is believed on, what was charged since now is
  /// shown.
  void on_reset();

 protected:
  inline bool agree_(const Reading &first, const Reading &second) const;
  bool is_odd_(const Reading &now) const;
  bool was_reset_(const Reading &now) const;
  inline bool was_restarted_(const Reading &now) const;
  void believe_(const Reading &now);

  Memory memory_;
  Reading candidate_;  // believed when the next one agrees: there is no checksum
  uint32_t since_{0};  // uptime, of the first of the readings that agree
  uint32_t session_{0};
  uint32_t session_at_{0};  // uptime
  uint32_t session_at_reset_{0};
  bool session_known_{false};
  bool reset_{false};
};

}  // namespace esphome::esp32evse
