/* children: notes on the processes that this one starts and signals, for the accounting of a run.
 *
 * A child that measures leaves a recording.  One that does not (it was killed before it could, it is another Python, or its
 * environment is empty) leaves nothing, and only who started it can tell.  So an audit hook, the one means that needs no
 * patching, writes what is known to RECORDING.children beside the recording; covcore/store/notes.py has the format.
 * Each note is one write to a file that is open for no longer: it outlives any death of the process.
 */
#include "tracer.h"

#include <errno.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LONGEST = 2000 }; /* bytes of a note: more tells a command no better from another */

typedef struct {
    char bytes[LONGEST + 1];
    size_t n;
} note;

/* The tracer of the main interpreter that takes notes, and that whose forked children are measured, or NULL. */
static _Atomic(Tracer *) watcher;  /* is looked at without the lock */
static Tracer *forking;
static bool hooked;

/* What children.py puts at the end of COVCORE_RUN: the recording of the process, with dots behind, and room for a place in it. */
static const char FROM[] = " from=", AT[] = " at=";
enum {
    N_NAME = RECORDING_NAME_ROOM,
    N_PLACE = 16,
    NAME = sizeof(FROM) - 1, /* where in that end the name is, and the place */
    PLACE = NAME + N_NAME + sizeof(AT) - 1,
    N_MARK = PLACE + N_PLACE,
};

/* Adds a word, with a space before it if it is not the first; what could end a word or a line is written %XX. */
static void
add_word(note *to, const char *word, size_t n_word)
{
    static const char digits[] = "0123456789abcdef";

    if (to->n > 0 && to->n < LONGEST) {
        to->bytes[to->n++] = ' ';
    }
    for (size_t i = 0; i < n_word && to->n + 3 <= LONGEST; i++) {
        const unsigned char c = (unsigned char)word[i];
        if (c > ' ' && c < 0x7F && c != '%') {
            to->bytes[to->n++] = word[i];
        }
        else {
            to->bytes[to->n++] = '%';
            to->bytes[to->n++] = digits[c >> 4];
            to->bytes[to->n++] = digits[c & 15];
        }
    }
}

/* Adds a str, bytes, path or int.  What is none of them adds an empty word. */
static void
add_object(note *to, PyObject *object)
{
    PyObject *text = PyLong_Check(object) ? PyObject_Str(object) : PyOS_FSPath(object);
    PyObject *bytes = NULL;
    if (text != NULL && PyUnicode_FSConverter(text, &bytes)) {
        add_word(to, PyBytes_AS_STRING(bytes), (size_t)PyBytes_GET_SIZE(bytes));
    }
    else {
        add_word(to, "", 0);
    }
    Py_XDECREF(bytes);
    Py_XDECREF(text);
    PyErr_Clear();
}

static void
add_command(note *to, PyObject *words)
{
    if (!PyList_Check(words) && !PyTuple_Check(words)) {
        add_object(to, words);
        return;
    }
    for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(words); i++) {
        add_object(to, PySequence_Fast_GET_ITEM(words, i));
    }
}

/* Appends the note to a file.  What goes wrong is let be: a note is no reason to trouble a program. */
static void
append(note *from, const char *path, bool create)
{
    from->bytes[from->n++] = '\n';
    platform_append(path, create, from->bytes, from->n);
}

/* The path of the recording without the number of a segment, or NULL with an exception. */
PyObject *
children_path(Tracer *self)
{
    if (!recording_ready(&self->recording) || self->directories == NULL) {
        return PyUnicode_FromString("");
    }
    PyObject *path =
        PyBytes_FromFormat("%s/%s", PyBytes_AS_STRING(PyTuple_GET_ITEM(self->directories, 0)), self->recording.name);
    PyObject *text = path == NULL ? NULL : PyUnicode_DecodeFSDefault(PyBytes_AS_STRING(path));
    Py_XDECREF(path);
    return text;
}

/* Appends the note to those beside a tracer's recording. */
static void
append_beside(Tracer *self, note *from, bool create)
{
    PyObject *path = PyBytes_FromFormat("%s/%s.children", PyBytes_AS_STRING(PyTuple_GET_ITEM(self->directories, 0)),
                                        self->recording.name);
    if (path != NULL) {
        append(from, PyBytes_AS_STRING(path), create);
        Py_DECREF(path);
    }
    PyErr_Clear();
}

static void
append_to_own(Tracer *self, note *from)
{
    if (recording_ready(&self->recording)) {
        append_beside(self, from, true);
    }
}

static void
add_number(note *to, uint64_t number)
{
    char digits[24];
    add_word(to, digits, (size_t)snprintf(digits, sizeof(digits), "%" PRIu64, number));
}

