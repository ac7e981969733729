#include "quiet.h"

#ifdef Py_GIL_DISABLED

#    include <stdatomic.h>
#    include <string.h>

enum { PLACES_LOG2 = 9 }; /* 8 KB a thread */

typedef struct {
    PyObject *code;  /* borrowed: never looked into */
    uint32_t source;
    uint32_t destination;
} quiet_event;

static _Thread_local struct {
    uint64_t epoch;
    quiet_event events[1 << PLACES_LOG2];
} remembered;

static _Atomic uint64_t epoch = 1;

static quiet_event *
place_of(PyObject *code, uint32_t source, uint32_t destination)
{
    const uint64_t key = (uint64_t)(uintptr_t)code ^ (uint64_t)source << 32 ^ (uint64_t)destination << 44;

    return &remembered.events[key * UINT64_C(0x9E3779B97F4A7C15) >> (64 - PLACES_LOG2)];
}

bool
quiet_knows(PyObject *code, uint32_t source, uint32_t destination)
{
    if (remembered.epoch != atomic_load_explicit(&epoch, memory_order_relaxed)) {
        return false;
    }
    const quiet_event *event = place_of(code, source, destination);
    return event->code == code && event->source == source && event->destination == destination;
}

void
quiet_remember(PyObject *code, uint32_t source, uint32_t destination)
{
    const uint64_t now = atomic_load_explicit(&epoch, memory_order_relaxed);
    if (remembered.epoch != now) {
        memset(&remembered, 0, sizeof(remembered));
        remembered.epoch = now;
    }
    *place_of(code, source, destination) = (quiet_event){code, source, destination};
}

void
quiet_forget(void)
{
    atomic_fetch_add_explicit(&epoch, 1, memory_order_relaxed);
}

#else

typedef int not_empty;  /* ISO C wants a declaration */

#endif
