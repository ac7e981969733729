/* module: the Python face of the tracer (covcore/_tracer.pyi has its contract). */
#include "tracer.h"

#include <errno.h>
#include <stddef.h>

#include "compat.h"

/* ---- start, stop, switch ---- */

static int
set_up_start(Tracer *self, PyObject *directories, PyObject *run_id, PyObject *settings)
{
    PyObject *items = PySequence_Tuple(directories);
    if (items == NULL) {
        return -1;
    }
    PyObject *encoded = PyTuple_New(PyTuple_GET_SIZE(items));
    int failed = encoded == NULL;
    for (Py_ssize_t i = 0; !failed && i < PyTuple_GET_SIZE(items); i++) {
        PyObject *path;
        failed = !PyUnicode_FSConverter(PyTuple_GET_ITEM(items, i), &path);
        if (!failed) {
            PyTuple_SET_ITEM(encoded, i, path);
        }
    }
    Py_DECREF(items);
    if (!failed && PyTuple_GET_SIZE(encoded) == 0) {
        PyErr_SetString(PyExc_ValueError, "start() needs a directory for the recording");
        failed = 1;
    }
    if (failed) {
        Py_XDECREF(encoded);
        return -1;
    }
    Py_XSETREF(self->directories, encoded);
    Py_XSETREF(self->run_id, Py_NewRef(run_id));
    Py_XSETREF(self->settings, Py_NewRef(settings));
    PyDict_Clear(self->decisions);
    for (file_state *file = self->registry->files; file != NULL; file = file->next) {
        file->hashed = false;
    }
    self->failed = self->paused = false;
    Py_CLEAR(self->error);
    self->n_unknown = 0;
    return 0;
}

/* No tracer is started, if this one was.  The module may be gone: at the end of the interpreter types lose theirs. */
static void
forget_active(PyObject *op)
{
    PyObject *exception = PyErr_GetRaisedException();
    module_state *module = PyType_GetModuleState(Py_TYPE(op));
    PyErr_Clear();
    if (module != NULL && module->active == op) {
        module->active = NULL;
    }
    PyErr_SetRaisedException(exception);
}

static PyObject *
Tracer_stop(PyObject *op, PyObject *Py_UNUSED(ignored))
{
    Tracer *self = (Tracer *)op;
    children_unwatch(self);
    long_code_unwatch(self);
    if (self->started) {
        self->started = false;
        forget_active(op);
        if (!self->failed && tracer_check_ids(self) < 0) {
            PyErr_Clear();
        }
        tracer_free_ids(self);
    }
    if (recording_ready(&self->recording)) {
        recording_finish(&self->recording);
    }
    else {
        recording_abandon(&self->recording);
    }
    Py_RETURN_NONE;
}

/* Arms, with a recording open.  The index of the directory that took it, or -1 with an exception. */
static Py_ssize_t
begin(Tracer *self)
{
    if (tracer_take_ids(self) < 0) {
        return -1;
    }
    Py_ssize_t used = keeping_begin(self);
    self->started = used >= 0;
    if (used < 0 || tracer_discover_registered(self) < 0 || tracer_discover_running(self) < 0) {
        PyObject *exception = PyErr_GetRaisedException();
        tracer_free_ids(self);
        self->started = false;
        recording_abandon(&self->recording);
        PyErr_SetRaisedException(exception);
        return -1;
    }
    return used;
}

static PyObject *
Tracer_start(PyObject *op, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"directories", "run_id", "settings", NULL};
    Tracer *self = (Tracer *)op;
    PyObject *directories, *run_id, *settings = NULL;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "OU|S:start", names, &directories, &run_id, &settings)) {
        return NULL;
    }
    module_state *module = PyType_GetModuleState(Py_TYPE(self));
    if (module->active != NULL) {
        PyErr_SetString(PyExc_RuntimeError, "covcore is measuring already: call stop() first");
        return NULL;
    }
    PyObject *bytes = settings == NULL ? PyBytes_FromString("") : Py_NewRef(settings);
    int failed = bytes == NULL || set_up_start(self, directories, run_id, bytes) < 0;
    Py_XDECREF(bytes);
    if (failed) {
        return NULL;
    }
    module->active = op;  // at once: other threads may run while audit hooks hear of what follows
    const Py_ssize_t used = begin(self);
    if (used < 0) {
        module->active = NULL;
        return NULL;
    }
    return PyLong_FromSsize_t(used);
}

