/* ids: the tool ids of sys.monitoring that the tracer holds, and what becomes of it when another tool frees, takes or
 * clears them. */
#include "tracer.h"

#include "compat.h"

static int
add_callback(Tracer *self, vectorcallfunc function)
{
    module_state *module = PyType_GetModuleState(Py_TYPE(self));
    Callback *callback = PyObject_GC_New(Callback, module->callback_type);
    if (callback == NULL) {
        return -1;
    }
    callback->vectorcall = HAS_GIL ? function : tracer_on_event;
    callback->function = function;
    callback->tracer = (Tracer *)Py_NewRef(self);
    PyObject_GC_Track(callback);
    int failed = PyList_Append(self->callbacks, (PyObject *)callback);
    Py_DECREF(callback);
    return failed;
}

static int
register_callbacks(Tracer *self)
{
    tracer_callback table[N_CALLBACKS];
    tracer_callbacks(self, table);
    for (Py_ssize_t i = 0; i < N_CALLBACKS; i++) {
        if (i == PyList_GET_SIZE(self->callbacks) && add_callback(self, table[i].function) < 0) {
            return -1;
        }
        if (monitoring_register(&self->monitoring, table[i].tool, table[i].event, PyList_GET_ITEM(self->callbacks, i)) < 0) {
            return -1;
        }
    }
    return 0;
}

/* Lets go of the callbacks.  Without a GIL another thread may be about to call one, by a reference that it has borrowed from
 * sys.monitoring: they stay until the collector, which stops the world, finds the tracer and them. */
static void
drop_callbacks(Tracer *self)
{
    PyObject *callbacks = self->callbacks;
    if (HAS_GIL) {
        self->callbacks = NULL;
        Py_XDECREF(callbacks);
    }
}

/* Before 3.14 a code object's local events outlive the tool, cost what events without a callback cost, and are heard by whoever
 * takes the id next. */
static int
disarm_all(Tracer *self)
{
    int ours = monitoring_owns(&self->monitoring, self->measuring);
    code_state *state = NULL;
    PyCodeObject *held = NULL;
    int failed = ours < 0;
    while (!failed && ours > 0 && (state = registry_next(self->registry, state, &held)) != NULL) {
        failed = state->armed != 0 && tracer_arm(self, state, 0) < 0;
    }
    Py_XDECREF(held);
    return failed ? -1 : 0;
}

void
tracer_free_ids(Tracer *self)
{
    if (!HAS_EVENT_PER_ARM && disarm_all(self) < 0) {
        PyErr_Clear();
    }
    if (monitoring_free_id(&self->monitoring, self->measuring) < 0
        || (self->discovery != self->measuring && monitoring_free_id(&self->monitoring, self->discovery) < 0)) {
        PyErr_Clear();  // the id was not ours any more, or monitoring is being torn down
    }
    self->measuring = self->discovery = NO_TOOL;
    drop_callbacks(self);
}

/* Takes two tool ids, or one, and has D listen. */
int
tracer_take_ids(Tracer *self)
{
    monitoring *m = &self->monitoring;
    const event_masks *events = &m->events;
    if (self->callbacks == NULL && (self->callbacks = PyList_New(0)) == NULL) {
        return -1;
    }
    self->measuring = monitoring_take_id(m);
    if (self->measuring == NO_TOOL) {
        if (!PyErr_Occurred()) {
            monitoring_raise_no_id(m);
        }
        drop_callbacks(self);
        return -1;
    }
    self->discovery = monitoring_take_id(m);
    bool alone = self->discovery == NO_TOOL && !PyErr_Occurred();
    if (alone) {
        self->discovery = self->measuring;
    }
    uint32_t branches = self->lines_only ? 0 : events->branch_left | events->branch_right;
    self->instruction_mask = branches | events->instruction;
    self->full_mask = branches | events->line | events->jump;
    if (!alone) {  // with one id they are global, and never silenced on code that is measured
        self->full_mask |= events->py_start | events->py_resume;
    }
    if (PyErr_Occurred() || register_callbacks(self) < 0
        || monitoring_set_events(m, self->discovery, events->py_start | events->py_resume) < 0) {
        PyObject *exception = PyErr_GetRaisedException();
        tracer_free_ids(self);
        PyErr_SetRaisedException(exception);
        return -1;
    }
    return 0;
}

/* Whether both tools are still ours and would call us.  1, 0, or -1 with an exception. */
static int
listens(Tracer *self)
{
    const event_masks *events = &self->monitoring.events;
    PyObject *on_measured = PyList_GET_ITEM(self->callbacks, 0);
    PyObject *on_discovered = PyList_GET_ITEM(self->callbacks, N_CALLBACKS - 1);
    int measuring = monitoring_calls(&self->monitoring, self->measuring, events->line, on_measured);
    return measuring <= 0 ? measuring
                          : monitoring_calls(&self->monitoring, self->discovery, events->py_resume, on_discovered);
}

int
tracer_check_ids(Tracer *self)
{
    int unchanged = listens(self);
    if (unchanged == 0) {
        self->n_losses++;
    }
    return unchanged;
}

/* Arming by ids that another tool has taken would arm the thief. */
int
tracer_keep_ids(Tracer *self)
{
    int unchanged = tracer_check_ids(self);
    if (unchanged != 0) {
        return unchanged < 0 ? -1 : 0;
    }
    tracer_free_ids(self);
    if (tracer_take_ids(self) < 0) {
        return -1;
    }
    if (self->is_tallying) {
        return tallying_await(self, true);
    }
    return tracer_discover_registered(self) < 0 || tracer_discover_running(self) < 0 ? -1 : 0;
}
