#include "running.h"

#include <stdbool.h>
#include <string.h>

/* Objects met while the collector is visited, where nothing that the collector knows may be freed. */
typedef struct {
    PyObject *frames;    /* borrowed: a list of those whose stacks are still to be walked, or NULL */
    PyObject **objects;  /* strong references */
    size_t n;
    size_t room;
    bool no_memory;
} harvest;

/* 0, or -1: no memory. */
static int
reap(harvest *found, PyObject *object)
{
    if (found->n == found->room) {
        size_t room = found->room ? found->room * 2 : 64;
        PyObject **objects = PyMem_RawRealloc(found->objects, room * sizeof(*objects));
        if (objects == NULL) {
            found->no_memory = true;
            return -1;
        }
        found->objects = objects;
        found->room = room;
    }
    found->objects[found->n++] = Py_NewRef(object);
    return 0;
}

/* The code objects of a frame and its callers. */
static void
reap_stack(harvest *found, PyObject *top)
{
    PyFrameObject *frame = PyFrame_Check(top) ? (PyFrameObject *)Py_NewRef(top) : NULL;
    while (frame != NULL) {
        PyCodeObject *code = PyFrame_GetCode(frame);
        int failed = reap(found, (PyObject *)code);
        Py_DECREF(code);
        Py_SETREF(frame, failed ? NULL : PyFrame_GetBack(frame));
    }
}

/* Those of all threads. */
static void
reap_threads(harvest *found)
{
    for (Py_ssize_t i = 0; found->frames != NULL && i < PyList_GET_SIZE(found->frames); i++) {
        reap_stack(found, PyList_GET_ITEM(found->frames, i));
    }
    found->frames = NULL;
}

static bool
may_be_suspended(PyObject *object)
{
    return PyGen_CheckExact(object) || PyCoro_CheckExact(object) || PyAsyncGen_CheckExact(object)
           || strcmp(Py_TYPE(object)->tp_name, "greenlet.greenlet") == 0;
}

/* Called for each object that the collector knows, while no other thread runs: so here, and nowhere else, the stacks of others keep
 * still on builds without a GIL. */
static int
visit(PyObject *object, void *arg)
{
    harvest *found = arg;
    reap_threads(found);
    return !may_be_suspended(object) || reap(found, object) == 0;
}

/* Appends what is harvested to the list of code objects.  What is suspended may have callers, which are harvested, too. */
static int
append(PyObject *list, harvest *found, PyObject *object)
{
    if (PyCode_Check(object)) {
        return PyList_Append(list, object);
    }
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
    else {
        reap_stack(found, value);
    }
    Py_DECREF(value);
    return failed;
}

static int
append_all(PyObject *list, PyObject *frames)
{
    harvest found = {.frames = frames};
    PyUnstable_GC_VisitObjects(visit, &found);
    int failed = 0;
    for (size_t i = 0; i < found.n; i++) {
        PyObject *object = found.objects[i];
        failed = failed || append(list, &found, object) < 0;
        Py_DECREF(object);
    }
    PyMem_RawFree(found.objects);
    if (!failed && found.no_memory) {
        PyErr_NoMemory();
        failed = 1;
    }
    return failed ? -1 : 0;
}

#ifdef Py_GIL_DISABLED

/* A list of the frames that threads run.  They may end at any time, but for what sys._current_frames() does to stop them. */
static PyObject *
running_frames(void)
{
    PyObject *current_frames = PySys_GetObject("_current_frames");  // borrowed
    PyObject *frames = current_frames == NULL ? PyDict_New() : PyObject_CallNoArgs(current_frames);
    PyObject *list = frames == NULL ? NULL : PyDict_Values(frames);
    Py_XDECREF(frames);
    return list;
}

#else

/* A list of the frames that threads of this interpreter run.  sys._current_frames() would make frame objects for the threads of all
 * interpreters, and those of the others would come from the memory of this one, and be freed into their own.  Nothing here lets go
 * of the GIL, so no thread ends meanwhile. */
static PyObject *
running_frames(void)
{
    PyObject *list = PyList_New(0);
    PyThreadState *thread = list == NULL ? NULL : PyInterpreterState_ThreadHead(PyInterpreterState_Get());
    for (; thread != NULL; thread = PyThreadState_Next(thread)) {
        PyFrameObject *frame = PyThreadState_GetFrame(thread);
        const int failed = frame == NULL ? 0 : PyList_Append(list, (PyObject *)frame);
        Py_XDECREF(frame);
        if (failed) {
            Py_CLEAR(list);
            break;
        }
    }
    return list;
}

#endif

PyObject *
running_code(void)
{
    PyObject *frames = running_frames();
    PyObject *list = frames == NULL ? NULL : PyList_New(0);
    if (list != NULL && append_all(list, frames) < 0) {
        Py_CLEAR(list);
    }
    Py_XDECREF(frames);
    return list;
}