/* Begins a new serial, for which all is armed. */
static int
rearm_all(Tracer *self)
{
    tracer_begin_serial(self);
    self->switching = true;
    if (tracer_keep_ids(self) < 0 || tracer_rearm_touched(self) < 0) {
        tracer_fail(self);
        return -1;
    }
    return 0;
}

static PyObject *
Tracer_restart(PyObject *op, PyObject *Py_UNUSED(ignored))
{
    Tracer *self = (Tracer *)op;
    if (self->started && !self->failed) {
        (void)rearm_all(self);  // an error is kept for `error`
    }
    Py_RETURN_NONE;
}

static PyObject *
Tracer_switch_context(PyObject *op, PyObject *args)
{
    Tracer *self = (Tracer *)op;
    PyObject *label, *test, *phase;
    if (!PyArg_ParseTuple(args, "UUU:switch_context", &label, &test, &phase)) {
        return NULL;
    }
    PyObject *context = PyTuple_Pack(3, label, test, phase);
    if (context == NULL) {
        return NULL;
    }
    int failed = tasks_set_base(self, context);
    Py_DECREF(context);
    if (failed) {
        return NULL;
    }
    if (!self->started || self->failed) {
        Py_RETURN_NONE;
    }
    if (recording_ready(&self->recording) && keeping_context(self) < 0) {
        tracer_fail(self);
        Py_RETURN_NONE;
    }
    (void)rearm_all(self);
    Py_RETURN_NONE;
}

/* A pause is a context of which nothing is kept: what ran in it is armed again at its end, so that it is heard then. */
static PyObject *
Tracer_pause(PyObject *op, PyObject *Py_UNUSED(ignored))
{
    ((Tracer *)op)->paused = true;
    return Tracer_restart(op, NULL);
}

static PyObject *
Tracer_resume(PyObject *op, PyObject *Py_UNUSED(ignored))
{
    ((Tracer *)op)->paused = false;
    return Tracer_restart(op, NULL);
}

static PyObject *
Tracer_watch(PyObject *op, PyObject *Py_UNUSED(ignored))
{
    if (((Tracer *)op)->started && children_watch((Tracer *)op) < 0) {
        return NULL;
    }
    Py_RETURN_NONE;
}

static PyObject *
Tracer_follow_forks(PyObject *op, PyObject *Py_UNUSED(ignored))
{
    if (((Tracer *)op)->started) {
        children_follow_forks((Tracer *)op);
    }
    Py_RETURN_NONE;
}

static PyObject *
Tracer_note(PyObject *op, PyObject *words)
{
    return children_note((Tracer *)op, words);
}

static PyObject *
Tracer_get_path(PyObject *op, void *Py_UNUSED(closure))
{
    return children_path((Tracer *)op);
}

static PyObject *
Tracer_counts(PyObject *op, PyObject *Py_UNUSED(ignored))
{
    Tracer *self = (Tracer *)op;
    return Py_BuildValue("{s:I,s:I,s:I,s:I,s:I,s:I,s:n}", "files", self->recording.n_files, "codes", self->recording.n_codes,
                         "arcs", self->arcs.n_entries, "unknown", self->n_unknown, "losses", self->n_losses, "rearmed",
                         self->n_rearmed, "arc_bytes", (Py_ssize_t)arcs_memory(&self->arcs));
}

static PyObject *
Tracer_get_started(PyObject *op, void *Py_UNUSED(closure))
{
    return PyBool_FromLong(((Tracer *)op)->started);
}

static PyObject *
Tracer_get_error(PyObject *op, void *Py_UNUSED(closure))
{
    Tracer *self = (Tracer *)op;
    return Py_NewRef(self->error == NULL ? Py_None : self->error);
}

