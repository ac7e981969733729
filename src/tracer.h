/* tracer: the state that the tracer's parts share.
 *
 *   module.c     the Python face: the type Tracer, start, stop, switch of context
 *   discovery.c  which code is measured
 *   tracer.c     events: arming, callbacks, hits
 *   long_code.c  code whose LINE events are dear
 *   ids.c        the tool ids, and what others do to them
 *   keeping.c    what goes into the recording, and when a process begins one of its own
 *   tallying.c   the same without a recording: hits are kept in memory until they are taken
 *   children.c   notes on the processes that this one starts
 *   tasks.c      under which task of asyncio events come
 *
 * All of it runs with the GIL held; without one, the parts that Python calls take what stands for it (lock.h). */
#ifndef COVCORE_TRACER_H
#define COVCORE_TRACER_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdbool.h>

#include "arcs.h"
#include "far.h"
#include "lock.h"
#include "monitoring.h"
#include "quiet.h"
#include "recording.h"
#include "registry.h"
#include "tally.h"

typedef struct {
    registry *registry;
    PyTypeObject *tracer_type;
    PyTypeObject *callback_type;
    PyObject *active;            /* borrowed: the Tracer that is started */
} module_state;

enum { N_MARKS = 3 };

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
    bool is_tallying;            /* there is no recording, but a tally */
    bool lines_only;             /* no branches are asked for */
    tally tally;
    PyObject *codes;             /* list: what is known of the tally's code objects, by id */
    uint32_t serial;             /* of the context switch */
    uint32_t generation;         /* of ids: which of the registry's recordings this is */
    bool started;
    bool paused;                 /* events are heard, and nothing is made of them */
    bool failed;                 /* `error` is set: nothing is recorded any more */
    bool has_spare;              /* code that a context runs seldom is not silenced */
    bool switching;              /* contexts have been switched while it was started, or it was restarted */
    uint32_t n_rearmed;          /* code objects armed again by that */
    uint32_t n_unknown;          /* events that fit no slot */
    uint32_t n_losses;           /* times that our tool ids turned out to be lost */
    PyObject *decide;
    PyObject *meet;              /* called with each code object that is decided on, or None */
    PyObject *templates;         /* the module covcore.measure.templates, or None: code of templates is taken for any other */
    PyObject *marks[N_MARKS];    /* names, interned: a namespace with one of them may be that of a template's code */
    PyObject *decisions;         /* {co_filename, or the name of a template: file_state address or None} */
    PyObject *context;           /* (static, test, phase) */
    PyObject *base;              /* the same without a task */
    bool by_task;                /* each task of asyncio has a context of its own; nothing is silenced */
    PyObject *task;              /* the name of the one that events come under, or NULL */
    uint64_t task_thread;        /* where the last event came from: id of the thread state */
    uint64_t task_version;       /* ... and its count of switches of contextvars' context */
    PyObject *task_variable;     /* ContextVar: the task that callbacks and threads work for */
    PyObject *running_loop;      /* functions of _asyncio, or NULL while that is not imported */
    PyObject *current_task;
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
    vectorcallfunc function;     /* what that calls with the lock, where there is no GIL */
    Tracer *tracer;
} Callback;

#define CALLBACK_ARGS        PyObject *callable, PyObject *const *args, size_t nargsf, PyObject *kwnames
#define UNUSED_CALLBACK_ARGS (void)nargsf, (void)kwnames

/* ---- ids.c ---- */

/* Takes two tool ids, or one, registers the callbacks and has the discovery tool listen.  0, or -1 with an exception,
 * which names the holders of the ids if none is free. */
int tracer_take_ids(Tracer *self);

/* Gives the ids back, if they are still ours. */
void tracer_free_ids(Tracer *self);

/* Whether our ids are as we left them; counts a loss if another tool has freed, taken or cleared one.  1, 0, or -1 with
 * an exception. */
int tracer_check_ids(Tracer *self);

/* Checks our ids, and takes others and arms by them if need be.  0, or -1 with an exception. */
int tracer_keep_ids(Tracer *self);

/* ---- discovery.c ---- */

/* Decides anew on all code objects known from an earlier start: D will not hear of them again. */
int tracer_discover_registered(Tracer *self);

/* Decides on the code of all frames, generators, coroutines and greenlets that exist. */
int tracer_discover_running(Tracer *self);

/* Decides on a code object that starts.  What D and M return for it: DISABLE; None, to be asked again at its next start; or NULL
 * with an exception that is the program's. */
PyObject *tracer_discover_starting(Tracer *self, PyObject *code);

/* D's callback for PY_START and PY_RESUME: (code, offset). */
PyObject *tracer_on_discovery(CALLBACK_ARGS);

/* ---- tracer.c ---- */

/* A callback that an event of a tool is to have. */
typedef struct {
    int tool;
    uint32_t event;
    vectorcallfunc function;
} tracer_callback;

enum { N_CALLBACKS = 9 };

/* All of them: the first is M's for LINE, the last D's for PY_RESUME. */
void tracer_callbacks(const Tracer *self, tracer_callback table[N_CALLBACKS]);

/* What sys.monitoring calls where there is no GIL: calls the callback's function with the lock. */
PyObject *tracer_on_event(CALLBACK_ARGS);

