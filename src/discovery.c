/* discovery: which code is measured.  D, the discovery tool, hears of each code object once, at its first start or resumption; what
 * runs or is suspended already is looked for. */
#include "tracer.h"

#include "compat.h"
#include "lock.h"
#include "running.h"

/* Whether an exception that came out of decide() is the program's: a signal handler's that ran there.  Want of memory is
 * decide()'s own, in whatever depth. */
static bool
is_programs_exception(void)
{
    if (PyErr_ExceptionMatches(PyExc_KeyboardInterrupt)) {
        return true;
    }
    if (PyErr_ExceptionMatches(PyExc_MemoryError)) {
        return false;
    }
    PyObject *exception = PyErr_GetRaisedException();
    PyObject *traceback = PyException_GetTraceback(exception);
    bool beyond = false;
    if (traceback != NULL) {
        PyObject *next = PyObject_GetAttrString(traceback, "tb_next");
        beyond = next != NULL && next != Py_None;
        Py_XDECREF(next);
        Py_DECREF(traceback);
        PyErr_Clear();
    }
    PyErr_SetRaisedException(exception);
    return beyond;
}

/* Whether code that starts with these globals may have been made from a template: they have a mark, or will get it from this code. */
static bool
is_marked(const Tracer *self, PyCodeObject *code, PyObject *globals)
{
    const Py_ssize_t n_names = code->co_flags & CO_NEWLOCALS ? 0 : PyTuple_GET_SIZE(code->co_names);
    for (int mark = 0; mark < N_MARKS; mark++) {
        int found = PyDict_Contains(globals, self->marks[mark]);
        if (found < 0) {
            PyErr_Clear();  // a key of the program's that can't be compared
        }
        for (Py_ssize_t i = 0; found <= 0 && i < n_names; i++) {
            found = PyTuple_GET_ITEM(code->co_names, i) == self->marks[mark];
        }
        if (found > 0) {
            return true;
        }
    }
    return false;
}

/* What a code object is decided on by: its co_filename, or what covcore.measure.templates gives for code of a template ("": it is not
 * measured).  globals: those it starts with; NULL: it does not start.  A new reference, or NULL with an exception. */
static PyObject *
name_of(const Tracer *self, PyCodeObject *code, PyObject *globals)
{
    if (self->templates == Py_None || globals == NULL || !is_marked(self, code, globals)) {
        return Py_NewRef(code->co_filename);
    }
    const unsigned depth = lock_let_go();
    PyObject *name = PyObject_CallMethod(self->templates, "name_of", "OO", code, globals);
    lock_take_back(depth);
    return name;
}

/* The file that code of this name is measured under, in *file; NULL there: it is not measured.  0, or -1 with an exception. */
static int
decide_file(Tracer *self, PyObject *name, file_state **file)
{
    *file = NULL;
    if (PyUnicode_GET_LENGTH(name) == 0 || PyUnicode_READ_CHAR(name, 0) == '<') {
        return 0;  // <string>, <frozen os>, or one of the thousands of names that attrs makes up
    }
    PyObject *known = PyDict_GetItemWithError(self->decisions, name);  // borrowed
    if (known != NULL) {
        *file = known == Py_None ? NULL : PyLong_AsVoidPtr(known);
        return 0;
    }
    if (PyErr_Occurred()) {
        return -1;
    }
    const unsigned depth = lock_let_go();
    PyObject *path = PyObject_CallOneArg(self->decide, name);
    lock_take_back(depth);
    if (path == NULL) {
        return -1;
    }
    if (path != Py_None && (*file = registry_add_file(self->registry, path)) == NULL) {
        Py_DECREF(path);
        return -1;
    }
    Py_DECREF(path);
    PyObject *value = *file == NULL ? Py_NewRef(Py_None) : PyLong_FromVoidPtr(*file);
    int failed = value == NULL || PyDict_SetItem(self->decisions, name, value) < 0;
    Py_XDECREF(value);
    return failed ? -1 : 0;
}

static int discover(Tracer *self, PyCodeObject *code, PyObject *globals);

/* Decides on the functions and classes in a code object ahead of their first start.  Without a GIL arming stops all threads, which takes 6 ms
 * where 3 are busy on 2 cores; a module is mostly imported before there are others.  0, or -1 with an exception. */
static int
discover_nested(Tracer *self, PyCodeObject *code)
{
    PyObject *constants = code->co_consts;
    int failed = 0;
    for (Py_ssize_t i = 0; !failed && i < PyTuple_GET_SIZE(constants); i++) {
        PyObject *constant = PyTuple_GET_ITEM(constants, i);
        failed = PyCode_Check(constant) && discover(self, (PyCodeObject *)constant, NULL) < 0;
    }
    return failed ? -1 : 0;
}

static int
meet(Tracer *self, PyCodeObject *code)
{
    const unsigned depth = lock_let_go();
    PyObject *told = PyObject_CallOneArg(self->meet, (PyObject *)code);
    Py_XDECREF(told);
    lock_take_back(depth);
    return told == NULL ? -1 : 0;
}