/* ---- what Python calls ---- */

#define PLAIN    (PyObject *op, PyObject *args), (op, args)
#define KEYWORDS (PyObject *op, PyObject *args, PyObject *kwargs), (op, args, kwargs)
#define GETTER   (PyObject *op, void *closure), (op, closure)

#define LOCKED(name, form) LOCKED_AS(name, form)
#define LOCKED_AS(name, ...) WITH_LOCK(name, __VA_ARGS__)

LOCKED(Tracer_start, KEYWORDS)
LOCKED(tallying_start, KEYWORDS)
LOCKED(tallying_take, PLAIN)
LOCKED(Tracer_stop, PLAIN)
LOCKED(Tracer_restart, PLAIN)
LOCKED(Tracer_switch_context, PLAIN)
LOCKED(Tracer_pause, PLAIN)
LOCKED(Tracer_resume, PLAIN)
LOCKED(Tracer_watch, PLAIN)
LOCKED(Tracer_follow_forks, PLAIN)
LOCKED(Tracer_note, PLAIN)
LOCKED(Tracer_counts, PLAIN)
LOCKED(Tracer_get_path, GETTER)
LOCKED(Tracer_get_error, GETTER)

/* ---- types and module ---- */

static PyObject *
Tracer_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"decide", "spare", "by_task", "templates", NULL};
    static const char *const marks[N_MARKS] = {"debug_info", "_template_filename", "_getframe"};  // Jinja2's, Mako's, Cython's
    PyObject *decide, *templates = Py_None;
    int spare = 1, by_task = 0;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|$ppO:Tracer", names, &decide, &spare, &by_task, &templates)) {
        return NULL;
    }
    module_state *module = PyType_GetModuleState(type);
    Tracer *self = (Tracer *)type->tp_alloc(type, 0);
    if (self == NULL) {
        return NULL;
    }
    self->registry = registry_hold(module->registry);
    self->discovery = self->measuring = NO_TOOL;
    self->has_spare = spare;
    self->by_task = by_task;
    arcs_init(&self->arcs, NULL);
    self->decide = Py_NewRef(decide);
    self->templates = Py_NewRef(templates);
    bool complete = true;
    for (int i = 0; i < N_MARKS; i++) {
        self->marks[i] = PyUnicode_InternFromString(marks[i]);
        complete = complete && self->marks[i] != NULL;
    }
    self->meet = Py_NewRef(Py_None);
    self->decisions = PyDict_New();
    self->contexts = PyDict_New();
    self->context = Py_BuildValue("(sss)", "", "", "");
    self->base = Py_XNewRef(self->context);
    self->task_variable = PyContextVar_New("covcore", NULL);
    if (!complete || self->decisions == NULL || self->contexts == NULL || self->context == NULL || self->task_variable == NULL
        || monitoring_init(&self->monitoring) < 0) {
        Py_DECREF(self);
        return NULL;
    }
    return (PyObject *)self;
}

static int
Tracer_traverse(PyObject *op, visitproc visit, void *arg)
{
    Tracer *self = (Tracer *)op;
    Py_VISIT(Py_TYPE(op));
    Py_VISIT(self->decide);
    Py_VISIT(self->templates);
    Py_VISIT(self->meet);
    Py_VISIT(self->decisions);
    Py_VISIT(self->callbacks);
    Py_VISIT(self->running_loop);
    Py_VISIT(self->current_task);
    return monitoring_traverse(&self->monitoring, visit, arg);
}

static int
Tracer_clear(PyObject *op)
{
    Tracer *self = (Tracer *)op;
    self->started = false;
    Py_CLEAR(self->decide);
    Py_CLEAR(self->templates);
    Py_CLEAR(self->meet);
    Py_CLEAR(self->callbacks);
    Py_CLEAR(self->running_loop);
    Py_CLEAR(self->current_task);
    return 0;
}

