/* quiet: events that go on and tell nothing more, heard without the lock.
 *
 * Before 3.14 the event of a site goes on for as long as one of its arms was not taken.  On builds without a GIL each such event would take
 * the lock, and threads that are busy in the same code would wait for each other.  So each thread remembers those that it has
 * heard of, until there is a new context, or a code object has gone, whose place in memory another one may take.
 *
 * What is remembered is the thread's own: nothing is shared but the epoch that it is of. */
#ifndef COVCORE_QUIET_H
#define COVCORE_QUIET_H

#include <Python.h>
#include <stdbool.h>
#include <stdint.h>

#ifdef Py_GIL_DISABLED

/* Whether this thread remembers that the event of a site tells nothing more. */
bool quiet_knows(PyObject *code, uint32_t source, uint32_t destination);

/* Has it remember so.  With the lock. */
void quiet_remember(PyObject *code, uint32_t source, uint32_t destination);

/* Has all threads forget.  With the lock. */
void quiet_forget(void);

#else

static inline bool
quiet_knows(PyObject *code, uint32_t source, uint32_t destination)
{
    (void)code, (void)source, (void)destination;
    return false;
}

static inline void
quiet_remember(PyObject *code, uint32_t source, uint32_t destination)
{
    (void)code, (void)source, (void)destination;
}

static inline void
quiet_forget(void)
{
}

#endif

#endif
