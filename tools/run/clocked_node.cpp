// Takes a host node out of real time; clocked_node.py preloads it. Time passes only where the node sleeps, and its
// serial ports are a conversation with the chargers' side, so that a run is the same every time and an hour takes
// seconds.
//
// EVSE_UART names the first serial port, the same with a 2 behind it is the second. EVSE_STEP_FD is the socket to the
// conversation's other end, EVSE_NOW_US the time at the start, EVSE_CLOCK_US what the monotonic clock shows at time 0,
// EVSE_RX_BUFFER how many unread bytes a serial port keeps. With heap_watch.cpp preloaded, too, allocations are
// counted.

#include <dlfcn.h>
#include <fcntl.h>
#include <malloc.h>
#include <sys/ioctl.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <termios.h>
#include <unistd.h>
#if __has_include(<valgrind/callgrind.h>)
#include <valgrind/callgrind.h>
#else
#define CALLGRIND_DUMP_STATS_AT(label) static_cast<void>(label)
#define CALLGRIND_TOGGLE_COLLECT
#endif

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdarg>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>

extern "C" {
__attribute__((weak)) void heap_watch_count(bool on);
__attribute__((weak)) void heap_watch_write(const char *path);
}

namespace {

constexpr uint64_t LOOP_US = 1000;  // a turn of the main loop that does not rest
constexpr time_t EPOCH_S = 1'781'000'000;
constexpr double BYTE_US = 10e6 / 115200;
constexpr size_t BUFFER = 1 << 16;
constexpr size_t PORTS = 4;

enum OrderFlag : uint32_t { COUNT_HEAP = 1, WRITE_HEAP = 2, PROFILE_LOOPS = 4, MEASURE = 8 };
enum BytesFlag : uint32_t { AT_ONCE = 1, LOSE = 2 };

// The conversation: a report when time has come to until_us or the node has said something, then an order. Each is
// followed by what goes over the serial ports.
struct __attribute__((packed)) Report {
  uint64_t now_us;
  uint32_t loops;      // of the hubs so far
  uint32_t most_read;  // bytes in one of them
  uint32_t all_read;   // bytes in all of them
  uint32_t most_unread;
  uint64_t heap_bytes;  // in use, as measured last
  uint32_t talked;      // to a client of its API
  uint32_t ports;       // that have sent something
};
struct __attribute__((packed)) Order {
  uint64_t until_us;
  uint32_t flags;
  uint32_t ports;  // that are to receive something
};
struct __attribute__((packed)) Bytes {
  uint32_t port;
  uint32_t flags;     // of those received
  uint64_t begin_us;  // when the first of them left, or begins to arrive
  uint32_t length;    // of what follows
};

struct Byte {
  uint64_t at_us;
  char value;
};

/// What arrives at the serial port, each byte at its time; beyond its buffer's size it is lost.
class Line {
 public:
  void feed(const char *data, size_t length, uint64_t begin_us, bool at_once) {
    for (size_t i = 0; i < length; i++) {
      const auto offset = at_once ? 0 : static_cast<uint64_t>(static_cast<double>(i + 1) * BYTE_US);
      this->ring_[this->fed_++ % BUFFER] = {begin_us + offset, data[i]};
    }
  }
  size_t unread(uint64_t now_us) {
    while (this->arrived_ < this->fed_ && this->ring_[this->arrived_ % BUFFER].at_us <= now_us) {
      if (this->arrived_ - this->read_ >= this->room_) {
        this->remove_(this->arrived_);
      } else {
        this->arrived_++;
      }
    }
    return this->arrived_ - this->read_;
  }
  size_t read(char *out, size_t size, uint64_t now_us) {
    const size_t length = std::min(size, this->unread(now_us));
    for (size_t i = 0; i < length; i++)
      out[i] = this->ring_[this->read_++ % BUFFER].value;
    return length;
  }
  /// What is still on its way never arrives.
  void lose(uint64_t now_us) {
    this->unread(now_us);
    this->fed_ = this->arrived_;
  }
  void set_room(size_t room) { this->room_ = room; }