static void
Tracer_dealloc(PyObject *op)
{
    Tracer *self = (Tracer *)op;
    PyTypeObject *type = Py_TYPE(op);
    PyObject_GC_UnTrack(op);
    lock_take();
    forget_active(op);
    children_unwatch(self);
    long_code_unwatch(self);
    (void)Tracer_clear(op);
    monitoring_clear(&self->monitoring);
    for (int i = 0; i < N_MARKS; i++) {
        Py_CLEAR(self->marks[i]);
    }
    Py_CLEAR(self->decisions);
    Py_CLEAR(self->contexts);
    Py_CLEAR(self->context);
    Py_CLEAR(self->base);
    Py_CLEAR(self->task);
    Py_CLEAR(self->task_variable);
    Py_CLEAR(self->directories);
    Py_CLEAR(self->run_id);
    Py_CLEAR(self->settings);
    Py_CLEAR(self->error);
    Py_CLEAR(self->codes);
    tally_fini(&self->tally);
    arcs_fini(&self->arcs);
    recording_abandon(&self->recording);  // no end mark: nobody called stop()
    if (self->registry != NULL) {
        registry_release(self->registry);
    }
    PyMem_RawFree(self->buffer);
    lock_give();
    type->tp_free(op);
    Py_DECREF(type);
}

static int
Callback_traverse(PyObject *op, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(op));
    Py_VISIT(((Callback *)op)->tracer);
    return 0;
}

static void
Callback_dealloc(PyObject *op)
{
    PyTypeObject *type = Py_TYPE(op);
    PyObject_GC_UnTrack(op);
    Py_DECREF(((Callback *)op)->tracer);
    PyObject_GC_Del(op);
    Py_DECREF(type);
}

static PyMemberDef Callback_members[] = {
    {"__vectorcalloffset__", Py_T_PYSSIZET, offsetof(Callback, vectorcall), Py_READONLY, NULL},
    {0},
};

static PyType_Slot Callback_slots[] = {
    {Py_tp_traverse, Callback_traverse},
    {Py_tp_dealloc, Callback_dealloc},
    {Py_tp_call, PyVectorcall_Call},
    {Py_tp_members, Callback_members},
    {0, NULL},
};

static PyType_Spec Callback_spec = {
    .name = "covcore._tracer.Callback",
    .basicsize = sizeof(Callback),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_HAVE_VECTORCALL | Py_TPFLAGS_IMMUTABLETYPE
             | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = Callback_slots,
};

static PyMethodDef Tracer_methods[] = {
    {"start", (PyCFunction)(void (*)(void))Tracer_start_locked, METH_VARARGS | METH_KEYWORDS,
     PyDoc_STR("start($self, /, directories, run_id, settings=b'')\n--\n\nOpen a recording and arm.")},
    {"start_tally", (PyCFunction)(void (*)(void))tallying_start_locked, METH_VARARGS | METH_KEYWORDS,
     PyDoc_STR("start_tally($self, /, *, branches=True, resume=False)\n--\n\nArm, and keep hits in memory.")},
    {"take", tallying_take_locked, METH_NOARGS, PyDoc_STR("take($self, /)\n--\n\nGive the hits kept in memory, and forget them.")},
    {"stop", Tracer_stop_locked, METH_NOARGS, PyDoc_STR("stop($self, /)\n--\n\nDisarm and put the end mark.")},
    {"restart", Tracer_restart_locked, METH_NOARGS, PyDoc_STR("restart($self, /)\n--\n\nArm again whatever of ours was silenced.")},
    {"switch_context", Tracer_switch_context_locked, METH_VARARGS,
     PyDoc_STR("switch_context($self, static, test, phase, /)\n--\n\nRecord from here on under another context.")},
    {"pause", Tracer_pause_locked, METH_NOARGS, PyDoc_STR("pause($self, /)\n--\n\nRecord nothing until resume().")},
    {"resume", Tracer_resume_locked, METH_NOARGS, PyDoc_STR("resume($self, /)\n--\n\nRecord again.")},
    {"watch", Tracer_watch_locked, METH_NOARGS,
     PyDoc_STR("watch($self, /)\n--\n\nTake notes on the processes that this one starts.")},
    {"follow_forks", Tracer_follow_forks_locked, METH_NOARGS,
     PyDoc_STR("follow_forks($self, /)\n--\n\nMeasure forked children.")},
    {"note", Tracer_note_locked, METH_O, PyDoc_STR("note($self, words, /)\n--\n\nTake a note.")},
    {"counts", Tracer_counts_locked, METH_NOARGS, PyDoc_STR("counts($self, /)\n--\n\nWhat was recorded, in numbers.")},
    {0},
};