void
children_born(Tracer *self, const recording_owner *child)
{
    note told = {.n = 0};
    if (self->recording.name != NULL) {
        add_word(&told, "born", 4);
        add_number(&told, child->pid);
        add_number(&told, child->start_ticks);
        append_beside(self, &told, false);
    }
}

/* Whether a child with this environment (None: ours) knows of the run. */
static bool
inherits(PyObject *env)
{
    int found = env == Py_None ? 1 : PyMapping_HasKeyString(env, "COVCORE_RUN");
    if (found == 0) {
        PyObject *name = PyBytes_FromString("COVCORE_RUN");
        found = name != NULL && PyDict_Check(env) && PyDict_Contains(env, name) > 0;
        Py_XDECREF(name);
    }
    PyErr_Clear();
    return found;
}

/* What an event tells, in words.  False: nothing.  paused: what is started now is not to be measured. */
static bool
describe(note *to, const char *event, PyObject *args, bool paused)
{
    Py_ssize_t n = PyTuple_GET_SIZE(args);
    if (strcmp(event, "os.kill") == 0 && n == 2) {
        long signal = PyLong_Check(PyTuple_GET_ITEM(args, 1)) ? PyLong_AsLong(PyTuple_GET_ITEM(args, 1)) : 0;
        PyErr_Clear();
        add_word(to, "kill", 4);
        add_object(to, PyTuple_GET_ITEM(args, 0));
        add_object(to, PyTuple_GET_ITEM(args, 1));
        return signal > 0;
    }
    if (paused) {
        return false;
    }
    const bool is_popen = strcmp(event, "subprocess.Popen") == 0 && n == 4;
    const bool is_spawn = strcmp(event, "os.posix_spawn") == 0 && n == 3;
    if (!is_popen && !is_spawn && (strcmp(event, "os.exec") != 0 || n != 3)) {
        return false;
    }
    const char *word = is_popen ? "popen" : is_spawn ? "spawn" : "exec";
    add_word(to, word, strlen(word));
    add_word(to, inherits(PyTuple_GET_ITEM(args, n - 1)) ? "1" : "0", 1);
    add_object(to, PyTuple_GET_ITEM(args, 0));
    add_command(to, PyTuple_GET_ITEM(args, 1));
    return true;
}

static bool
is_paused(void)
{
    lock_take();
    const Tracer *self = watcher;
    const bool paused = self == NULL || self->paused;
    lock_give();
    return paused;
}

static void
take_note(note *told)
{
    lock_take();
    Tracer *self = watcher;
    if (self != NULL) {
        append_to_own(self, told);
    }
    lock_give();
}

/* Called for every audited event of every interpreter, without the lock. */
static int
on_audit(const char *event, PyObject *args, void *Py_UNUSED(data))
{
    if (atomic_load_explicit(&watcher, memory_order_relaxed) == NULL || (event[0] != 'o' && event[0] != 's')
        || (strncmp(event, "os.", 3) != 0 && strcmp(event, "subprocess.Popen") != 0)
        || PyInterpreterState_Get() != PyInterpreterState_Main()) {
        return 0;
    }
    const int error = errno;
    note told = {.n = 0};
    if (describe(&told, event, args, is_paused())) {
        take_note(&told);
    }
    errno = error;
    return 0;
}

/* From now on this tracer takes notes.  Hooks can't be removed: there is but one, and nothing to do for it without a
 * watcher.  Subinterpreters take none: hook and environment are the process's. */
int
children_watch(Tracer *self)
{
    if (PyInterpreterState_Get() != PyInterpreterState_Main()) {
        return 0;
    }
    if (!hooked && PySys_AddAuditHook(on_audit, NULL) < 0) {
        return -1;
    }
    hooked = true;
    watcher = self;
    children_mark(self);
    return 0;
}

/* The end of the variable in the environment, where it names a recording, or NULL: the program has changed the variable, or
 * taken it away. */
static char *
find_mark(const recording *r)
{
    char *value = platform_environment("COVCORE_RUN");
    const size_t n_value = value == NULL ? 0 : strlen(value);
    char *mark = n_value < N_MARK || r->name == NULL ? NULL : value + n_value - N_MARK;

    if (mark == NULL || memcmp(mark, FROM, NAME) != 0 || memcmp(mark + PLACE - (sizeof(AT) - 1), AT, sizeof(AT) - 1) != 0) {
        return NULL;
    }
    const size_t n_name = strlen(r->name);
    const bool is_ours = memcmp(mark + NAME, r->name, n_name) == 0 && strspn(mark + NAME + n_name, ".") == N_NAME - n_name;
    return is_ours ? mark : NULL;
}

