#include "lock.h"

#ifdef Py_GIL_DISABLED

#    include <stdatomic.h>
#    include <stdbool.h>

#    include "platform.h"

static PyMutex mutex;
static _Atomic unsigned long owner;  /* who has it: 0, or what only that thread has written here */
static unsigned depth;               /* how often: the owner's */
static bool is_locked;               /* the mutex, by the owner */

static platform_once prepared = PLATFORM_ONCE;
static int prepare_error;

static void
free_in_child(void)
{
    mutex = (PyMutex){0};
    atomic_store_explicit(&owner, 0, memory_order_relaxed);
    depth = 0;
}

static void
watch_forks(void)
{
    prepare_error = platform_watch_forks(free_in_child);
}

int
lock_prepare(void)
{
    platform_call_once(&prepared, watch_forks);
    return prepare_error;
}

void
lock_take(void)
{
    const unsigned long self = PyThread_get_thread_ident();
    if (atomic_load_explicit(&owner, memory_order_relaxed) != self) {
        const bool needed = !Py_IsFinalizing();
        if (needed) {
            PyMutex_Lock(&mutex);
        }
        is_locked = needed;
        atomic_store_explicit(&owner, self, memory_order_relaxed);
    }
    depth++;
}

void
lock_give(void)
{
    if (--depth == 0) {
        atomic_store_explicit(&owner, 0, memory_order_relaxed);
        if (is_locked) {
            PyMutex_Unlock(&mutex);
        }
    }
}

unsigned
lock_let_go(void)
{
    const unsigned taken = depth;
    depth = 1;
    lock_give();
    return taken;
}

void
lock_take_back(unsigned taken)
{
    lock_take();
    depth = taken;
}

#else

typedef int not_empty;  /* ISO C wants a declaration */

#endif
