#pragma once
#include <stdint.h>
#include "sdkconfig.h"
typedef uint32_t TickType_t;
typedef int BaseType_t;
typedef unsigned UBaseType_t;
typedef uint8_t StackType_t;
typedef struct {
  void *opaque[24];
} StaticTask_t;
typedef struct {
  void *opaque[22];
} StaticSemaphore_t;
#define configTICK_RATE_HZ CONFIG_FREERTOS_HZ
#define configTASK_NOTIFICATION_ARRAY_ENTRIES CONFIG_FREERTOS_TASK_NOTIFICATION_ARRAY_ENTRIES
#define portTICK_PERIOD_MS ((TickType_t) 1000 / configTICK_RATE_HZ)
#define pdMS_TO_TICKS(ms) ((TickType_t) (((uint64_t) (ms) *configTICK_RATE_HZ) / 1000))
#define portMAX_DELAY 0xffffffffUL
#define pdTRUE 1
#define pdFALSE 0
#define pdPASS 1
extern "C" BaseType_t xPortInIsrContext(void);
