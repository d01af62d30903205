// The time of a host node, given from outside: preloaded into a node's program by host_clock.py.
//
// The clock stands still while the node works and moves only while it sleeps: every sleep tells the other end of a
// socket how long it wants to be and how many bytes the node has written to its serial port since the last one, and
// ends when the other end answers with the new time. So a run takes as long as its work, not as its time, the charger
// is exactly as fast as a real one, and the same run is the same again.

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define SECOND 1000000000ULL
#define EPOCH 1781000000ULL  // of the wall clock, at 0
#define MAX_SLEEPS_ALONE 20000

struct sleep_order {
  uint64_t wake_at;  // ns
  uint64_t written;  // bytes to the serial port
};

static int clock_fd = -1;
static uint64_t now, written;

static void obey(void) {
  ssize_t length;
  do {
    length = recv(clock_fd, &now, sizeof(now), 0);
  } while (length < 0 && errno == EINTR);
  if (length != sizeof(now))
    clock_fd = -2;  // the end: the clock goes on by itself, so that the node can close what it has open
}

__attribute__((constructor)) static void start(void) {
  const char *number = getenv("EVSE_CLOCK_FD");
  if (number == NULL)
    return;
  clock_fd = atoi(number);
  obey();
}

static void sleep_until(uint64_t wake_at) {
  if (clock_fd == -2) {
    static unsigned alone;
    if (++alone > MAX_SLEEPS_ALONE)
      _exit(1);  // nobody is there to end this node
    syscall(SYS_nanosleep, &(struct timespec) {0, 100000}, NULL);
    now = wake_at;
    return;
  }
  const struct sleep_order order = {wake_at, written};
  written = 0;
  if (send(clock_fd, &order, sizeof(order), MSG_NOSIGNAL) != sizeof(order))
    clock_fd = -2;
  else
    obey();
}

static uint64_t nanoseconds(time_t seconds, long rest) { return seconds * SECOND + rest; }

int clock_gettime(clockid_t clock, struct timespec *time) {
  if (clock_fd == -1)
    return syscall(SYS_clock_gettime, clock, time);
  time->tv_sec = now / SECOND + (clock == CLOCK_REALTIME ? EPOCH : 0);
  time->tv_nsec = now % SECOND;
  return 0;
}

int gettimeofday(struct timeval *restrict time, void *restrict zone) {
  struct timespec precise;
  (void) zone;
  clock_gettime(CLOCK_REALTIME, &precise);
  time->tv_sec = precise.tv_sec;
  time->tv_usec = precise.tv_nsec / 1000;
  return 0;
}

time_t time(time_t *result) {
  struct timespec precise;
  clock_gettime(CLOCK_REALTIME, &precise);
  if (result != NULL)
    *result = precise.tv_sec;
  return precise.tv_sec;
}

int nanosleep(const struct timespec *wanted, struct timespec *left) {
  if (clock_fd == -1)
    return syscall(SYS_nanosleep, wanted, left);
  sleep_until(now + nanoseconds(wanted->tv_sec, wanted->tv_nsec));
  return 0;
}

int usleep(useconds_t wanted) {
  return nanosleep(&(struct timespec) {wanted / 1000000, wanted % 1000000 * 1000L}, NULL);
}

// ESPHome's main loop sleeps here. What is there to be read does not shorten the sleep: the other end knows when it
// sends something, and ends the sleep itself.
int select(int count, fd_set *restrict in, fd_set *restrict out, fd_set *restrict errors,
           struct timeval *restrict timeout) {
  struct timespec limit = {0, 0};
  if (clock_fd != -1 && timeout != NULL) {
    sleep_until(now + nanoseconds(timeout->tv_sec, timeout->tv_usec * 1000));
  } else if (timeout != NULL) {
    limit = (struct timespec) {timeout->tv_sec, timeout->tv_usec * 1000};
  }
  return syscall(SYS_pselect6, count, in, out, errors, timeout == NULL ? NULL : &limit, NULL);
}

ssize_t write(int fd, const void *data, size_t length) {
  const ssize_t done = syscall(SYS_write, fd, data, length);
  if (clock_fd >= 0 && done > 0 && isatty(fd))
    written += done;
  return done;
}

// ESPHome's dice, which are read from here, are the same in every run.
FILE *fopen(const char *restrict path, const char *restrict mode) {
  FILE *(*const original)(const char *, const char *) = dlsym(RTLD_NEXT, "fopen");
  return original(clock_fd != -1 && strcmp(path, "/dev/urandom") == 0 ? "/dev/zero" : path, mode);
}
