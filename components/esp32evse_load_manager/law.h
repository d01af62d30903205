#pragma once

#include "capacity.h"
#include "circuit.h"
#include "own_current.h"
#include "parts.h"
#include "phases.h"
#include "reason.h"
#include "sharing.h"
#include "surplus.h"

namespace esphome::esp32evse_load_manager {

/// In the order of the select's options.
enum class Mode : uint8_t {
  OFF,        ///< nothing charges
  FAST,       ///< as much as the limits allow
  SOLAR,      ///< from the sun only
  MIN_SOLAR,  ///< the minimum always, more from the sun
  MANUAL,     ///< the current that a person has set, within the limits
};

struct ChargerConfig {
  Milliampere minimum;  ///< 6 A or what the car needs to start
  PhaseMask phases;     ///< to which it is wired
  uint8_t circuit;
  uint8_t priority;  ///< 1 is served first
  /// That a charger of another node takes when it hears nothing; negative: it is this node's.
  Milliampere worst_case{-1};

  bool is_remote() const { return HAS_FOLLOWERS && this->worst_case >= 0; }
};

/// What is known of a charger now.
struct ChargerView {
  bool online{false};
  bool vehicle{false};        ///< one is connected
  bool holds{false};          ///< it offers nothing, although it may: an error, a limit of its own
  bool time_is_up{false};     ///< a person's time limit has been reached
  bool lease_is_up{false};    ///< the lease has, and the charger has taken no longer one
  bool contested{false};      ///< something else sets its current, too
  bool enabled{true};         ///< a person's word: false pauses until a person says otherwise
  bool elsewhere{false};      ///< that word was not said at this node
  Milliampere wish{63_A};     ///< a person's upper bound
  Milliampere maximum{63_A};  ///< the charger's own
};

/// What the charger shall do.
struct Order {
  bool valid{false};  ///< false: nothing is known yet, leave the charger as it is
  bool run{false};
  Milliampere current{0};  ///< the offer while it runs
  Why why;
};

struct Settings {
  uint32_t min_off_ms{120000};  ///< a pause lasts at least so long
  int32_t dimming{0};           ///< W for all chargers while dimmed
  Milliampere unbalance{0};     ///< that one phase may carry more than another
  SurplusConfig surplus{30, 150, 0};
};

/// The load manager's law: samples, the chargers' own currents and the time in, an order for each charger out.
///
/// Pure logic; times are in ms and may wrap around. step() is called once a second and after every sample.
class Law {
 public:
  static constexpr uint8_t NO_CIRCUIT = CircuitConfig::NO_PARENT;
  static constexpr uint32_t RISE_A_PER_S = 1;  ///< slower than most cars, so that the meter sees what happens
  static constexpr Milliampere SPARE = Circuit::SPARE;
  static constexpr Milliampere ABOVE_DRAW = 4_A;      ///< the offer is not more than this above what the car takes
  static constexpr Milliampere DRAWS = 0.5_A;         ///< a phase with more than this is used
  static constexpr uint32_t LONGEST_STEP_MS = 15000;  ///< after a longer gap nothing rises
  static constexpr uint32_t TURN_MS = 900000;         ///< where not all fit
  static constexpr uint32_t IDLE_MS = 120000;         ///< a car that takes nothing for so long lets others go first
  static constexpr uint32_t OBEYS_MS = 10000;         ///< a car follows within 5 s (IEC 61851), and is seen to
  static constexpr uint32_t READY_MS = 10000;         ///< that a charger, started or back again, takes at most to offer
  static constexpr uint32_t GRACE_MS = 30000;  ///< in which one that has fallen silent may still have its last share
  static constexpr uint32_t STALE_MS = 3000;   ///< what a charger of another node drew so long ago proves nothing
  static constexpr uint8_t SOLAR_STARTS = 8;   ///< of a car in a day
  static constexpr uint32_t NIGHT_MS = 6 * 3600000;  ///< a pause so long begins a new day

