// Counts a program's heap allocations by call stack; preload it. Nothing is counted before heap_watch_count(true).
//
// The program must be linked with -no-pie, so that its addresses in the result are those of its file.

#include <dlfcn.h>
#include <execinfo.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <mutex>

extern "C" {
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *old, size_t size);
}

namespace {

constexpr int MAX_DEPTH = 48;
constexpr size_t MAX_STACKS = 8192;

struct Stack {
  void *frames[MAX_DEPTH];
  int depth;
  unsigned long count;
  unsigned long bytes;
};

Stack stacks[MAX_STACKS];
size_t stack_count = 0;
unsigned long not_recorded = 0;  // no room for another stack
std::atomic<bool> counting{false};
std::mutex lock;
thread_local bool busy = false;

void record(size_t bytes) {
  if (!counting || busy)
    return;
  busy = true;
  void *frames[MAX_DEPTH];
  const int depth = backtrace(frames, MAX_DEPTH);
  const std::lock_guard<std::mutex> guard(lock);
  size_t i = 0;
  while (i < stack_count && (stacks[i].depth != depth || memcmp(stacks[i].frames, frames, depth * sizeof(void *)) != 0))
    i++;
  if (i == MAX_STACKS) {
    not_recorded++;
  } else {
    if (i == stack_count) {
      memcpy(stacks[i].frames, frames, sizeof(frames));
      stacks[i].depth = depth;
      stack_count++;
    }
    stacks[i].count++;
    stacks[i].bytes += bytes;
  }
  busy = false;
}

}  // namespace

extern "C" {

void *malloc(size_t size) {
  record(size);
  return __libc_malloc(size);
}

void *calloc(size_t count, size_t size) {
  record(count * size);
  return __libc_calloc(count, size);
}

void *realloc(void *old, size_t size) {
  record(size);
  return __libc_realloc(old, size);
}

void heap_watch_count(bool on) {
  void *frame;
  if (on)
    backtrace(&frame, 1);  // its first call allocates
  counting = on;
}

/// One line for each stack: count, bytes, then the addresses, the innermost first; a library's name instead of an
/// address in it. The first line is the number of allocations that found no room.
void heap_watch_write(const char *path) {
  busy = true;
  FILE *file = fopen(path, "w");
  fprintf(file, "%lu\n", not_recorded);
  for (size_t i = 0; i < stack_count; i++) {
    fprintf(file, "%lu %lu", stacks[i].count, stacks[i].bytes);
    for (int j = 0; j < stacks[i].depth; j++) {
      Dl_info info;
      const bool library = dladdr(stacks[i].frames[j], &info) != 0 && strstr(info.dli_fname, ".so") != nullptr;
      if (library) {
        fprintf(file, " %s", strrchr(info.dli_fname, '/') + 1);
      } else {
        fprintf(file, " %p", stacks[i].frames[j]);
      }
    }
    fprintf(file, "\n");
  }
  fclose(file);
  busy = false;
}
}