 protected:
  void remove_(size_t at) {
    for (size_t i = at + 1; i < this->fed_; i++)
      this->ring_[(i - 1) % BUFFER] = this->ring_[i % BUFFER];
    this->fed_--;
  }

  std::array<Byte, BUFFER> ring_{};
  size_t read_{0}, arrived_{0}, fed_{0};
  size_t room_{0};
};

/// A serial port of the node.
struct Port {
  Line line;
  char sent[BUFFER]{};
  size_t sent_length{0};
  uint64_t sent_at_us{0};  // the first of them
  uint32_t loop_read{0}, loop_written{0};
  bool about_to_read{false};
};

uint64_t now_us = 0, until_us = 0, clock_start_us = 0, heap_bytes = 0;
uint32_t flags = 0;
uint32_t loops = 0, most_read = 0, all_read = 0, most_unread = 0;
bool talked = false;
int conversation = -1;
char buffer[BUFFER];
constinit Port ports[PORTS];
Port *opened[FD_SETSIZE]{};  // by its file

void must(bool ok, const char *what) {
  if (!ok) {
    fprintf(stderr, "clocked node: %s\n", what);
    _exit(3);
  }
}

/// The other end has gone.
[[noreturn]] void end() {
  if (getenv("EVSE_ORDERLY_END") != nullptr)
    exit(0);  // with what is to be done at an end, such as writing gcov's counters
  _exit(0);
}

void get(void *data, size_t size) {
  for (size_t done = 0; done < size;) {
    const long count = syscall(SYS_read, conversation, static_cast<char *>(data) + done, size - done);
    if (count < 0 && errno == EINTR)
      continue;
    if (count <= 0)
      end();
    done += count;
  }
}

void put(const iovec *parts, int count) {
  size_t length = 0;
  for (int i = 0; i < count; i++)
    length += parts[i].iov_len;
  if (syscall(SYS_writev, conversation, parts, count) != static_cast<long>(length))
    end();
}

void obey(uint32_t order) {
  if ((order ^ flags) & COUNT_HEAP && heap_watch_count != nullptr)
    heap_watch_count(order & COUNT_HEAP);
  if (order & WRITE_HEAP && heap_watch_write != nullptr)
    heap_watch_write(getenv("EVSE_HEAP_FILE"));
  if ((order ^ flags) & PROFILE_LOOPS)
    CALLGRIND_DUMP_STATS_AT("before");
  heap_bytes = order & MEASURE ? mallinfo2().uordblks : heap_bytes;
  flags = order;
}

void report() {
  Report report{now_us, loops, most_read, all_read, most_unread, heap_bytes, talked, 0};
  Bytes heads[PORTS];
  iovec parts[1 + 2 * PORTS];
  int count = 0;
  parts[count++] = {&report, sizeof(report)};
  for (uint32_t i = 0; i < PORTS; i++) {
    Port &port = ports[i];
    if (port.sent_length == 0)
      continue;
    heads[report.ports] = {i, 0, port.sent_at_us, static_cast<uint32_t>(port.sent_length)};
    parts[count++] = {&heads[report.ports++], sizeof(Bytes)};
    parts[count++] = {port.sent, port.sent_length};
  }
  put(parts, count);
  for (Port &port : ports)
    port.sent_length = 0;
  talked = false;
}

void receive() {
  Bytes bytes;
  get(&bytes, sizeof(bytes));
  must(bytes.port < PORTS && bytes.length <= BUFFER, "too much received");
  get(buffer, bytes.length);
  Line &line = ports[bytes.port].line;
  if (bytes.flags & LOSE)
    line.lose(now_us);
  line.feed(buffer, bytes.length, bytes.begin_us, bytes.flags & AT_ONCE);
}

void converse() {
  report();
  Order order;
  get(&order, sizeof(order));
  obey(order.flags);
  for (uint32_t i = 0; i < order.ports; i++)
    receive();
  until_us = order.until_us;
}

bool has_sent() {
  return std::any_of(ports, ports + PORTS, [](const Port &port) { return port.sent_length > 0; });
}

uint64_t setting(const char *name) {
  const char *value = getenv(name);
  return value == nullptr ? 0 : strtoull(value, nullptr, 10);
}

/// Without a word to the other end: valgrind starts its programs from one that has this library, too.
__attribute__((constructor)) void start() {
  conversation = static_cast<int>(setting("EVSE_STEP_FD"));
  clock_start_us = setting("EVSE_CLOCK_US");
  now_us = setting("EVSE_NOW_US");
  for (Port &port : ports)
    port.line.set_room(setting("EVSE_RX_BUFFER"));
}

/// Time passes to `end_us`, or to where `wake()` says that the sleep is over.
template<typename Wake> void pass_to(uint64_t end_us, Wake &&wake) {
  if (has_sent() || talked)
    converse();
  while (until_us <= end_us && !wake()) {
    now_us = std::max(now_us, until_us);
    converse();
  }
  if (!wake())
    now_us = std::max(now_us, end_us);
}

void pass(uint64_t duration_us) {
  pass_to(now_us + duration_us, [] { return false; });
}

int ready_now(int count, fd_set *wanted, fd_set *ready) {
  const timespec none{};
  *ready = *wanted;
  return syscall(SYS_pselect6, count, ready, nullptr, nullptr, &none, nullptr);
}

/// A hub asks what is there, and ESPHome's UART asks again before it reads: with the first question one loop ends and
/// the next begins.
void on_question(Port &port) {
  if (port.about_to_read)
    return;
  port.about_to_read = port.line.unread(now_us) > 0;
  if (flags & PROFILE_LOOPS) {
    char label[40];
    snprintf(label, sizeof(label), "loop %u %u", port.loop_read, port.loop_written);
    CALLGRIND_DUMP_STATS_AT(label);
  }
  loops++;
  port.loop_read = port.loop_written = 0;
}

/// The port behind an open file, or none.
Port *port_of(int fd) { return fd >= 0 && fd < FD_SETSIZE ? opened[fd] : nullptr; }

/// The port of that name, or none.
Port *port_named(const char *path) {
  const char *first = getenv("EVSE_UART");
  const size_t length = first == nullptr ? 0 : strlen(first);
  if (length == 0 || strncmp(path, first, length) != 0)
    return nullptr;
  const unsigned long number = path[length] == '\0' ? 1 : strtoul(path + length, nullptr, 10);
  must(number >= 1 && number <= PORTS, "no such serial port");
  return &ports[number - 1];
}

/// Under callgrind, what stands for the UART driver is not counted as the component's.
struct NotCounted {
  NotCounted() { CALLGRIND_TOGGLE_COLLECT; }
  ~NotCounted() { CALLGRIND_TOGGLE_COLLECT; }
};

void note_talk(int fd, long done) {
  if (fd > STDERR_FILENO && done > 0)
    talked = true;
}

}  // namespace