  void configure(const Settings &settings) {
    this->settings_ = settings;
    if constexpr (HAS_SURPLUS)
      this->account_->configure(settings.surplus);
  }
  void add_circuit(const CircuitConfig &config, uint32_t now);
  void add_charger(const ChargerConfig &config);
  /// What the charger does while nothing is known yet, after a restart of the node.
  void adopt(uint8_t charger, bool running, Milliampere current);

  void set_mode(uint8_t charger, Mode mode) { this->chargers_[charger].mode = mode; }
  Mode mode(uint8_t charger) const { return this->chargers_[charger].mode; }
  void set_view(uint8_t charger, const ChargerView &view) { this->chargers_[charger].view = view; }
  const ChargerView &view(uint8_t charger) const { return this->chargers_[charger].view; }
  void set_dimmed(bool dimmed) { this->dimmed_ = dimmed; }
  Settings &settings() { return this->settings_; }
  Circuit &circuit(uint8_t circuit) { return this->circuits_[MAX_CIRCUITS == 1 ? 0 : circuit]; }
  const Circuit &circuit(uint8_t circuit) const { return this->circuits_[MAX_CIRCUITS == 1 ? 0 : circuit]; }
  CapacityQuarter &quarter() { return *this->quarter_; }
  const CapacityQuarter &quarter() const { return *this->quarter_; }

  /// What the charger says that its car draws.
  void on_own(uint8_t charger, const Phases &drawn, uint32_t now);
  /// `updated` phases are new, the others as they were.
  void on_sample(uint8_t circuit, const Phases &mains, uint32_t now, PhaseMask updated = ALL_PHASES);
  void on_share(uint8_t circuit, Milliampere current, uint32_t now);
  /// `epoch_s`: 0 while the clock is not known.
  void step(uint32_t now, uint32_t epoch_s);

  // Constant where there is one, so that the loops over them cost nothing.
  uint8_t chargers() const { return MAX_CHARGERS == 1 ? 1 : this->charger_count_; }
  uint8_t circuits() const { return MAX_CIRCUITS == 1 ? 1 : this->circuit_count_; }
  const Order &order(uint8_t charger) const { return this->chargers_[charger].order; }
  /// What the charger could use, 0 without a car or against a person's word: what a leader wants to know.
  Milliampere usable(uint8_t charger) const;
  const Phases &own(uint8_t charger) const { return this->chargers_[charger].own.latest(); }
  Milliampere available(uint8_t charger) const { return this->chargers_[charger].available; }
  /// W that would flow into the grid without the chargers that follow the sun.
  int32_t surplus() const { return this->surplus_; }

 protected:
  struct Charger {
    ChargerConfig config;
    ChargerView view;
    Order order;
    Mode mode{Mode::FAST};
    Milliampere available{0};        // that the limits leave it
    uint32_t switched{0};            // when it was started or paused
    uint32_t rose{0};                // when it last could
    uint32_t raised{0};              // when it last was, or was started
    uint32_t drawing{0};             // since when its car draws, or does not
    uint32_t heard{0};               // when it was online last
    uint32_t silent{0};              // when it last was not
    uint32_t offered{0};             // when the older of its offers was left behind
    Milliampere offer{63_A};         // the most that it was told to offer since then
    Milliampere offer_before{63_A};  // and in the OBEYS_MS before
    Milliampere drawn{0};            // on the phase that carries most, as it says
    uint32_t told{0};                // when it last said what it draws
    uint32_t paused_in{0};           // clock quarter of the last pause for capacity
    uint8_t fresh{0};                // bits of the circuits with a sample since then
    uint8_t path{0};                 // bits of the circuits up to the root
    uint8_t starts{0};               // in this session
    PhaseMask used{0};               // phases that the car was seen to use
    bool draws{false};
    bool disobeyed{false};  // for that it was paused
    OwnCurrent own;         // the largest comes last: what lies near is reached with shorter instructions

