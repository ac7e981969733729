/* children: notes on the processes that this one starts and signals, for the accounting of a run.
 *
 * A child that measures leaves a recording.  One that does not (it was killed before it could, it is another Python, or its
 * environment is empty) leaves nothing, and only who started it can tell.  So an audit hook, the one means that needs no
 * patching, writes what is known to RECORDING.children beside the recording; covcore/store/notes.py has the format.
 * Each note is one write to a file that is open for no longer: it outlives any death of the process.
 */
#include "tracer.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LONGEST = 2000 }; /* bytes of a note: more tells a command no better from another */

typedef struct {
    char bytes[LONGEST + 1];
    size_t n;
} note;

/* The tracer of the main interpreter that takes notes, or NULL. */
static Tracer *watcher;
static bool hooked;

/* What children.py puts at the end of COVCORE_RUN: the recording of the process, and room for a place in it. */
static const char MARK[] = " from=", PLACE[] = " at=";
enum { N_PLACE = 16 };

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

/* Whether a file may grow: past the limit the kernel would send SIGXFSZ, which ends the program. */
static bool
may_grow(int fd, size_t n)
{
    struct rlimit limit;
    struct stat status;

    return getrlimit(RLIMIT_FSIZE, &limit) == 0
           && (limit.rlim_cur == RLIM_INFINITY
               || (fstat(fd, &status) == 0 && (rlim_t)status.st_size + n <= limit.rlim_cur));
}

/* Appends the note to a file.  What goes wrong is let be: a note is no reason to trouble a program. */
static void
append(note *from, const char *path, int flags)
{
    const int fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | flags, 0600);

    if (fd < 0) {
        return;
    }
    from->bytes[from->n++] = '\n';
    if (may_grow(fd, from->n)) {
        ssize_t n_written = write(fd, from->bytes, from->n);
        (void)n_written;
    }
    (void)close(fd);
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
append_beside(Tracer *self, note *from, int flags)
{
    PyObject *path = PyBytes_FromFormat("%s/%s.children", PyBytes_AS_STRING(PyTuple_GET_ITEM(self->directories, 0)),
                                        self->recording.name);
    if (path != NULL) {
        append(from, PyBytes_AS_STRING(path), flags);
        Py_DECREF(path);
    }
    PyErr_Clear();
}

static void
append_to_own(Tracer *self, note *from)
{
    if (recording_ready(&self->recording)) {
        append_beside(self, from, O_CREAT);
    }
}

static char *find_mark(const recording *r);

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
        self->tells_of_parent = find_mark(&self->recording) != NULL;
        add_word(&told, "born", 4);
        add_number(&told, child->pid);
        add_number(&told, child->start_ticks);
        append_beside(self, &told, 0);
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

/* What an event tells, in words.  False: nothing. */
static bool
describe(note *to, const char *event, PyObject *args)
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
    if (watcher->paused) {
        return false;  // what is started now is not to be measured
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

/* Called for every audited event of every interpreter. */
static int
on_audit(const char *event, PyObject *args, void *Py_UNUSED(data))
{
    if (watcher == NULL || (event[0] != 'o' && event[0] != 's')
        || (strncmp(event, "os.", 3) != 0 && strcmp(event, "subprocess.Popen") != 0)
        || PyInterpreterState_Get() != PyInterpreterState_Main()) {
        return 0;
    }
    const int error = errno;
    note told = {.n = 0};
    if (describe(&told, event, args)) {
        append_to_own(watcher, &told);
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

/* Where the environment has room for the place, or NULL: the program has changed the variable, or taken it away. */
static char *
find_mark(const recording *r)
{
    char *value = getenv("COVCORE_RUN");
    const size_t n_value = value == NULL ? 0 : strlen(value), n_name = strlen(r->name);
    const size_t n_mark = sizeof(MARK) - 1 + n_name + sizeof(PLACE) - 1 + N_PLACE;
    char *mark = n_value < n_mark ? NULL : value + n_value - n_mark;

    if (mark == NULL || memcmp(mark, MARK, sizeof(MARK) - 1) != 0
        || memcmp(mark + sizeof(MARK) - 1, r->name, n_name) != 0
        || memcmp(mark + sizeof(MARK) - 1 + n_name, PLACE, sizeof(PLACE) - 1) != 0) {
        return NULL;
    }
    return value + n_value - N_PLACE;
}

/* Written over in place: a switch must cost next to nothing, and a program that compares os.environ with what it was must
 * find no change.  Who starts a process with a copy of os.environ leaves the place out; the child then asks the
 * recording's header, a moment later. */
void
children_mark(Tracer *self)
{
    static const char digits[] = "0123456789abcdef";
    if (watcher != self || !recording_ready(&self->recording)) {
        return;
    }
    char *mark = find_mark(&self->recording);
    uint64_t place = recording_place(&self->recording);
    for (int i = N_PLACE - 1; mark != NULL && i >= 0; i--) {
        mark[i] = digits[place & 15];
        place >>= 4;
    }
}

void
children_unwatch(Tracer *self)
{
    if (watcher == self) {
        watcher = NULL;
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
    append(&told, PyBytes_AS_STRING(path), 0);
    Py_DECREF(path);
    Py_RETURN_NONE;
}

PyMethodDef children_methods[] = {
    {"note", note_elsewhere, METH_VARARGS,
     PyDoc_STR("note($module, path, words, /)\n--\n\nAppend a note to another process's notes, if they are there.")},
    {0},
};