extern "C" {

int open(const char *path, int mode, ...) {
  va_list arguments;
  va_start(arguments, mode);
  const int permissions = va_arg(arguments, int);
  va_end(arguments);
  Port *const port = port_named(path);
  if (port == nullptr)
    return syscall(SYS_openat, AT_FDCWD, path, mode, permissions);
  const int fd = syscall(SYS_openat, AT_FDCWD, "/dev/null", O_RDWR, 0);
  must(fd >= 0 && fd < FD_SETSIZE, "too many files");
  opened[fd] = port;
  return fd;
}

int ioctl(int fd, unsigned long request, ...) {
  va_list arguments;
  va_start(arguments, request);
  void *argument = va_arg(arguments, void *);
  va_end(arguments);
  Port *const port = port_of(fd);
  if (port == nullptr || request != FIONREAD)
    return syscall(SYS_ioctl, fd, request, argument);
  const NotCounted pause;
  on_question(*port);
  const size_t unread = port->line.unread(now_us);
  most_unread = std::max<uint32_t>(most_unread, unread);
  *static_cast<int *>(argument) = unread;
  return 0;
}

ssize_t read(int fd, void *data, size_t size) {
  Port *const port = port_of(fd);
  if (port == nullptr)
    return syscall(SYS_read, fd, data, size);
  const NotCounted pause;
  const size_t length = port->line.read(static_cast<char *>(data), size, now_us);
  port->about_to_read = false;
  port->loop_read += length;
  all_read += length;
  most_read = std::max(most_read, port->loop_read);
  return length;
}

ssize_t write(int fd, const void *data, size_t size) {
  Port *const port = port_of(fd);
  if (port == nullptr) {
    const long done = syscall(SYS_write, fd, data, size);
    note_talk(fd, done);
    return done;
  }
  const NotCounted pause;
  must(port->sent_length + size <= BUFFER, "too much sent");
  if (port->sent_length == 0)
    port->sent_at_us = now_us;
  memcpy(port->sent + port->sent_length, data, size);
  port->sent_length += size;
  port->loop_written += size;
  return size;
}

ssize_t writev(int fd, const iovec *parts, int count) {
  const long done = syscall(SYS_writev, fd, parts, count);
  note_talk(fd, done);
  return done;
}

ssize_t send(int fd, const void *data, size_t size, int options) {
  const long done = syscall(SYS_sendto, fd, data, size, options, nullptr, 0);
  note_talk(fd, done);
  return done;
}

int clock_gettime(clockid_t clock, timespec *time) {
  const uint64_t shown_us = clock == CLOCK_REALTIME ? EPOCH_S * 1'000'000ULL + now_us : clock_start_us + now_us;
  time->tv_sec = shown_us / 1'000'000;
  time->tv_nsec = shown_us % 1'000'000 * 1000;
  return 0;
}

int gettimeofday(timeval *__restrict result, void *__restrict /*zone*/) {
  timespec precise;
  clock_gettime(CLOCK_REALTIME, &precise);
  *result = {precise.tv_sec, precise.tv_nsec / 1000};
  return 0;
}

time_t time(time_t *result) {
  const time_t seconds = EPOCH_S + now_us / 1'000'000;
  if (result != nullptr)
    *result = seconds;
  return seconds;
}

int nanosleep(const timespec *duration, timespec * /*left*/) {
  pass(duration->tv_sec * 1'000'000ULL + duration->tv_nsec / 1000);
  return 0;
}

int usleep(useconds_t duration_us) {
  pass(duration_us);
  return 0;
}

/// ESPHome's main loop rests here, until its time is over or a client has something for it. It is not woken by bytes
/// from the charger.
int select(int count, fd_set *__restrict sockets, fd_set *__restrict /*write*/, fd_set *__restrict /*error*/,
           timeval *__restrict timeout) {
  const uint64_t end_us = now_us + timeout->tv_sec * 1'000'000ULL + timeout->tv_usec;
  fd_set ready;
  pass(LOOP_US);
  pass_to(end_us, [&] { return ready_now(count, sockets, &ready) > 0; });
  const int result = ready_now(count, sockets, &ready);
  *sockets = ready;
  return result;
}

// ESPHome's dice, which are read from here, are the same in every run.
FILE *fopen(const char *path, const char *mode) {
  static auto *const original = reinterpret_cast<FILE *(*)(const char *, const char *)>(dlsym(RTLD_NEXT, "fopen"));
  return original(strcmp(path, "/dev/urandom") == 0 ? "/dev/zero" : path, mode);
}
}
