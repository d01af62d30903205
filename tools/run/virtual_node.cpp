// A node for this computer that lives in virtual time, as a library: the sources that ESPHome generated, complete but
// for the clock, the UART, the log's output and main(), which are here. See virtual_node.py.

#include <malloc.h>

#include <array>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <string>

#include "esphome.h"
#include "esphome/components/host/core.h"
#include "esphome/components/host/preferences.h"
#include "esphome/components/uart/uart_component_host.h"

using namespace esphome;

void setup();

namespace {

constexpr double BYTE_US = 10e6 / 115200;
constexpr uint32_t LEAST_LOOP_US = 300;  // a turn of the main loop that does not rest takes this to twice this long

// --- time -------------------------------------------------------------------------------------------------------------

uint64_t clock_us = 0;      // since the start
uint64_t next_loop_us = 0;  // the main loop rests until then
uint64_t clock_start_ms = 0;
uint64_t epoch_start_s = 0;
uint64_t loops = 0;
char home[256];
uint32_t dice = 1;

uint32_t throw_dice() {
  dice = dice * 1664525 + 1013904223;
  return dice >> 16;
}

void rest(uint64_t us) {
  const uint64_t least = LEAST_LOOP_US + throw_dice() % LEAST_LOOP_US;
  next_loop_us = clock_us + (us > least ? us : least);
}

// --- the line ---------------------------------------------------------------------------------------------------------

struct Byte {
  uint64_t at;
  uint8_t value;
};

std::array<Byte, 1 << 14> received;  // a ring; all that has been fed and not read
size_t read_count = 0;
size_t fed_count = 0;
size_t arrived_count = 0;
size_t most_unread = 0;

Byte &byte_at(size_t count) { return received[count % received.size()]; }

size_t unread() {
  while (arrived_count < fed_count && byte_at(arrived_count).at <= clock_us)
    arrived_count++;
  return arrived_count - read_count;
}

char sent[1024];
size_t sent_length = 0;
uint64_t sent_at_us = 0;

// --- how old values get: the time between two lines of a name on the wire ---------------------------------------------

struct Watched {
  char name[32];
  uint64_t seen_us;
  uint64_t longest_us;
  uint64_t lines;
};

std::array<Watched, 256> watched{};  // by hash

Watched &watched_slot(const char *name, size_t length) {
  uint8_t at = 0;
  for (size_t i = 0; i < length; i++)
    at = static_cast<uint8_t>(at * 31 + name[i]);
  while (watched[at].name[0] != '\0' &&
         (strncmp(watched[at].name, name, length) != 0 || watched[at].name[length] != '\0'))
    at++;
  return watched[at];
}

void see(Watched &value, uint64_t now_us) {
  if (now_us - value.seen_us > value.longest_us)
    value.longest_us = now_us - value.seen_us;
  value.seen_us = now_us;
}

char line[160];
size_t line_length = 0;

void see_byte(uint8_t byte, uint64_t now_us) {
  if (byte != '\n') {
    if (line_length < sizeof(line))
      line[line_length++] = static_cast<char>(byte);
    return;
  }
  const auto *equals = static_cast<const char *>(memchr(line, '=', line_length));
  if (line_length > 1 && line[0] == '+' && equals != nullptr && equals - line < 32) {
    Watched &value = watched_slot(line + 1, equals - line - 1);
    if (value.name[0] != '\0') {
      see(value, now_us);
      value.lines++;
    }
  }
  line_length = 0;
}

// --- heap and log -----------------------------------------------------------------------------------------------------

uint64_t allocations = 0;
int64_t live_blocks = 0;
int64_t live_bytes = 0;

void *note(void *memory) {
  if (memory != nullptr) {
    allocations++;
    live_blocks++;
    live_bytes += static_cast<int64_t>(malloc_usable_size(memory));
  }
  return memory;
}

void forget(void *memory) {
  if (memory != nullptr) {
    live_blocks--;
    live_bytes -= static_cast<int64_t>(malloc_usable_size(memory));
  }
}

char log_text[1 << 16];
size_t log_length = 0;
uint64_t log_lines = 0;

}  // namespace

extern "C" {
void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *memory, size_t size);
void *__real_aligned_alloc(size_t alignment, size_t size);
void __real_free(void *memory);

