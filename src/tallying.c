/* tallying: a tracer that keeps hits in memory until they are taken, for a host that stores them its own way.
 *
 * Frames that run when it starts are not measured, only what starts (or resumes) from then on: so does settrace, whose place it takes. */
#include "tracer.h"

/* Begins a generation of ids, with an empty tally.  0, or -1 with an exception. */
static int
begin_tally(Tracer *self)
{
    PyObject *codes = PyList_New(0);
    if (codes == NULL) {
        return -1;
    }
    Py_XSETREF(self->codes, codes);
    tally_fini(&self->tally);
    arcs_clear(&self->arcs);
    self->generation = ++self->registry->n_recordings;
    tracer_begin_serial(self);
    return 0;
}

/* A code object of an earlier start waits for its next start; or is armed, if its file is known to be measured. */
static int
await_start(Tracer *self, code_state *state, PyObject *known)
{
    registry_untouch(state);
    state->serial = 0;
    state->file = known == NULL || known == Py_None ? NULL : PyLong_AsVoidPtr(known);
    state->is_awaiting = known == NULL;
    if (state->file != NULL) {
        return tracer_rearm(self, state);
    }
    const uint32_t starts = self->monitoring.events.py_start | self->monitoring.events.py_resume;
    return tracer_arm(self, state, 0) < 0 || (state->is_awaiting && tracer_arm(self, state, starts) < 0) ? -1 : 0;
}

int
tallying_await(Tracer *self, bool resume)
{
    if (self->discovery == self->measuring) {
        return tracer_discover_registered(self);  // with one id no start is heard of again
    }
    code_state *state = NULL;
    PyCodeObject *held = NULL;
    int failed = 0;
    while (!failed && (state = registry_next(self->registry, state, &held)) != NULL) {
        PyObject *known = resume ? PyDict_GetItemWithError(self->decisions, state->code->co_filename) : NULL;  // borrowed
        failed = (known == NULL && PyErr_Occurred()) || await_start(self, state, known) < 0;
    }
    Py_XDECREF(held);
    return failed ? -1 : 0;
}

PyObject *
tallying_start(PyObject *op, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"branches", "resume", NULL};
    Tracer *self = (Tracer *)op;
    int branches = 1, resume = 0;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|$pp:start_tally", names, &branches, &resume)) {
        return NULL;
    }
    module_state *module = PyType_GetModuleState(Py_TYPE(self));
    if (module->active != NULL) {
        PyErr_SetString(PyExc_RuntimeError, "covcore is measuring already: call stop() first");
        return NULL;
    }
    self->is_tallying = true;
    self->lines_only = !branches;
    if (!resume) {
        PyDict_Clear(self->decisions);
        self->failed = false;
        Py_CLEAR(self->error);
    }
    module->active = op;
    if (tracer_take_ids(self) < 0) {
        module->active = NULL;
        return NULL;
    }
    if (begin_tally(self) < 0 || tallying_await(self, resume) < 0) {
        PyObject *exception = PyErr_GetRaisedException();
        tracer_free_ids(self);
        module->active = NULL;
        PyErr_SetRaisedException(exception);
        return NULL;
    }
    self->started = true;
    Py_RETURN_NONE;
}

int
tallying_code(Tracer *self, code_state *state, const shape *full)
{
    const size_t n_shape = keeping_encode(self, full);
    if (n_shape == 0) {
        return -1;
    }
    PyObject *path = PyUnicode_DecodeFSDefaultAndSize(state->file->path, (Py_ssize_t)state->file->n_path);
    PyObject *description = path == NULL ? NULL : Py_BuildValue("(Niy#)", path, state->code->co_firstlineno,
                                                                (const char *)self->buffer, (Py_ssize_t)n_shape);
    int failed = description == NULL || PyList_Append(self->codes, description) < 0;
    Py_XDECREF(description);
    if (failed) {
        return -1;
    }
    int64_t id = tally_code(&self->tally, full->n_lines + 2 * full->n_sites);
    if (id < 0) {
        (void)PyList_SetSlice(self->codes, PyList_GET_SIZE(self->codes) - 1, PyList_GET_SIZE(self->codes), NULL);
        return -1;
    }
    state->id = (uint32_t)id;
    state->generation = self->generation;
    return 0;
}

/* The hits of one code object: (description, bitmap). */
static PyObject *
hits_of(const Tracer *self, uint32_t code)
{
    PyObject *bits = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)tally_n_bytes(&self->tally, code));
    if (bits == NULL) {
        return NULL;
    }
    tally_bits(&self->tally, code, (uint8_t *)PyBytes_AS_STRING(bits));
    return Py_BuildValue("(ON)", PyList_GET_ITEM(self->codes, code), bits);
}

PyObject *
tallying_take(PyObject *op, PyObject *Py_UNUSED(ignored))
{
    Tracer *self = (Tracer *)op;
    PyObject *hits = PyList_New(self->tally.n_dirty);
    for (uint32_t i = 0; hits != NULL && i < self->tally.n_dirty; i++) {
        PyObject *item = hits_of(self, self->tally.dirty[i]);
        if (item == NULL) {
            Py_CLEAR(hits);
            break;
        }
        PyList_SET_ITEM(hits, i, item);
    }
    if (hits != NULL) {
        tally_forget_hits(&self->tally);
    }
    return hits;
}
