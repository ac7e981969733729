#include "monitoring.h"

#include "compat.h"
#include "lock.h"

/* 3 and 4 have no name in PEP 669, so other tools that follow it are met there least; 1 is coverage's, then what is left. */
static const int preferred_ids[N_TOOLS] = {4, 3, 1, 5, 2, 0};

static int
read_mask(PyObject *events, const char *name, uint32_t *mask)
{
    PyObject *value = PyObject_GetAttrString(events, name);
    if (value == NULL) {
        return -1;
    }
    long number = PyLong_AsLong(value);
    Py_DECREF(value);
    if (number == -1 && PyErr_Occurred()) {
        return -1;
    }
    *mask = (uint32_t)number;
    return 0;
}

static int
read_masks(PyObject *namespace, event_masks *masks)
{
    PyObject *events = PyObject_GetAttrString(namespace, "events");
    if (events == NULL) {
        return -1;
    }
    int failed = read_mask(events, "PY_START", &masks->py_start) < 0
                 || read_mask(events, "PY_RESUME", &masks->py_resume) < 0
                 || read_mask(events, "LINE", &masks->line) < 0
                 || read_mask(events, "INSTRUCTION", &masks->instruction) < 0
                 || read_mask(events, "JUMP", &masks->jump) < 0
                 || read_mask(events, HAS_EVENT_PER_ARM ? "BRANCH_LEFT" : "BRANCH", &masks->branch_left) < 0
                 || read_mask(events, HAS_EVENT_PER_ARM ? "BRANCH_RIGHT" : "BRANCH", &masks->branch_right) < 0;
    Py_DECREF(events);
    return failed ? -1 : 0;
}

int
monitoring_init(monitoring *m)
{
    PyObject *namespace = PySys_GetObject("monitoring");  // borrowed: sys keeps it
    if (namespace == NULL) {
        PyErr_SetString(PyExc_RuntimeError, "this Python has no sys.monitoring");
        return -1;
    }
    const struct {
        const char *name;
        PyObject **place;
    } functions[] = {
        {"get_tool", &m->get_tool},
        {"use_tool_id", &m->use_tool_id},
        {"free_tool_id", &m->free_tool_id},
        {"set_events", &m->set_events},
        {"set_local_events", &m->set_local_events},
        {"register_callback", &m->register_callback},
        {"DISABLE", &m->disable},
    };
    Py_INCREF(namespace);
    int failed = read_masks(namespace, &m->events);
    for (size_t i = 0; !failed && i < Py_ARRAY_LENGTH(functions); i++) {
        *functions[i].place = PyObject_GetAttrString(namespace, functions[i].name);
        failed = *functions[i].place == NULL;
    }
    Py_DECREF(namespace);
    for (int tool = 0; !failed && tool < N_TOOLS; tool++) {
        m->tool_ids[tool] = PyLong_FromLong(tool);
        failed = m->tool_ids[tool] == NULL;
    }
    if (!failed) {
        m->name = PyUnicode_FromString("covcore");
        failed = m->name == NULL;
    }
    if (failed) {
        monitoring_clear(m);
        return -1;
    }
    return 0;
}

int
monitoring_traverse(monitoring *m, visitproc visit, void *arg)
{
    Py_VISIT(m->get_tool);
    Py_VISIT(m->use_tool_id);
    Py_VISIT(m->free_tool_id);
    Py_VISIT(m->set_events);
    Py_VISIT(m->set_local_events);
    Py_VISIT(m->register_callback);
    Py_VISIT(m->disable);
    return 0;
}

void
monitoring_clear(monitoring *m)
{
    Py_CLEAR(m->get_tool);
    Py_CLEAR(m->use_tool_id);
    Py_CLEAR(m->free_tool_id);
    Py_CLEAR(m->set_events);
    Py_CLEAR(m->set_local_events);
    Py_CLEAR(m->register_callback);
    Py_CLEAR(m->disable);
    Py_CLEAR(m->name);
    for (int tool = 0; tool < N_TOOLS; tool++) {
        Py_CLEAR(m->tool_ids[tool]);
    }
}

/* Drops a result that says nothing. */
static int
done(PyObject *result)
{
    if (result == NULL) {
        return -1;
    }
    Py_DECREF(result);
    return 0;
}