void *__wrap_malloc(size_t size) { return note(__real_malloc(size)); }
void *__wrap_calloc(size_t count, size_t size) { return note(__real_calloc(count, size)); }
void *__wrap_aligned_alloc(size_t alignment, size_t size) { return note(__real_aligned_alloc(alignment, size)); }
void *__wrap_realloc(void *memory, size_t size) {
  forget(memory);
  return note(__real_realloc(memory, size));
}
void __wrap_free(void *memory) {
  forget(memory);
  __real_free(memory);
}
char *__real_getenv(const char *name);
char *__wrap_getenv(const char *name) { return strcmp(name, "HOME") == 0 ? home : __real_getenv(name); }
time_t __wrap_time(time_t *out) {
  const auto now = static_cast<time_t>(epoch_start_s + clock_us / 1000000);
  if (out != nullptr)
    *out = now;
  return now;
}
}

// --- what ESPHome's host platform would do --------------------------------------------------------------------------

namespace esphome {

uint64_t millis_64() { return clock_start_ms + clock_us / 1000; }
uint32_t millis() { return static_cast<uint32_t>(millis_64()); }
uint32_t micros() { return static_cast<uint32_t>(clock_start_ms * 1000 + clock_us); }
void delay(uint32_t ms) { clock_us += ms * 1000; }
void delayMicroseconds(uint32_t us) { clock_us += us; }
uint32_t arch_get_cpu_cycle_count() { return micros(); }
void arch_restart() { abort(); }

std::atomic<uint8_t> g_wake_requested{0};
bool wake_register_fd(int fd) { return fd >= 0; }
void wake_unregister_fd(int fd) {}
void wake_setup() {}
void wake_loop_threadsafe() { wake_request_set(); }

bool random_bytes(uint8_t *data, size_t len) {
  for (size_t i = 0; i < len; i++)
    data[i] = static_cast<uint8_t>(throw_dice());
  return true;
}
// There is one thread only.
Mutex::Mutex() {}
Mutex::~Mutex() {}
void Mutex::lock() {}
bool Mutex::try_lock() { return true; }
void Mutex::unlock() {}
void get_mac_address_raw(uint8_t *mac) { memset(mac, 2, 6); }

namespace internal {
int g_wake_socket_fd = -1;
fd_set g_read_fds{};
void wakeable_delay(uint32_t ms) { rest(static_cast<uint64_t>(ms) * 1000); }
}  // namespace internal

namespace logger {
void Logger::pre_setup() { global_logger = this; }
void Logger::write_msg_(const char *msg, uint16_t len) {
  log_lines++;
  const int room = static_cast<int>(sizeof(log_text) - log_length);
  const int length = snprintf(log_text + log_length, room, "%.3f %.*s", clock_us / 1e6, static_cast<int>(len), msg);
  if (length < room)
    log_length += length;
}
}  // namespace logger

namespace uart {
HostUartComponent::~HostUartComponent() = default;
void HostUartComponent::setup() {}
void HostUartComponent::dump_config() {}
void HostUartComponent::update_error_(const std::string &error) {}
UARTFlushResult HostUartComponent::flush() { return UARTFlushResult{}; }
bool HostUartComponent::peek_byte(uint8_t *data) { return false; }

size_t HostUartComponent::available() {
  const size_t count = unread();
  if (count > most_unread)
    most_unread = count;
  return count;
}

bool HostUartComponent::read_array(uint8_t *data, size_t len) {
  if (unread() < len)
    return false;
  for (size_t i = 0; i < len; i++)
    data[i] = byte_at(read_count++).value;
  return true;
}

void HostUartComponent::write_array(const uint8_t *data, size_t len) {
  if (sent_length + len > sizeof(sent))
    abort();
  if (sent_length == 0)
    sent_at_us = clock_us;
  memcpy(sent + sent_length, data, len);
  sent_length += len;
}
}  // namespace uart

}  // namespace esphome

// --- for virtual_node.py ----------------------------------------------------------------------------------------------

namespace {

struct Writer {
  char *out;
  size_t room;

  void entity(const char *platform, const EntityBase *entity, const char *value) {
    const int length = snprintf(this->out, this->room, "%s\t%s\t%s\n", platform, entity->get_name().c_str(), value);
    if (length < 0 || static_cast<size_t>(length) >= this->room)
      abort();
    this->out += length;
    this->room -= length;
  }
  void number(const char *platform, const EntityBase *entity, bool known, float value) {
    char text[32] = "?";
    if (known && !std::isnan(value))
      snprintf(text, sizeof(text), "%.9g", value);
    this->entity(platform, entity, text);
  }
  void flag(const char *platform, const EntityBase *entity, bool known, bool value) {
    this->entity(platform, entity, known ? (value ? "1" : "0") : "?");
  }
};

template<typename Entities> auto *find(const Entities &entities, const char *name) {
  for (auto *entity : entities) {
    if (strcmp(entity->get_name().c_str(), name) == 0)
      return entity;
  }
  fprintf(stderr, "no entity %s\n", name);
  abort();
}

}  // namespace

