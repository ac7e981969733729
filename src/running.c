#include "running.h"

#include <stdbool.h>
#include <string.h>

/* Appends the code objects of a frame and its callers. */
static int
append_stack(PyObject *list, PyFrameObject *frame)
{
    Py_XINCREF(frame);
    while (frame != NULL) {
        PyCodeObject *code = PyFrame_GetCode(frame);
        int failed = PyList_Append(list, (PyObject *)code);
        Py_DECREF(code);
        PyFrameObject *back = failed ? NULL : PyFrame_GetBack(frame);
        Py_SETREF(frame, back);
        if (failed) {
            return -1;
        }
    }
    return 0;
}

static int
append_threads(PyObject *list)
{
    PyObject *current_frames = PySys_GetObject("_current_frames");  // borrowed
    if (current_frames == NULL) {
        return 0;
    }
    PyObject *frames = PyObject_CallNoArgs(current_frames);
    if (frames == NULL) {
        return -1;
    }
    PyObject *thread, *frame;
    Py_ssize_t position = 0;
    int failed = 0;
    while (!failed && PyDict_Next(frames, &position, &thread, &frame)) {
        failed = PyFrame_Check(frame) ? append_stack(list, (PyFrameObject *)frame) : 0;
    }
    Py_DECREF(frames);
    return failed;
}

/* Objects met while the collector is visited, where nothing may be allocated by Python. */
typedef struct {
    PyObject **objects;  /* strong references */
    size_t n;
    size_t room;
    bool no_memory;
} harvest;

static bool
may_be_suspended(PyObject *object)
{
    return PyGen_CheckExact(object) || PyCoro_CheckExact(object) || PyAsyncGen_CheckExact(object)
           || strcmp(Py_TYPE(object)->tp_name, "greenlet.greenlet") == 0;
}

static int
collect(PyObject *object, void *arg)
{
    harvest *found = arg;
    if (!may_be_suspended(object)) {
        return 1;
    }
    if (found->n == found->room) {
        size_t room = found->room ? found->room * 2 : 64;
        PyObject **objects = PyMem_RawRealloc(found->objects, room * sizeof(*objects));
        if (objects == NULL) {
            found->no_memory = true;
            return 0;
        }
        found->objects = objects;
        found->room = room;
    }
    found->objects[found->n++] = Py_NewRef(object);
    return 1;
}

static int
append_suspended_object(PyObject *list, PyObject *object)
{
    const char *attribute = PyGen_CheckExact(object)        ? "gi_code"
                            : PyCoro_CheckExact(object)     ? "cr_code"
                            : PyAsyncGen_CheckExact(object) ? "ag_code"
                                                            : "gr_frame";
    PyObject *value = PyObject_GetAttrString(object, attribute);
    if (value == NULL) {
        PyErr_Clear();  // a greenlet that is being torn down
        return 0;
    }
    int failed = 0;
    if (PyCode_Check(value)) {
        failed = PyList_Append(list, value);
    }
    else if (PyFrame_Check(value)) {
        failed = append_stack(list, (PyFrameObject *)value);
    }
    Py_DECREF(value);
    return failed;
}

static int
append_suspended(PyObject *list)
{
    harvest found = {0};
    PyUnstable_GC_VisitObjects(collect, &found);
    int failed = 0;
    for (size_t i = 0; i < found.n; i++) {
        failed = failed || append_suspended_object(list, found.objects[i]) < 0;
        Py_DECREF(found.objects[i]);
    }
    PyMem_RawFree(found.objects);
    if (!failed && found.no_memory) {
        PyErr_NoMemory();
        failed = 1;
    }
    return failed ? -1 : 0;
}

PyObject *
running_code(void)
{
    PyObject *list = PyList_New(0);
    if (list != NULL && (append_threads(list) < 0 || append_suspended(list) < 0)) {
        Py_CLEAR(list);
    }
    return list;
}