/* Written over in place: a switch must cost next to nothing, and a program that compares os.environ with what it was must
 * find no change.  Who starts a process with a copy of os.environ leaves the place out; that one then asks the
 * recording of the process that it descends from, a moment later. */
static void
write_place(char *mark, uint64_t place)
{
    static const char digits[] = "0123456789abcdef";
    for (int i = N_PLACE - 1; i >= 0; i--) {
        mark[PLACE + i] = digits[place & 15];
        place >>= 4;
    }
}

void
children_mark(Tracer *self)
{
    char *mark = watcher == self && recording_ready(&self->recording) ? find_mark(&self->recording) : NULL;
    if (mark != NULL) {
        write_place(mark, recording_place(&self->recording));
    }
}

char *
children_find_mark(const Tracer *self)
{
    return find_mark(&self->recording);
}

void
children_inherit_mark(const Tracer *self, char *mark)
{
    const size_t n_name = strlen(self->recording.name);
    if (mark != NULL) {
        memcpy(mark + NAME, self->recording.name, n_name);
        memset(mark + NAME + n_name, '.', N_NAME - n_name);
        write_place(mark, recording_place(&self->recording));
    }
}

void
children_unwatch(Tracer *self)
{
    if (watcher == self) {
        watcher = NULL;
    }
    if (forking == self) {
        forking = NULL;
    }
}

void
children_follow_forks(Tracer *self)
{
    if (PyInterpreterState_Get() == PyInterpreterState_Main()) {
        forking = self;
    }
}

PyObject *
children_note(Tracer *self, PyObject *words)
{
    note told = {.n = 0};
    add_command(&told, words);
    append_to_own(self, &told);
    Py_RETURN_NONE;
}

static PyObject *
note_elsewhere(PyObject *Py_UNUSED(module), PyObject *args)
{
    PyObject *path, *words;
    if (!PyArg_ParseTuple(args, "O&O!:note", PyUnicode_FSConverter, &path, &PyTuple_Type, &words)) {
        return NULL;
    }
    note told = {.n = 0};
    add_command(&told, words);
    append(&told, PyBytes_AS_STRING(path), false);
    Py_DECREF(path);
    Py_RETURN_NONE;
}

/* The hooks of os.register_at_fork.  In C, and without a word of Python: each page of memory that a child writes, be it a count
 * of references, is copied, and its parent's, too; and each page of code that a child runs is mapped. */
static PyObject *
before_fork(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(ignored))
{
    if (forking != NULL && forking->started) {
        if (watcher != forking && children_watch(forking) < 0) {
            PyErr_Clear();  // no memory: fewer notes are taken; Python would print what hooks raise
        }
        (void)recording_fork(&forking->recording);
    }
    Py_RETURN_NONE;
}

static PyObject *
in_forked_child(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(ignored))
{
    if (forking != NULL && forking->started && !forking->failed && keeping_begin_own(forking) < 0) {
        tracer_fail(forking);
    }
    Py_RETURN_NONE;
}

WITH_LOCK(before_fork, (PyObject *module, PyObject *args), (module, args))
WITH_LOCK(in_forked_child, (PyObject *module, PyObject *args), (module, args))

static PyObject *
find_process(PyObject *Py_UNUSED(module), PyObject *number)
{
    const unsigned long long pid = PyLong_AsUnsignedLongLong(number);
    platform_process found;
    if (pid == (unsigned long long)-1 && PyErr_Occurred()) {
        return NULL;
    }
    if (pid == 0 || platform_find_process(pid, &found) < 0) {
        errno = ESRCH;
        return PyErr_SetFromErrno(PyExc_OSError);
    }
    return Py_BuildValue("KK", (unsigned long long)found.parent, (unsigned long long)found.start);
}

PyMethodDef children_methods[] = {
    {"find_process", find_process, METH_O,
     PyDoc_STR("find_process($module, pid, /)\n--\n\nThe parent of a process, and when it began.")},
    {"before_fork", before_fork_locked, METH_NOARGS, PyDoc_STR("before_fork($module, /)\n--\n\nTake a note of the fork that follows.")},
    {"in_forked_child", in_forked_child_locked, METH_NOARGS,
     PyDoc_STR("in_forked_child($module, /)\n--\n\nGo on in a recording of its own.")},
    {"note", note_elsewhere, METH_VARARGS,
     PyDoc_STR("note($module, path, words, /)\n--\n\nAppend a note to another process's notes, if they are there.")},
    {0},
};