/* Decides on all code of a template, of which some has just been met, and records it: what never runs is told from the text of
 * a Python file, but not from a template's.  0, or -1 with an exception. */
static int
discover_template(Tracer *self, PyCodeObject *code, PyObject *globals)
{
    const unsigned depth = lock_let_go();
    PyObject *codes = PyObject_CallMethod(self->templates, "codes_of", "OO", code, globals);
    lock_take_back(depth);
    int failed = codes == NULL;
    for (Py_ssize_t i = 0; !failed && i < PyList_GET_SIZE(codes); i++) {
        PyObject *one = PyList_GET_ITEM(codes, i);
        failed = discover(self, (PyCodeObject *)one, globals) < 0;
        code_state *state = failed ? NULL : registry_find(self->registry, one);
        if (state != NULL && state->file != NULL && keeping_code(self, state) < 0) {
            tracer_fail(self);
            break;
        }
    }
    Py_XDECREF(codes);
    return failed ? -1 : 0;
}

/* Decides on a code object that is met for the first time, or awaited, and arms it.  globals: as name_of has them, NULL
 * where it runs already.  0, or -1 with an exception. */
static int
discover(Tracer *self, PyCodeObject *code, PyObject *globals)
{
    file_state *file = NULL;
    code_state *state = registry_find(self->registry, (PyObject *)code);
    if (state != NULL && !state->is_awaiting) {
        return 0;
    }
    PyObject *name = name_of(self, code, globals);
    const Py_ssize_t n_decided = PyDict_GET_SIZE(self->decisions);
    if (name == NULL || decide_file(self, name, &file) < 0) {
        Py_XDECREF(name);
        return -1;
    }
    const bool is_first = PyDict_GET_SIZE(self->decisions) > n_decided;
    state = registry_find(self->registry, (PyObject *)code);
    if ((state != NULL && !state->is_awaiting)  // decide() let another thread run, which met it too
        || (state == NULL && (state = registry_add(self->registry, code)) == NULL)) {
        Py_DECREF(name);
        return state == NULL ? -1 : 0;
    }
    const bool is_template = name != code->co_filename;
    Py_XSETREF(state->name, is_template ? Py_NewRef(name) : NULL);
    Py_DECREF(name);
    state->is_awaiting = false;
    state->file = file;
    if (file != NULL && tracer_arm(self, state, long_code_events(self, state)) < 0) {
        return -1;
    }
    if (self->meet != Py_None && meet(self, code) < 0) {
        return -1;
    }
    if (is_template) {
        return is_first && file != NULL ? discover_template(self, code, globals) : 0;
    }
    return HAS_GIL || file == NULL || self->meet != Py_None ? 0 : discover_nested(self, code);
}

PyObject *
tracer_discover_starting(Tracer *self, PyObject *code)
{
    if (!PyCode_Check(code) || self->failed || !self->started) {
        return Py_NewRef(self->monitoring.disable);
    }
    if (discover(self, (PyCodeObject *)code, PyEval_GetGlobals()) == 0) {
        code_state *state = registry_find(self->registry, code);
        bool needed = self->discovery == self->measuring && state != NULL && state->file != NULL;
        return Py_NewRef(needed ? Py_None : self->monitoring.disable);
    }
    if (PyErr_ExceptionMatches(PyExc_RecursionError)) {
        PyErr_Clear();  // at the end of the stack
        return Py_NewRef(Py_None);
    }
    if (is_programs_exception()) {
        return NULL;
    }
    tracer_fail(self);
    return Py_NewRef(self->monitoring.disable);
}

PyObject *
tracer_on_discovery(CALLBACK_ARGS)  /* (code, offset): D's PY_START and PY_RESUME */
{
    UNUSED_CALLBACK_ARGS;
    return tracer_discover_starting(((Callback *)callable)->tracer, args[0]);
}

int
tracer_discover_registered(Tracer *self)
{
    code_state *state = NULL;
    PyCodeObject *held = NULL;
    int failed = 0;
    while (!failed && (state = registry_next(self->registry, state, &held)) != NULL) {
        registry_untouch(state);
        state->serial = 0;  // which no context has
        state->file = NULL;
        state->is_awaiting = false;
        failed = decide_file(self, state->name == NULL ? state->code->co_filename : state->name, &state->file) < 0
                 || (state->file != NULL ? tracer_rearm(self, state) : 0) < 0;
    }
    Py_XDECREF(held);
    return failed ? -1 : 0;
}

int
tracer_discover_running(Tracer *self)
{
    const unsigned depth = lock_let_go();
    PyObject *codes = running_code();
    lock_take_back(depth);
    int failed = codes == NULL;
    for (Py_ssize_t i = 0; !failed && i < PyList_GET_SIZE(codes); i++) {
        failed = discover(self, (PyCodeObject *)PyList_GET_ITEM(codes, i), NULL) < 0;
    }
    Py_XDECREF(codes);
    return failed ? -1 : 0;
}