static PyMemberDef Tracer_members[] = {
    {"meet", Py_T_OBJECT_EX, offsetof(Tracer, meet), 0, PyDoc_STR("Called with each code object that is decided on, or None.")},
    {0},
};

static PyGetSetDef Tracer_getset[] = {
    {"started", Tracer_get_started, NULL, PyDoc_STR("Whether it measures."), NULL},
    {"path", Tracer_get_path_locked, NULL, PyDoc_STR("The recording's path without the number of a segment, or \"\"."), NULL},
    {"error", Tracer_get_error_locked, NULL, PyDoc_STR("What stopped recording early, or None."), NULL},
    {0},
};

static PyType_Slot Tracer_slots[] = {
    {Py_tp_doc, "Records the lines and arcs of this interpreter's code objects."},
    {Py_tp_new, Tracer_new},
    {Py_tp_traverse, Tracer_traverse},
    {Py_tp_clear, Tracer_clear},
    {Py_tp_dealloc, Tracer_dealloc},
    {Py_tp_methods, Tracer_methods},
    {Py_tp_members, Tracer_members},
    {Py_tp_getset, Tracer_getset},
    {0, NULL},
};

static PyType_Spec Tracer_spec = {
    .name = "covcore._tracer.Tracer",
    .basicsize = sizeof(Tracer),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = Tracer_slots,
};

static int
module_exec(PyObject *module)
{
    module_state *state = PyModule_GetState(module);
    errno = lock_prepare();
    if (errno != 0) {
        PyErr_SetFromErrno(PyExc_OSError);
        return -1;
    }
    state->registry = registry_new();
    if (state->registry == NULL) {
        return -1;
    }
    state->callback_type = (PyTypeObject *)PyType_FromModuleAndSpec(module, &Callback_spec, NULL);
    state->tracer_type = (PyTypeObject *)PyType_FromModuleAndSpec(module, &Tracer_spec, NULL);
    if (state->callback_type == NULL || state->tracer_type == NULL) {
        return -1;
    }
    return PyModule_AddType(module, state->tracer_type);
}

static int
module_traverse(PyObject *module, visitproc visit, void *arg)
{
    module_state *state = PyModule_GetState(module);
    Py_VISIT(state->tracer_type);
    Py_VISIT(state->callback_type);
    return 0;
}

static int
module_clear(PyObject *module)
{
    module_state *state = PyModule_GetState(module);
    Py_CLEAR(state->tracer_type);
    Py_CLEAR(state->callback_type);
    return 0;
}

static void
module_free(void *module)
{
    module_state *state = PyModule_GetState(module);
    (void)module_clear(module);
    if (state->registry != NULL) {
        registry_release(state->registry);
        state->registry = NULL;
    }
}

static PyModuleDef_Slot module_slots[] = {
    {Py_mod_exec, module_exec},
    {Py_mod_multiple_interpreters, Py_MOD_PER_INTERPRETER_GIL_SUPPORTED},
    NEEDS_NO_GIL
    {0, NULL},
};

static PyModuleDef module_definition = {
    .m_base = PyModuleDef_HEAD_INIT,
    .m_name = "covcore._tracer",
    .m_doc = PyDoc_STR("covcore's tracer on sys.monitoring."),
    .m_size = sizeof(module_state),
    .m_methods = children_methods,
    .m_slots = module_slots,
    .m_traverse = module_traverse,
    .m_clear = module_clear,
    .m_free = module_free,
};

PyMODINIT_FUNC
PyInit__tracer(void)
{
    return PyModuleDef_Init(&module_definition);
}