extern "C" {

/// Starts the node; its millisecond clock shows `clock_ms`, the time of day is `epoch_s`, it saves in `directory`.
void node_start(uint64_t clock_ms, uint64_t epoch_s, uint32_t seed, const char *directory) {
  snprintf(home, sizeof(home), "%s", directory);
  clock_start_ms = clock_ms;
  epoch_start_s = epoch_s;
  dice = seed;
  host::setup_preferences();
  setup();
}

/// Feeds bytes that begin to arrive at `begin_us` and lives on to `until_us`, or to the first transmission before it.
/// Returns the length of what was sent.
size_t node_step(const uint8_t *data, size_t length, uint64_t begin_us, uint64_t until_us) {
  for (size_t i = 0; i < length; i++) {
    const uint64_t at = begin_us + static_cast<uint64_t>(static_cast<double>(i + 1) * BYTE_US);
    byte_at(fed_count++) = {at, data[i]};
    see_byte(data[i], at);
  }
  if (fed_count - read_count > received.size())
    abort();
  while (next_loop_us <= until_us && sent_length == 0) {
    if (next_loop_us > clock_us)
      clock_us = next_loop_us;
    loops++;
    App.loop();
  }
  if (sent_length == 0 && until_us > clock_us)
    clock_us = until_us;
  return sent_length;
}

/// What was sent, and when its first byte left.
size_t node_take_sent(char *out, uint64_t *at_us) {
  const size_t length = sent_length;
  memcpy(out, sent, length);
  *at_us = sent_at_us;
  sent_length = 0;
  return length;
}

size_t node_states(char *out, size_t room) {
  Writer writer{out, room};
  for (auto *entity : App.get_sensors())
    writer.number("sensor", entity, entity->has_state(), entity->state);
  for (auto *entity : App.get_binary_sensors())
    writer.flag("binary_sensor", entity, entity->has_state(), entity->state);
  for (auto *entity : App.get_text_sensors())
    writer.entity("text_sensor", entity, entity->has_state() ? entity->state.c_str() : "?");
  for (auto *entity : App.get_switches())
    writer.flag("switch", entity, true, entity->state);
  for (auto *entity : App.get_numbers())
    writer.number("number", entity, entity->has_state(), entity->state);
  for (auto *entity : App.get_selects())
    writer.entity("select", entity, entity->has_state() ? entity->current_option().c_str() : "?");
  for (auto *entity : App.get_texts())
    writer.entity("text", entity, entity->has_state() ? entity->state.c_str() : "?");
  return writer.out - out;
}

void node_set_number(const char *name, float value) {
  find(App.get_numbers(), name)->make_call().set_value(value).perform();
}
void node_set_switch(const char *name, bool on) {
  auto *entity = find(App.get_switches(), name);
  on ? entity->turn_on() : entity->turn_off();
}
void node_set_select(const char *name, const char *option) {
  find(App.get_selects(), name)->make_call().set_option(option).perform();
}
void node_set_text(const char *name, const char *value) {
  find(App.get_texts(), name)->make_call().set_value(value).perform();
}
void node_press(const char *name) { find(App.get_buttons(), name)->press(); }

/// Watches for lines of this name.
void node_watch(const char *name) {
  Watched &value = watched_slot(name, strlen(name));
  snprintf(value.name, sizeof(value.name), "%s", name);
}
/// The longest time without a line of this name since the last call, to now; counting begins anew.
uint64_t node_take_longest_us(const char *name) {
  Watched &value = watched_slot(name, strlen(name));
  const uint64_t seen_us = value.seen_us;
  see(value, clock_us > seen_us ? clock_us : seen_us);
  const uint64_t longest_us = value.longest_us;
  value.longest_us = 0;
  value.seen_us = seen_us;
  return longest_us;
}
/// Nothing could be heard until now.
void node_forgive(const char *name) { watched_slot(name, strlen(name)).seen_us = clock_us; }

size_t node_take_log(char *out) {
  const size_t length = log_length;
  memcpy(out, log_text, length);
  log_length = 0;
  return length;
}

/// Allocations since the start, living blocks, living bytes, most bytes unread at once, turns of the main loop.
void node_figures(int64_t *out) {
  out[0] = static_cast<int64_t>(allocations);
  out[1] = live_blocks;
  out[2] = live_bytes;
  out[3] = static_cast<int64_t>(most_unread);
  out[4] = static_cast<int64_t>(loops);
}
}
