#include "world.h"

#include <algorithm>

namespace balance {

int32_t Car::phases() const {
  const bool all = this->model_.second_phase > 0 && this->drawing_for_ > this->model_.second_phase;
  return all ? this->model_.all_phases : this->model_.phases;
}

Currents Car::current() const {
  Currents currents{};
  for (int phase = 0; phase < PHASES; phase++)
    currents[phase] = (this->phases() >> phase & 1) != 0 ? this->ampere_ : 0;
  return currents;
}

void Car::step(int now, const Offer &offer) {
  const int size = static_cast<int>(this->seen_.size());
  this->seen_[now % size] = offer;
  const bool offered = offer.run && this->connected(now);
  if (offered) {
    this->refused_since_ = -1;
    if (this->offered_since_ < 0)
      this->offered_since_ = now;
  } else {
    this->offered_since_ = -1;
    if (this->refused_since_ < 0)
      this->refused_since_ = now;
  }
  const bool patient = this->model_.patience == 0 || this->interruptions_ < this->model_.patience;
  const Offer &noticed = this->seen_[(now + size - static_cast<int>(this->model_.dead)) % size];
  double wanted = 0;
  if (offered && patient && now - this->offered_since_ >= this->model_.start_delay &&
      (this->drawing() || noticed.ampere >= this->model_.least_start))
    wanted = std::min(noticed.ampere, this->model_.most);
  if (wanted > this->ampere_) {
    this->ampere_ = std::min(this->ampere_ + this->model_.up, wanted);
  } else {
    this->ampere_ = std::max(this->ampere_ - std::max(this->model_.down, wanted == 0 ? 4.0 : 0.0), wanted);
  }
  if (this->drawing()) {
    this->closed_ = true;
    this->drawing_for_++;
  }
  const bool opens = !offered && this->closed_ && now - this->refused_since_ >= CONTACTOR_S;
  if (!this->connected(now))
    this->ampere_ = this->drawing_for_ = 0;
  if (!opens)
    return;
  this->ampere_ = this->drawing_for_ = 0;
  this->closed_ = false;
  if (this->connected(now)) {
    this->openings_++;
    this->interruptions_++;
  }
}

}  // namespace balance
