/* tasks: under which task of asyncio events come.
 *
 * A step of a task begins and ends with a switch of contextvars' context, which CPython counts, by thread: so an event of the same
 * thread with the same count is of the same step.  At the first event of another one the task is asked for its name, and if that is
 * not the last one's the context is switched.  Events are never silenced meanwhile, so that there is such an event.  Three other ways
 * were tried: docs/contexts.md.
 *
 * What is no task inherits: a task's name is put into its context of contextvars, which callbacks and asyncio.to_thread() copy. */
#include "tracer.h"

#include "compat.h"

bool
tasks_moved(const Tracer *self)
{
    const PyThreadState *thread = PyThreadState_Get();
    return thread->id != self->task_thread || thread->context_ver != self->task_version;
}

/* Finds what asyncio's C module offers.  It may not be imported yet.  Whether it is there. */
static bool
find_asyncio(Tracer *self)
{
    if (self->current_task != NULL) {
        return true;
    }
    const unsigned depth = lock_let_go();  // the program may have replaced sys.modules, and what is in it
    PyObject *modules = Py_XNewRef(PySys_GetObject("modules"));
    PyObject *module = modules == NULL ? NULL : PyMapping_GetItemString(modules, "_asyncio");
    PyObject *running_loop = module == NULL ? NULL : PyObject_GetAttrString(module, "_get_running_loop");
    PyObject *current_task = running_loop == NULL ? NULL : PyObject_GetAttrString(module, "current_task");
    Py_XDECREF(modules);
    Py_XDECREF(module);
    PyErr_Clear();
    lock_take_back(depth);
    if (current_task != NULL && self->current_task == NULL) {
        self->running_loop = Py_NewRef(running_loop);
        self->current_task = Py_NewRef(current_task);
    }
    Py_XDECREF(running_loop);
    Py_XDECREF(current_task);
    return self->current_task != NULL;
}

/* The task that runs in this thread (new reference), or NULL. */
static PyObject *
running_task(const Tracer *self)
{
    PyObject *loop = PyObject_CallNoArgs(self->running_loop);
    PyObject *task = loop == NULL || loop == Py_None ? NULL : PyObject_CallOneArg(self->current_task, loop);
    Py_XDECREF(loop);
    if (task == Py_None) {
        Py_CLEAR(task);
    }
    PyErr_Clear();
    return task;
}

/* Its name, or NULL.  It becomes part of a key: no str subclass, whose __hash__ would be the program's. */
static PyObject *
name_of(PyObject *task)
{
    PyObject *name = PyObject_CallMethod(task, "get_name", NULL);
    if (name != NULL && !PyUnicode_Check(name)) {
        Py_SETREF(name, PyObject_Str(name));
    }
    if (name != NULL && !PyUnicode_CheckExact(name)) {
        Py_SETREF(name, PyUnicode_FromObject(name));
    }
    PyErr_Clear();
    return name;
}

/* The name of the task that this thread works for, a new reference, or NULL: for none.  Without the lock. */
static PyObject *
name_of_work(const Tracer *self, bool may_have_task)
{
    PyObject *task = may_have_task ? running_task(self) : NULL;
    PyObject *inherited = NULL;
    if (PyContextVar_Get(self->task_variable, NULL, &inherited) < 0) {
        PyErr_Clear();
    }
    if (task == NULL) {
        return inherited;
    }
    PyObject *name = name_of(task);
    Py_DECREF(task);
    if (name != NULL && (inherited == NULL || PyUnicode_Compare(name, inherited) != 0)) {
        PyObject *token = PyContextVar_Set(self->task_variable, name);
        Py_XDECREF(token);
        PyErr_Clear();
    }
    Py_XDECREF(inherited);
    return name;
}

/* The base context with a task in it: as its test where there is none, else as a phase of that. */
static PyObject *
context_with(PyObject *base, PyObject *name)
{
    PyObject *label = PyTuple_GET_ITEM(base, 0), *test = PyTuple_GET_ITEM(base, 1), *phase = PyTuple_GET_ITEM(base, 2);
    if (name == NULL) {
        return Py_NewRef(base);
    }
    if (PyUnicode_GET_LENGTH(test) == 0) {
        return PyTuple_Pack(3, label, name, phase);
    }
    PyObject *joined = PyUnicode_GET_LENGTH(phase) == 0 ? Py_NewRef(name) : PyUnicode_FromFormat("%U %U", phase, name);
    PyObject *context = joined == NULL ? NULL : PyTuple_Pack(3, label, test, joined);
    Py_XDECREF(joined);
    return context;
}

static bool
is_same(PyObject *name, PyObject *other)
{
    return name == other || (name != NULL && other != NULL && PyUnicode_Compare(name, other) == 0);
}

int
tasks_set_base(Tracer *self, PyObject *base)
{
    PyObject *context = context_with(base, self->task);
    if (context == NULL) {
        return -1;
    }
    Py_XSETREF(self->base, Py_NewRef(base));
    Py_XSETREF(self->context, context);
    return 0;
}

void
tasks_follow(Tracer *self)
{
    const bool may_have_task = find_asyncio(self);
    const unsigned depth = lock_let_go();
    PyObject *name = name_of_work(self, may_have_task);  // other threads may run, which come here, too
    lock_take_back(depth);
    const PyThreadState *thread = PyThreadState_Get();
    self->task_thread = thread->id;
    self->task_version = thread->context_ver;
    if (is_same(name, self->task)) {
        Py_XDECREF(name);
        return;
    }
    Py_XSETREF(self->task, name);
    if (tasks_set_base(self, self->base) < 0 || (keeping_ready(self) && keeping_context(self) < 0)) {
        tracer_fail(self);
        return;
    }
    tracer_begin_serial(self);
}
