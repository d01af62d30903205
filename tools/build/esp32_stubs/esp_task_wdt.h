#pragma once
extern "C" int esp_task_wdt_reset(void);
