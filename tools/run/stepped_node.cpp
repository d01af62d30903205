// Takes a host node out of real time; preload it. Time passes only where the node sleeps, and its serial port is a
// conversation with tools/run/stepped_node.py, so that a run is the same every time and an hour takes seconds.
//
// EVSE_UART names the serial port, EVSE_STEP_FD the socket to the conversation's other end.

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <termios.h>
#include <unistd.h>
#if __has_include(<valgrind/callgrind.h>)
#include <valgrind/callgrind.h>
#else
#define CALLGRIND_DUMP_STATS_AT(label) static_cast<void>(label)
#define CALLGRIND_TOGGLE_COLLECT
#endif

#include <algorithm>
#include <cstdarg>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>

extern "C" {
void heap_watch_count(bool on);
void heap_watch_write(const char *path);
}

namespace {

constexpr uint64_t LOOP_US = 1000;  // that a loop without a sleep lasts
constexpr time_t EPOCH_S = 1781000000;
constexpr size_t BUFFER = 1 << 16;

enum OrderFlag : uint32_t { COUNT_HEAP = 1, WRITE_HEAP = 2, PROFILE_LOOPS = 4 };

// The conversation: a report when time has come to next_event_us or something was sent, then an order.
struct __attribute__((packed)) Report {
  uint64_t now_us;
  uint32_t loops;      // of the hub so far
  uint32_t most_read;  // bytes in one of them
  uint32_t all_read;   // bytes in all of them
  uint32_t length;     // of the bytes sent, which follow
};
struct Order {
  uint64_t next_event_us;
  uint32_t flags;
  uint32_t length;  // of the bytes received, which follow
};

uint64_t now_us = 10'000'000;
uint64_t next_event_us = 0;
uint32_t flags = 0;
uint32_t loops = 0, most_read = 0, all_read = 0;
uint32_t loop_read = 0, loop_written = 0;
bool about_to_read = false;
int uart = -1;
char sent[BUFFER], received[BUFFER];
size_t sent_length = 0, received_length = 0;

void must(bool ok, const char *what) {
  if (!ok) {
    fprintf(stderr, "stepped node: %s\n", what);
    _exit(3);
  }
}

int conversation() {
  static const int fd = atoi(getenv("EVSE_STEP_FD"));
  return fd;
}

void get(void *data, size_t size) {
  for (size_t done = 0; done < size;) {
    const long count = syscall(SYS_read, conversation(), static_cast<char *>(data) + done, size - done);
    if (count <= 0)
      _exit(0);  // the other end has gone
    done += count;
  }
}

void put(const void *data, size_t size) {
  must(syscall(SYS_write, conversation(), data, size) == static_cast<long>(size), "cannot report");
}

void obey(uint32_t order) {
  if ((order ^ flags) & COUNT_HEAP)
    heap_watch_count(order & COUNT_HEAP);
  if (order & WRITE_HEAP)
    heap_watch_write(getenv("EVSE_HEAP_FILE"));
  if ((order ^ flags) & PROFILE_LOOPS)
    CALLGRIND_DUMP_STATS_AT("before");
  flags = order;
}

void converse() {
  const Report report{now_us, loops, most_read, all_read, static_cast<uint32_t>(sent_length)};
  put(&report, sizeof(report));
  if (sent_length > 0)
    put(sent, sent_length);
  sent_length = 0;
  Order order;
  get(&order, sizeof(order));
  must(received_length + order.length <= BUFFER, "too much received");
  get(received + received_length, order.length);
  received_length += order.length;
  next_event_us = order.next_event_us;
  obey(order.flags);
}

void pass(uint64_t duration_us) {
  const uint64_t end = now_us + duration_us;
  if (sent_length > 0)
    converse();
  while (next_event_us <= end) {
    now_us = std::max(now_us, next_event_us);
    converse();
  }
  now_us = end;
}

int ready_now(int count, fd_set *wanted, fd_set *ready) {
  const timespec none{};
  *ready = *wanted;
  return syscall(SYS_pselect6, count, ready, nullptr, nullptr, &none, nullptr);
}

/// The hub asks what is there, and ESPHome's UART asks again before it reads: with the first question one loop ends and
/// the next begins.
void on_question() {
  if (about_to_read)
    return;
  about_to_read = received_length > 0;
  if (flags & PROFILE_LOOPS) {
    char label[40];
    snprintf(label, sizeof(label), "loop %u %u", loop_read, loop_written);
    CALLGRIND_DUMP_STATS_AT(label);
  }
  loops++;
  loop_read = loop_written = 0;
}

/// Under callgrind, what stands for the UART driver is not counted as the component's.
struct NotCounted {
  NotCounted() { CALLGRIND_TOGGLE_COLLECT; }
  ~NotCounted() { CALLGRIND_TOGGLE_COLLECT; }
};

}  // namespace

extern "C" {

int open(const char *path, int mode, ...) {
  va_list arguments;
  va_start(arguments, mode);
  const int permissions = va_arg(arguments, int);
  va_end(arguments);
  const char *port = getenv("EVSE_UART");
  if (port == nullptr || strcmp(path, port) != 0)
    return syscall(SYS_openat, AT_FDCWD, path, mode, permissions);
  uart = syscall(SYS_openat, AT_FDCWD, "/dev/null", O_RDWR, 0);
  return uart;
}

int ioctl(int fd, unsigned long request, ...) {
  va_list arguments;
  va_start(arguments, request);
  void *argument = va_arg(arguments, void *);
  va_end(arguments);
  if (fd != uart || request != FIONREAD)
    return syscall(SYS_ioctl, fd, request, argument);
  const NotCounted pause;
  on_question();
  *static_cast<int *>(argument) = received_length;
  return 0;
}

ssize_t read(int fd, void *data, size_t size) {
  if (fd != uart)
    return syscall(SYS_read, fd, data, size);
  const NotCounted pause;
  const size_t length = std::min(size, received_length);
  memcpy(data, received, length);
  received_length -= length;
  about_to_read = false;
  memmove(received, received + length, received_length);
  loop_read += length;
  all_read += length;
  most_read = std::max(most_read, loop_read);
  return length;
}

ssize_t write(int fd, const void *data, size_t size) {
  if (fd != uart)
    return syscall(SYS_write, fd, data, size);
  const NotCounted pause;
  must(sent_length + size <= BUFFER, "too much sent");
  memcpy(sent + sent_length, data, size);
  sent_length += size;
  loop_written += size;
  return size;
}

int clock_gettime(clockid_t clock, timespec *time) {
  time->tv_sec = now_us / 1'000'000 + (clock == CLOCK_REALTIME ? EPOCH_S : 0);
  time->tv_nsec = now_us % 1'000'000 * 1000;
  return 0;
}

time_t time(time_t *result) {
  const time_t seconds = EPOCH_S + now_us / 1'000'000;
  if (result != nullptr)
    *result = seconds;
  return seconds;
}

int nanosleep(const timespec *duration, timespec * /*left*/) {
  pass(duration->tv_sec * 1'000'000 + duration->tv_nsec / 1000);
  return 0;
}

int select(int count, fd_set *sockets, fd_set * /*write*/, fd_set * /*error*/, timeval *timeout) {
  const uint64_t wait = timeout->tv_sec * 1'000'000 + timeout->tv_usec;
  fd_set ready;
  pass(ready_now(count, sockets, &ready) > 0 ? LOOP_US : std::max(wait, LOOP_US));
  const int result = ready_now(count, sockets, &ready);
  *sockets = ready;
  return result;
}
}