/* Begins a new serial: every arc counts as not hit. */
static inline void
tracer_begin_serial(Tracer *self)
{
    self->serial++;
    quiet_forget();
}

/* Keeps the exception that is set (or the recording's errno) as the reason why recording stopped. */
void tracer_fail(Tracer *self);

/* ---- arming.c ---- */

/* Sets M's local events on a code object.  One that monitoring can't instrument is left alone. */
int tracer_arm(Tracer *self, code_state *state, uint32_t events);

/* Arms a code object with INSTRUCTION, which alone tells of some of its arms: in place of LINE, beside another tool with it. */
int tracer_arm_with_proofs(Tracer *self, code_state *state);

/* Arms a code object anew, with all events that tell something: what was silenced fires again, of this tool and of no other. */
int tracer_rearm(Tracer *self, code_state *state);

/* Arms again what was touched since the last switch, and forgets that it was. */
int tracer_rearm_touched(Tracer *self);

/* ---- long_code.c ---- */

/* The events for code of which nothing is known but its length: by INSTRUCTION where LINE events are dear, else all by LINE. */
uint32_t long_code_events(Tracer *self, code_state *state);

/* How many events code has to spare in a context, where it has `usual` if its lines are near: by LINE none, since each would be dear; by
 * INSTRUCTION twice as many, so that it may run once as a whole. */
uint32_t long_code_spare(const Tracer *self, const code_state *state, uint32_t usual);

/* The tracer stops: newcomers are none of its business any more. */
void long_code_unwatch(Tracer *self);

/* ---- keeping.c ---- */

/* Opens a recording for this process and begins a generation: ids of an earlier recording mean nothing in it.
 * Returns the index of the directory that took it, or -1 with an exception. */
Py_ssize_t keeping_begin(Tracer *self);

/* Records that the current context begins.  0, or -1 with an exception or the recording's errno. */
int keeping_context(Tracer *self);

/* Makes sure that the recording is this process's own and knows the code object, and that we know its shape.
 * 0, or -1 likewise. */
int keeping_code(Tracer *self, code_state *state);

/* In a forked child: opens a recording of its own, if it has none yet, and notes with the parent that it is born.
 * 0, or -1 as keeping_begin. */
int keeping_begin_own(Tracer *self);

/* Whether hits can be kept: a forked child has no recording yet. */
static inline bool
keeping_ready(const Tracer *self)
{
    return self->is_tallying || recording_ready(&self->recording);
}

/* Keeps the first hit of a new arc, which gets the next id; or another hit of a known one.  -1 after an error. */
static inline int64_t
keeping_arc(Tracer *self, const code_state *state, uint32_t slot)
{
    return self->is_tallying ? tally_arc(&self->tally, state->id, slot)
                             : recording_arc(&self->recording, state->id, slot);
}

static inline int64_t
keeping_hit(Tracer *self, uint32_t arc)
{
    return self->is_tallying ? tally_hit(&self->tally, arc) : recording_hit(&self->recording, arc);
}

/* The bytes of an encoded shape, in self->buffer; 0: no memory. */
size_t keeping_encode(Tracer *self, const shape *full);

/* ---- tasks.c ---- */

/* Whether an event may be of another task than the last one: only asked where contexts go by task. */
bool tasks_moved(const Tracer *self);

/* Switches to the context of the task that this thread works for.  What fails is kept for `error`. */
void tasks_follow(Tracer *self);

/* Sets what contexts have besides a task.  0, or -1 with an exception: no memory. */
int tasks_set_base(Tracer *self, PyObject *base);

/* ---- tallying.c ---- */

/* Makes a code object known to the tally.  0, or -1 with an exception or for want of memory. */
int tallying_code(Tracer *self, code_state *state, const shape *full);

/* As tracer_discover_registered, but leaves the decision to the next start of each, and so frames that run already are not measured.
 * resume: code of files that this tracer has decided on already is armed at once. */
int tallying_await(Tracer *self, bool resume);

/* Tracer.start_tally() and Tracer.take(). */
PyObject *tallying_start(PyObject *op, PyObject *args, PyObject *kwargs);
PyObject *tallying_take(PyObject *op, PyObject *ignored);

/* ---- children.c ---- */

/* Has notes taken on what this tracer's process starts and signals, until it is told otherwise.  0, or -1 with an
 * exception. */
int children_watch(Tracer *self);
void children_unwatch(Tracer *self);

/* Has the module's hooks for forks go on measuring in forked children of this tracer's process, until children_unwatch. */
void children_follow_forks(Tracer *self);

/* Tells processes that are started from now on, by the environment that they inherit, under which context they are. */
void children_mark(Tracer *self);

/* Notes with the parent that this forked child is there; before it lets go of the parent's recording, and before it has
 * one of its own: who dies in between is known by name. */
void children_born(Tracer *self, const recording_owner *child);

/* Where the environment tells of this tracer's recording, or NULL; and has it tell of another one there. */
char *children_find_mark(const Tracer *self);
void children_inherit_mark(const Tracer *self, char *mark);

/* Takes a note of a tuple of words.  None, or NULL with an exception. */
PyObject *children_note(Tracer *self, PyObject *words);

/* The path of the recording without the number of a segment ("" if there is none), or NULL with an exception. */
PyObject *children_path(Tracer *self);

extern PyMethodDef children_methods[];

#endif