    /// What its car needs, unless a person or the charger allows only less.
    Milliampere minimum() const {
      return std::min(this->config.minimum, std::max(LEAST_CURRENT, std::min(this->view.wish, this->view.maximum)));
    }
    Milliampere most_offered() const { return std::max(this->offer, this->offer_before); }
    /// It draws more than it may, and chargers measure no worse.
    bool disobeys() const { return this->drawn > this->most_offered() * 5 / 4 + 1_A; }
    Reason why_disobeyed() const { return this->view.contested ? Reason::SET_ELSEWHERE : Reason::DISOBEYED; }
    bool is_below(uint8_t circuit) const { return MAX_CIRCUITS == 1 || (this->path >> circuit & 1) != 0; }
    bool follows_sun() const { return this->mode == Mode::SOLAR || this->mode == Mode::MIN_SOLAR; }
  };

  bool is_drawing_for_(const Charger &charger, bool draws, uint32_t ms, uint32_t now) const {
    return charger.draws == draws && now - charger.drawing >= ms;
  }
  PhaseMask phases_of_(const Charger &charger) const {
    return charger.used != 0 ? charger.used : charger.config.phases;
  }
  /// W.
  int32_t least_power_(const Charger &charger) const;

  // what there is
  void update_circuits_(uint32_t now);
  void update_surplus_(float seconds);
  void update_quarter_(uint32_t epoch_s, float seconds);
  void fill_rooms_(Milliampere *rooms, bool lasting) const;

  // what each asks for
  void observe_(Charger &charger, uint32_t now);
  bool takes_part_(const Charger &charger) const;
  Why obstacle_(const Charger &charger, uint32_t now) const;
  Demand demand_(const Charger &charger, uint32_t now) const;
  PoolMask pools_of_(const Charger &charger) const;
  PoolMask lenders_of_(const Charger &charger) const;
  /// What it draws is not known now: it may have stopped, and may go on.
  bool is_unsure_(const Charger &charger, uint32_t now) const {
    return !charger.view.online || (charger.config.is_remote() && now - charger.told > STALE_MS);
  }
  bool is_lost_(const Charger &charger, uint32_t now) const {
    return charger.config.is_remote() && !charger.view.online && now - charger.heard >= GRACE_MS;
  }
  uint32_t rank_(const Charger &charger, uint32_t now) const;
  Milliampere bound_of_(const Charger &charger) const;

  // what each gets
  /// A circuit above it whose meter has not spoken yet, or NO_CIRCUIT.
  uint8_t starting_(const Charger &charger) const;
  Why narrow_(const Charger &charger, uint32_t now) const;
  void remember_offer_(Charger &charger, uint32_t now);
  void decide_(Charger &charger, const Share &share, const Share &lasting, uint32_t now);
  void run_(Charger &charger, const Share &share, const Share &lasting, uint32_t now);
  void wait_(Charger &charger, const Share &lasting, uint32_t now);
  void start_(Charger &charger, uint32_t now);
  void pause_(Charger &charger, const Why &why, uint32_t now);
  Milliampere rise_(Charger &charger, uint32_t now) const;
  Why why_running_(const Charger &charger, const Share &share, const Share &lasting, bool rising, uint32_t now) const;
  Why why_limited_(uint8_t pool, uint32_t now) const;
  Milliampere ordered_(uint8_t pool, uint32_t now) const;
  Why why_pool_(uint8_t pool) const;
  void await_(Why &why, Next next) const;
  Why why_nothing_(const Charger &charger, const Share &share, uint32_t now) const;
  Why why_crowded_out_(const Charger &charger, uint32_t now) const;
  /// A meter above it sees a car on another phase.
  bool is_elsewhere_(const Charger &charger) const;
  bool is_kept_for_silent_(uint8_t pool, uint32_t now) const;

  Settings settings_;
  Circuit circuits_[MAX_CIRCUITS];
  Charger chargers_[MAX_CHARGERS];
  [[no_unique_address]] Part<SurplusAccount, HAS_SURPLUS> account_;
  [[no_unique_address]] Part<CapacityQuarter, HAS_CAPACITY> quarter_;
  int32_t surplus_{0};   // W
  int32_t to_spare_{0};  // W of it above what the running chargers and the next one need, for each phase of that one
  uint32_t stepped_{0};
  uint8_t circuit_count_{0};
  uint8_t charger_count_{0};
  bool dimmed_{false};
  bool turn_wanted_{false};  // one that waits would fit in, if one that had its turn went
};

}  // namespace esphome::esp32evse_load_manager
