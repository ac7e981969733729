/* monitoring: sys.monitoring from C.
 *
 * PEP 669 has no C API for tools, so its functions are fetched once, when the tracer starts (a program under test
 * may replace them later), and called by vectorcall.  Everything here returns 0 or -1 with an exception. */
#ifndef COVCORE_MONITORING_H
#define COVCORE_MONITORING_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdbool.h>
#include <stdint.h>

enum { NO_TOOL = -1, N_TOOLS = 6 };

/* Event masks, read from sys.monitoring.events: their numbers differ between versions.  Before 3.14 branch_left and
 * branch_right are one event, BRANCH. */
typedef struct {
    uint32_t py_start, py_resume, line, instruction, jump, branch_left, branch_right;
} event_masks;

typedef struct {
    PyObject *get_tool, *use_tool_id, *free_tool_id, *set_events, *set_local_events, *register_callback;
    PyObject *disable;           /* sys.monitoring.DISABLE, immortal */
    PyObject *tool_ids[N_TOOLS]; /* ints 0 to 5 */
    PyObject *name;              /* what get_tool says of our ids: compared by identity */
    event_masks events;
} monitoring;

int monitoring_init(monitoring *m);
int monitoring_traverse(monitoring *m, visitproc visit, void *arg);
void monitoring_clear(monitoring *m);

/* Takes a free tool id.  Returns it, or -1: with an exception if something failed, without one if none is free. */
int monitoring_take_id(monitoring *m);

/* Whether the id is (still) ours: 1, 0, or -1 with an exception. */
int monitoring_owns(monitoring *m, int tool);

/* Whether the id is still ours and calls the callback on the event: another tool may have freed it, taken it, cleared it or
 * registered a callback of its own.  1, 0, or -1 with an exception. */
int monitoring_calls(monitoring *m, int tool, uint32_t event, PyObject *callback);

/* Whether no other tool holds an id: 1, 0, or -1 with an exception. */
int monitoring_is_alone(monitoring *m);

/* Gives an id back, callbacks and all, if it is ours. */
int monitoring_free_id(monitoring *m, int tool);

/* Raises RuntimeError that names the holder of each id. */
void monitoring_raise_no_id(monitoring *m);

int monitoring_set_events(monitoring *m, int tool, uint32_t events);
int monitoring_set_local(monitoring *m, int tool, PyCodeObject *code, uint32_t events);
int monitoring_register(monitoring *m, int tool, uint32_t event, PyObject *callback);

#endif
