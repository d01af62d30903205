#include "iso_time.h"

namespace esphome::esp32evse {

static char *put_digits(char *out, uint32_t value, uint8_t digits, char behind) {
  for (uint8_t i = digits; i-- > 0; value /= 10)
    out[i] = static_cast<char>('0' + value % 10);
  out[digits] = behind;
  return out + digits + 1;
}

void format_iso_time(uint64_t epoch, char *buffer) {
  const auto second = static_cast<uint32_t>(epoch % 86400);
  // Years that begin in March end with the leap day; 400 of them have 146097 days.
  const uint32_t days = static_cast<uint32_t>(epoch / 86400) + 719468;  // since 0000-03-01
  const uint32_t era = days / 146097;
  const uint32_t day_of_era = days % 146097;
  const uint32_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
  const uint32_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  const uint32_t march_month = (5 * day_of_year + 2) / 153;  // 0 is March
  const uint32_t month = march_month < 10 ? march_month + 3 : march_month - 9;
  buffer = put_digits(buffer, era * 400 + year_of_era + (month <= 2 ? 1 : 0), 4, '-');
  buffer = put_digits(buffer, month, 2, '-');
  buffer = put_digits(buffer, day_of_year - (153 * march_month + 2) / 5 + 1, 2, 'T');
  buffer = put_digits(buffer, second / 3600, 2, ':');
  buffer = put_digits(buffer, second / 60 % 60, 2, ':');
  buffer = put_digits(buffer, second % 60, 2, '+');
  buffer = put_digits(buffer, 0, 2, ':');
  put_digits(buffer, 0, 2, '\0');
}

}  // namespace esphome::esp32evse
