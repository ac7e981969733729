/* lock: what stands for the GIL on builds without one.
 *
 * The tracer is written for one thread at a time.  With a GIL that is so, and nothing here costs anything.  On free-threaded builds
 * each way into it (an event, a method, a hook, a code object that goes) takes this lock, of which there is one in a process:
 * events are silenced by their first one, so there is little to contend for, and what goes on (tracer.c's callbacks) asks for no lock.
 *
 * - It is let go around what may run code of the program: decide(), meet(), audit hooks.  With the GIL others may run there, too, so
 *   nothing more has to be thought of.  (A critical section of CPython's would also be let go inside of set_local_events, where the GIL
 *   is kept: half-way through a switch of context.)
 * - Who waits for it has let go of his thread state.  So the world can be stopped while it is held, by its holder, too:
 *   set_local_events does so.
 * - A thread that has it may take it again: a code object may go while we have it.
 * - When the interpreter ends no other thread runs any more, and one may have been stopped with the lock: it is then not needed.
 * - A forked child finds it free.  Forks stop the world, so that other threads are where they could have been stopped anyway.
 */
#ifndef COVCORE_LOCK_H
#define COVCORE_LOCK_H

#include <Python.h>

#ifdef Py_GIL_DISABLED

/* To be called once before the others.  0, or an errno. */
int lock_prepare(void);

void lock_take(void);
void lock_give(void);

/* Lets go of it, however often this thread has taken it; lock_take_back is to be told what this returns. */
unsigned lock_let_go(void);
void lock_take_back(unsigned depth);

#else

static inline int
lock_prepare(void)
{
    return 0;
}

static inline void
lock_take(void)
{
}

static inline void
lock_give(void)
{
}

static inline unsigned
lock_let_go(void)
{
    return 0;
}

static inline void
lock_take_back(unsigned depth)
{
    (void)depth;
}

#endif

/* Defines NAME_locked, which calls the method NAME with the lock. */
#define WITH_LOCK(name, parameters, arguments) \
    static PyObject *name##_locked parameters  \
    {                                          \
        lock_take();                           \
        PyObject *result = name arguments;     \
        lock_give();                           \
        return result;                         \
    }

#endif
