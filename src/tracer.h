/* tracer: the state that the tracer's parts share.
 *
 *   module.c     the Python face: the type Tracer, start, stop, switch of context
 *   tracer.c     events: discovery, arming, callbacks, hits
 *   keeping.c    what goes into the recording, and when a process begins one of its own
 *   children.c   notes on the processes that this one starts
 *
 * All of it runs with the GIL held. */
#ifndef COVCORE_TRACER_H
#define COVCORE_TRACER_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdbool.h>

#include "arcs.h"
#include "monitoring.h"
#include "recording.h"
#include "registry.h"

typedef struct {
    registry *registry;
    PyTypeObject *tracer_type;
    PyTypeObject *callback_type;
    PyObject *active;            /* borrowed: the Tracer that is started */
} module_state;

typedef struct {
    PyObject_HEAD
    registry *registry;
    monitoring monitoring;
    int discovery;               /* tool ids; equal where only one was free */
    int measuring;
    uint32_t full_mask;          /* M's local events on code that goes by LINE */
    uint32_t instruction_mask;   /* ... and by INSTRUCTION */
    arc_set arcs;
    recording recording;
    uint32_t serial;             /* of the context switch */
    uint32_t generation;         /* of ids: which of the registry's recordings this is */
    bool started;
    bool failed;                 /* `error` is set: nothing is recorded any more */
    bool switching;              /* contexts have been switched while it was started, or it was restarted */
    uint32_t n_rearmed;          /* code objects armed again by that */
    uint32_t n_unknown;          /* events that fit no slot */
    PyObject *decide;
    PyObject *decisions;         /* {co_filename: file_state address or None} */
    PyObject *context;           /* (static, test, phase) */
    PyObject *contexts;          /* {context: id in the recording} */
    PyObject *directories;       /* tuple of bytes */
    PyObject *run_id;            /* str */
    PyObject *settings;          /* bytes */
    PyObject *callbacks;         /* list, keeps what monitoring has registered alive */
    PyObject *error;             /* str, or NULL */
    uint8_t *buffer;             /* for encoded shapes */
    size_t buffer_room;
} Tracer;

/* A callable that sys.monitoring calls by vectorcall: 10 to 13 ns an event, where a builtin costs 11 to 16 and a Python
 * function 30 to 45. */
typedef struct {
    PyObject_HEAD
    vectorcallfunc vectorcall;
    Tracer *tracer;
} Callback;

/* ---- tracer.c ---- */

/* Takes two tool ids, or one, registers the callbacks and has the discovery tool listen.  0, or -1 with an exception,
 * which names the holders of the ids if none is free. */
int tracer_take_ids(Tracer *self);

/* Gives the ids back, if they are still ours. */
void tracer_free_ids(Tracer *self);

/* Takes other ids and arms by them, if another tool has freed or taken ours. */
int tracer_check_ids(Tracer *self);

/* Decides anew on all code objects known from an earlier start: D will not hear of them again. */
int tracer_discover_registered(Tracer *self);

/* Decides on the code of all frames, generators, coroutines and greenlets that exist. */
int tracer_discover_running(Tracer *self);

/* Arms again what was touched since the last switch, and forgets that it was. */
int tracer_rearm_touched(Tracer *self);

/* Keeps the exception that is set (or the recording's errno) as the reason why recording stopped. */
void tracer_fail(Tracer *self);

/* ---- keeping.c ---- */

/* Opens a recording for this process and begins a generation: ids of an earlier recording mean nothing in it.
 * Returns the index of the directory that took it, or -1 with an exception. */
Py_ssize_t keeping_begin(Tracer *self);

/* Records that the current context begins.  0, or -1 with an exception or the recording's errno. */
int keeping_context(Tracer *self);

/* Makes sure that the recording is this process's own and knows the code object, and that we know its shape.
 * 0, or -1 likewise. */
int keeping_code(Tracer *self, code_state *state);

/* In a forked child: opens a recording of its own, if it has none yet.  0, or -1 as keeping_begin. */
int keeping_begin_own(Tracer *self);

/* ---- children.c ---- */

/* Has notes taken on what this tracer's process starts and signals, until it is told otherwise.  0, or -1 with an
 * exception. */
int children_watch(Tracer *self);
void children_unwatch(Tracer *self);

/* Takes a note of a tuple of words.  None, or NULL with an exception. */
PyObject *children_note(Tracer *self, PyObject *words);

/* The path of the recording without the number of a segment ("" if there is none), or NULL with an exception. */
PyObject *children_path(Tracer *self);

extern PyMethodDef children_methods[];

#endif