int
monitoring_owns(monitoring *m, int tool)
{
    if (tool == NO_TOOL) {
        return 0;
    }
    PyObject *holder = PyObject_CallOneArg(m->get_tool, m->tool_ids[tool]);
    if (holder == NULL) {
        return -1;
    }
    int ours = holder == m->name;
    Py_DECREF(holder);
    return ours;
}

int
monitoring_take_id(monitoring *m)
{
    for (size_t i = 0; i < N_TOOLS; i++) {
        int tool = preferred_ids[i];
        PyObject *args[] = {m->tool_ids[tool], m->name};
        PyObject *result = PyObject_Vectorcall(m->use_tool_id, args, 2, NULL);
        if (result != NULL) {
            Py_DECREF(result);
            return tool;
        }
        if (!PyErr_ExceptionMatches(PyExc_ValueError)) {
            return -1;
        }
        PyErr_Clear();  // held by another tool
    }
    return -1;
}

int
monitoring_is_alone(monitoring *m)
{
    for (int tool = 0; tool < N_TOOLS; tool++) {
        PyObject *holder = PyObject_CallOneArg(m->get_tool, m->tool_ids[tool]);
        if (holder == NULL) {
            return -1;
        }
        bool other = holder != Py_None && holder != m->name;
        Py_DECREF(holder);
        if (other) {
            return 0;
        }
    }
    return 1;
}

int
monitoring_free_id(monitoring *m, int tool)
{
    int ours = monitoring_owns(m, tool);
    if (ours <= 0) {
        return ours;
    }
    return done(PyObject_CallOneArg(m->free_tool_id, m->tool_ids[tool]));
}

void
monitoring_raise_no_id(monitoring *m)
{
    PyObject *holders = PyUnicode_FromString("");
    for (int tool = 0; holders != NULL && tool < N_TOOLS; tool++) {
        PyObject *holder = PyObject_CallOneArg(m->get_tool, m->tool_ids[tool]);
        PyObject *part = holder == NULL ? NULL : PyUnicode_FromFormat("%s%d: %S", tool ? ", " : "", tool, holder);
        Py_XDECREF(holder);
        if (part == NULL) {
            Py_CLEAR(holders);
            break;
        }
        Py_SETREF(holders, PyUnicode_Concat(holders, part));
        Py_DECREF(part);
    }
    if (holders != NULL) {
        PyErr_Format(PyExc_RuntimeError,
                     "no sys.monitoring tool id is free (%U); stop one of these tools to measure with covcore", holders);
        Py_DECREF(holders);
    }
}

int
monitoring_set_events(monitoring *m, int tool, uint32_t events)
{
    PyObject *mask = PyLong_FromUnsignedLong(events);
    if (mask == NULL) {
        return -1;
    }
    PyObject *args[] = {m->tool_ids[tool], mask};
    PyObject *result = PyObject_Vectorcall(m->set_events, args, 2, NULL);
    Py_DECREF(mask);
    return done(result);
}

int
monitoring_set_local(monitoring *m, int tool, PyCodeObject *code, uint32_t events)
{
    PyObject *mask = PyLong_FromUnsignedLong(events);
    if (mask == NULL) {
        return -1;
    }
    PyObject *args[] = {m->tool_ids[tool], (PyObject *)code, mask};
    PyObject *result = PyObject_Vectorcall(m->set_local_events, args, 3, NULL);
    Py_DECREF(mask);
    return done(result);
}

/* Registers a callback, which audit hooks hear of.  A new reference to the one before, None if there was none, or NULL with an exception. */
static PyObject *
replace(monitoring *m, int tool, uint32_t event, PyObject *callback)
{
    PyObject *mask = PyLong_FromUnsignedLong(event);
    if (mask == NULL) {
        return NULL;
    }
    PyObject *args[] = {m->tool_ids[tool], mask, callback};
    const unsigned depth = lock_let_go();
    PyObject *before = PyObject_Vectorcall(m->register_callback, args, 3, NULL);
    lock_take_back(depth);
    Py_DECREF(mask);
    return before;
}

int
monitoring_register(monitoring *m, int tool, uint32_t event, PyObject *callback)
{
    return done(replace(m, tool, event, callback));
}

int
monitoring_calls(monitoring *m, int tool, uint32_t event, PyObject *callback)
{
    int ours = monitoring_owns(m, tool);
    if (ours <= 0) {
        return ours;
    }
    PyObject *before = replace(m, tool, event, callback);  // there is no way to ask
    if (before == NULL) {
        return -1;
    }
    Py_DECREF(before);
    return before == callback;
}
