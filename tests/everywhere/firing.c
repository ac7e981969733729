/* firing: an extension that reports lines and branches of its own by the monitoring C API, as Cython does. */
#include <Python.h>

static PyMonitoringState states[4];
static uint64_t version;
#if PY_VERSION_HEX < 0x030E0000  /* one event for both arms */
#define PY_MONITORING_EVENT_BRANCH_LEFT    PY_MONITORING_EVENT_BRANCH
#define PY_MONITORING_EVENT_BRANCH_RIGHT   PY_MONITORING_EVENT_BRANCH
#define PyMonitoring_FireBranchLeftEvent   PyMonitoring_FireBranchEvent
#define PyMonitoring_FireBranchRightEvent  PyMonitoring_FireBranchEvent
#endif
static const uint8_t events[4] = {PY_MONITORING_EVENT_PY_START, PY_MONITORING_EVENT_LINE, PY_MONITORING_EVENT_BRANCH_LEFT,
                                  PY_MONITORING_EVENT_BRANCH_RIGHT};

/* fire(code): one event of each kind, for any object.  Returns whether a tool listens to the first. */
static PyObject *
fire(PyObject *Py_UNUSED(module), PyObject *code)
{
    if (PyMonitoring_EnterScope(states, &version, events, 4) < 0) {
        return NULL;
    }
    const long heard = states[0].active;
    PyObject *target = PyLong_FromLong(4);
    int failed = target == NULL || PyMonitoring_FirePyStartEvent(&states[0], code, 0) < 0
                 || PyMonitoring_FireLineEvent(&states[1], code, 0, 7) < 0
                 || PyMonitoring_FireBranchLeftEvent(&states[2], code, 2, target) < 0
                 || PyMonitoring_FireBranchRightEvent(&states[3], code, 2, target) < 0;
    Py_XDECREF(target);
    if (PyMonitoring_ExitScope() < 0 || failed) {
        return NULL;
    }
    return PyLong_FromLong(heard);
}

/* empty_code(filename, name, line): a code object without bytecode, as Cython makes them. */
static PyObject *
empty_code(PyObject *Py_UNUSED(module), PyObject *args)
{
    const char *filename, *name;
    int line;
    if (!PyArg_ParseTuple(args, "ssi", &filename, &name, &line)) {
        return NULL;
    }
    return (PyObject *)PyCode_NewEmpty(filename, name, line);
}

static PyMethodDef methods[] = {
    {"fire", fire, METH_O, NULL},
    {"empty_code", empty_code, METH_VARARGS, NULL},
    {0},
};

static PyModuleDef definition = {.m_base = PyModuleDef_HEAD_INIT, .m_name = "firing", .m_size = -1, .m_methods = methods};

PyMODINIT_FUNC
PyInit_firing(void)
{
    return PyModule_Create(&definition);
}
