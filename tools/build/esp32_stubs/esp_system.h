#pragma once
extern "C" {
[[noreturn]] void esp_system_abort(const char *reason);
[[noreturn]] void esp_restart(void);
}
