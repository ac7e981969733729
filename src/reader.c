/* _reader: recordings and shapes for the commands, as Python objects.  covcore/_reader.pyi tells of the functions;
 * recording.h, hits.h and sites.h do the work. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "compat.h"
#include "hits.h"
#include "pages.h"
#include "reader_arcs.h"
#include "reader_hits.h"
#include "reader_shapes.h"
#include "recording.h"
#include "sites.h"

/* Appends the item, which may be NULL with an exception set, and takes the reference. */
static int
append(PyObject *list, PyObject *item)
{
    const int result = item == NULL ? -1 : PyList_Append(list, item);
    Py_XDECREF(item);
    return result;
}

/* ---- segments ---- */

static PyObject *
owner_dict(const recording_owner *owner)
{
    return Py_BuildValue("{s:s,s:s,s:K,s:K,s:K,s:I,s:I}", "run_id", owner->run_id, "boot_id", owner->boot_id, "pid",
                         (unsigned long long)owner->pid, "start_ticks", (unsigned long long)owner->start_ticks,
                         "started_ns", (unsigned long long)owner->started_ns, "hexversion", owner->hexversion,
                         "optimize", owner->optimize);
}

static bool
same_owner(const recording_owner *a, const recording_owner *b)
{
    return strcmp(a->run_id, b->run_id) == 0 && strcmp(a->boot_id, b->boot_id) == 0 && a->pid == b->pid
           && a->start_ticks == b->start_ticks && a->started_ns == b->started_ns && a->hexversion == b->hexversion
           && a->optimize == b->optimize;
}

static PyObject *
reader_segment_info(PyObject *Py_UNUSED(module), PyObject *bytes)
{
    segment_reader reader;
    segment_info info;
    const char *reason;

    if (!PyBytes_Check(bytes)) {
        return PyErr_Format(PyExc_TypeError, "a segment is bytes, not %.200s", Py_TYPE(bytes)->tp_name);
    }
    if (segment_open(&reader, &info, (const uint8_t *)PyBytes_AS_STRING(bytes), (size_t)PyBytes_GET_SIZE(bytes),
                     &reason)
        < 0) {
        PyErr_SetString(PyExc_ValueError, reason);
        return NULL;
    }
    PyObject *owner = owner_dict(&info.owner);
    if (owner == NULL) {
        return NULL;
    }
    return Py_BuildValue("{s:N,s:I,s:I,s:i,s:K}", "owner", owner, "segment", info.segment, "end", info.end, "error",
                         info.error, "length", (unsigned long long)info.length);
}

/* ---- recordings ---- */

/* What has been read so far. */
typedef struct {
    PyObject *settings, *files, *codes, *contexts, *forks; /* lists */
    hit_table hits;
    size_t n_defined; /* bytes of definitions */
    recording_owner owner;
    uint32_t end;
    int32_t error;
    char problem[200]; /* empty: none */
} gathered;

/* Bytes that should be UTF-8, with the surrogates of Python's strings; if they are not, something readable. */
static PyObject *
text(const char *bytes, size_t n_bytes)
{
    PyObject *str = PyUnicode_DecodeUTF8(bytes, (Py_ssize_t)n_bytes, "surrogatepass");

    if (str == NULL && PyErr_ExceptionMatches(PyExc_UnicodeDecodeError)) {
        PyErr_Clear();
        str = PyUnicode_DecodeUTF8(bytes, (Py_ssize_t)n_bytes, "replace");
    }
    return str;
}

/* Ends the reading of what comes after; 1, so that it can be told from 0 and from -1 with an exception. */
static int
stop_at(gathered *g, const char *reason)
{
    PyOS_snprintf(g->problem, sizeof(g->problem), "%s", reason);
    return 1;
}

/* The next NUL-terminated string, whose NUL the last one may lack. */
static PyObject *
next_text(const char **at, const char *end)
{
    const char *const start = *at;
    const char *const nul = memchr(start, 0, (size_t)(end - start));

    *at = nul == NULL ? end : nul + 1;
    return text(start, (size_t)((nul == NULL ? end : nul) - start));
}

static int
take_run(gathered *g, const record *r)
{
    const char *at;
    size_t n;

    if (record_run(r, &at, &n) < 0) {
        return stop_at(g, "the settings are malformed");
    }
    const char *const end = at + n;
    while (at < end) {
        PyObject *key = next_text(&at, end);
        PyObject *value = key == NULL ? NULL : next_text(&at, end);
        PyObject *item = value == NULL ? NULL : PyTuple_Pack(2, key, value);
        Py_XDECREF(key);
        Py_XDECREF(value);
        if (append(g->settings, item) < 0) {
            return -1;
        }
    }
    return 0;
}

static int
take_file(gathered *g, const record *r)
{
    const uint8_t *hash;
    const char *path;
    size_t n_path;

    if (record_file(r, &hash, &path, &n_path) < 0) {
        return stop_at(g, "a file record is malformed");
    }
    return append(g->files,
                  Py_BuildValue("y#y#", path, (Py_ssize_t)n_path, (const char *)hash, (Py_ssize_t)SHA256_BYTES));
}

/* What a failed call of hits_* means. */
static int
hits_failed(gathered *g)
{
    if (g->hits.reason == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    return stop_at(g, g->hits.reason);
}

static int
take_code(gathered *g, const record *r)
{
    code_record code;

    if (record_code(r, &code) < 0) {
        return stop_at(g, "a code record is malformed");
    }
    if (code.file_id >= (size_t)PyList_GET_SIZE(g->files)) {
        return stop_at(g, "a code object of an unknown file");
    }
    const int64_t n_slots = shape_n_slots(code.shape, code.n_shape);
    if (n_slots < 0) {
        return stop_at(g, "the shape of a code object is malformed");
    }
    PyObject *name = text(code.qualname, code.n_qualname);
    if (name == NULL) {
        return -1;
    }
    PyObject *item = Py_BuildValue("IiINy#", code.file_id, code.first_line, code.co_flags, name,
                                   (const char *)code.shape, (Py_ssize_t)code.n_shape);
    if (append(g->codes, item) < 0) {
        return -1;
    }
    return hits_code(&g->hits, (uint32_t)n_slots) < 0 ? hits_failed(g) : 0;
}

static int
take_context(gathered *g, const record *r)
{
    const char *parts[3];
    size_t n_parts[3];
    PyObject *texts[3];

    if (record_context(r, parts, n_parts) < 0) {
        return stop_at(g, "a context record is malformed");
    }
    for (int i = 0; i < 3; i++) {
        texts[i] = text(parts[i], n_parts[i]);
    }
    PyObject *item = texts[0] && texts[1] && texts[2] ? PyTuple_Pack(3, texts[0], texts[1], texts[2]) : NULL;
    for (int i = 0; i < 3; i++) {
        Py_XDECREF(texts[i]);
    }
    if (append(g->contexts, item) < 0) {
        return -1;
    }
    return hits_context(&g->hits) < 0 ? hits_failed(g) : 0;
}

static int
take_fork(gathered *g, const record *r)
{
    uint64_t time, child;

    memcpy(&time, r->payload, sizeof(time)); /* segment_next has seen to its size */
    memcpy(&child, r->payload + sizeof(time), sizeof(child));
    const uint64_t pid = child & ((1u << PLATFORM_PID_BITS) - 1);
    return append(g->forks, Py_BuildValue("KKK", (unsigned long long)time, (unsigned long long)pid,
                                          (unsigned long long)(child >> PLATFORM_PID_BITS)));
}

/* One record: 0, 1 to stop with g->problem, -1 with an exception. */
static int
take_record(gathered *g, const record *r)
{
    enum { MOST_DEFINED = 1 << 30 }; /* what is hit again and again may be longer, and takes no memory here */
    uint32_t slot;
    int failed;

    g->n_defined += r->n_payload;
    if (g->n_defined > MOST_DEFINED) {
        return stop_at(g, "more is defined than a recording can hold");
    }
    switch (r->type) {
    case RECORD_RUN:
        return take_run(g, r);
    case RECORD_FILE:
        return take_file(g, r);
    case RECORD_CODE:
        return take_code(g, r);
    case RECORD_CONTEXT:
        return take_context(g, r);
    case RECORD_FORK:
        return take_fork(g, r);
    case RECORD_ARC:
        memcpy(&slot, r->payload, sizeof(slot)); /* segment_next has seen to its size */
        failed = hits_arc(&g->hits, r->argument, slot);
        break;
    case RECORD_SLOT:
        failed = hits_slot(&g->hits, r->argument);
        break;
    case RECORD_HIT:
        failed = hits_hit(&g->hits, r->argument);
        break;
    case RECORD_MORE:
        failed = hits_more(&g->hits, r->argument);
        break;
    default:
        failed = hits_switch(&g->hits, r->argument);
        break;
    }
    return failed ? hits_failed(g) : 0;
}

/* Looks at the header of segment number i and checks that it belongs here.  0, 1 to stop, -1 with an exception. */
static int
open_segment(gathered *g, Py_ssize_t i, PyObject *bytes, segment_reader *reader)
{
    segment_info info;
    const char *reason;

    if (!PyBytes_Check(bytes)) {
        PyErr_Format(PyExc_TypeError, "a segment is bytes, not %.200s", Py_TYPE(bytes)->tp_name);
        return -1;
    }
    const bool is_continued = i == 0 || g->end == SEGMENT_CONTINUED;
    if (segment_open(reader, &info, (const uint8_t *)PyBytes_AS_STRING(bytes), (size_t)PyBytes_GET_SIZE(bytes), &reason)
        < 0) {
        if (i == 0) {
            PyErr_SetString(PyExc_ValueError, reason);
            return -1;
        }
        return is_continued ? stop_at(g, reason) : 1; /* else: killed while it grew, before it went over to this one */
    }
    if (info.segment != i || (i > 0 && !same_owner(&info.owner, &g->owner))) {
        return stop_at(g, "not the segment that belongs here");
    }
    g->owner = info.owner;
    g->end = info.end;
    g->error = info.error;
    return 0;
}

static int
take_segment(gathered *g, Py_ssize_t i, PyObject *bytes)
{
    segment_reader reader;
    record r;

    const int failed = open_segment(g, i, bytes, &reader);
    if (failed) {
        return failed;
    }
    int more;
    while ((more = segment_next(&reader, &r)) > 0) {
        const int stopped = take_record(g, &r);
        if (stopped) {
            return stopped;
        }
    }
    return more < 0 ? stop_at(g, reader.reason) : 0;
}

/* Takes all segments of an iterator, one in memory at a time, until there is a problem.  0, or -1 with an exception. */
static int
take_segments(gathered *g, PyObject *segments)
{
    enum { SPARSE = 32 }; /* real bitmaps take up a few bytes per byte of their recording */
    PyObject *segment;
    Py_ssize_t i = 0;
    int stopped = 0;

    for (; stopped == 0 && (segment = PyIter_Next(segments)) != NULL; i++) {
        g->hits.most_bits_bytes += PyBytes_Check(segment) ? (size_t)PyBytes_GET_SIZE(segment) * SPARSE : 0;
        stopped = take_segment(g, i, segment);
        Py_DECREF(segment);
    }
    if (stopped < 0 || PyErr_Occurred()) {
        return -1;
    }
    if (i == 0) {
        PyErr_SetString(PyExc_ValueError, "no segments");
        return -1;
    }
    if (stopped && g->problem[0] != '\0') {
        char reason[sizeof(g->problem)];
        memcpy(reason, g->problem, sizeof(reason));
        PyOS_snprintf(g->problem, sizeof(g->problem), "segment %ld: %.150s", (long)i - 1, reason);
    }
    else if (!stopped && g->end == SEGMENT_CONTINUED) {
        PyOS_snprintf(g->problem, sizeof(g->problem), "segment %ld is missing", (long)i);
    }
    return 0;
}

static PyObject *
recording_dict(const gathered *g)
{
    PyObject *owner = owner_dict(&g->owner);
    PyObject *hits = owner == NULL ? NULL : reader_hits_by_code(&g->hits);

    if (hits == NULL) {
        Py_XDECREF(owner);
        return NULL;
    }
    return Py_BuildValue("{s:N,s:I,s:i,s:z,s:O,s:O,s:O,s:O,s:O,s:N}", "owner", owner, "end", g->end, "error", g->error,
                         "problem", g->problem[0] != '\0' ? g->problem : NULL, "settings", g->settings, "files",
                         g->files, "codes", g->codes, "contexts", g->contexts, "forks", g->forks, "hits", hits);
}

static PyObject *
reader_read_recording(PyObject *Py_UNUSED(module), PyObject *iterable)
{
    enum { ALWAYS_MOST = 64 << 20 }; /* bytes of bitmaps, however short the recording is */
    PyObject *segments = PyObject_GetIter(iterable);

    if (segments == NULL) {
        return NULL;
    }
    gathered g = {
        .settings = PyList_New(0),
        .files = PyList_New(0),
        .codes = PyList_New(0),
        .contexts = PyList_New(0),
        .forks = PyList_New(0),
    };
    hits_init(&g.hits, ALWAYS_MOST);
    PyObject *result = NULL;
    if (g.settings && g.files && g.codes && g.contexts && g.forks && take_segments(&g, segments) == 0) {
        result = recording_dict(&g);
    }
    hits_free(&g.hits);
    Py_XDECREF(g.settings);
    Py_XDECREF(g.files);
    Py_XDECREF(g.codes);
    Py_XDECREF(g.contexts);
    Py_XDECREF(g.forks);
    Py_DECREF(segments);
    return result;
}

/* ---- pages of a database ---- */

static PyObject *
reader_check_pages(PyObject *Py_UNUSED(module), PyObject *args)
{
    const char *file;
    Py_ssize_t n_bytes;
    PyObject *list;

    if (!PyArg_ParseTuple(args, "y#O!:check_pages", &file, &n_bytes, &PyList_Type, &list)) {
        return NULL;
    }
    const Py_ssize_t n_roots = PyList_GET_SIZE(list);
    uint32_t *roots = PyMem_New(uint32_t, (size_t)n_roots);
    pages_status status = roots == NULL ? PAGES_NO_MEMORY : PAGES_FINE;
    for (Py_ssize_t i = 0; status == PAGES_FINE && i < n_roots; i++) {
        if (PyLong_AsUInt32(PyList_GET_ITEM(list, i), &roots[i]) < 0) {
            PyMem_Free(roots);
            return NULL;
        }
    }
    if (status == PAGES_FINE) {
        status = pages_check((const unsigned char *)file, (size_t)n_bytes, roots, (size_t)n_roots);
    }
    PyMem_Free(roots);
    if (status == PAGES_NO_MEMORY) {
        return PyErr_NoMemory();
    }
    if (status == PAGES_MALFORMED) {
        return PyErr_Format(PyExc_ValueError, "malformed: its pages hold more than they can");
    }
    Py_RETURN_NONE;
}

/* ---- the system: platform.h ---- */

static PyObject *
reader_is_process(PyObject *Py_UNUSED(module), PyObject *args)
{
    unsigned long long pid, start;

    if (!PyArg_ParseTuple(args, "KK:is_process", &pid, &start)) {
        return NULL;
    }
    return PyBool_FromLong(platform_is_running(pid, start));
}

static PyObject *
reader_boot_id(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(ignored))
{
    char id[PLATFORM_BOOT_ROOM];

    platform_boot_id(id);
    return PyUnicode_DecodeASCII(id, (Py_ssize_t)strlen(id), "replace");
}

static PyObject *
reader_lock(PyObject *Py_UNUSED(module), PyObject *args)
{
    int descriptor, kind;

    if (!PyArg_ParseTuple(args, "ii:lock", &descriptor, &kind)) {
        return NULL;
    }
    if (kind < PLATFORM_UNLOCK || kind > PLATFORM_EXCLUDE) {
        PyErr_SetString(PyExc_ValueError, "lock() takes UNLOCK, SHARE or EXCLUDE");
        return NULL;
    }
    if (platform_lock(descriptor, (platform_lock_kind)kind) < 0) {
        return PyErr_SetFromErrno(PyExc_OSError);
    }
    Py_RETURN_NONE;
}

/* ---- the module ---- */

PyDoc_STRVAR(segment_info_doc, "segment_info(segment, /)\n--\n\n"
                               "Look at one segment file's bytes (the first 512 are enough).");
PyDoc_STRVAR(read_recording_doc, "read_recording(segments, /)\n--\n\n"
                                 "Read the segment files of one recording, in order.");
PyDoc_STRVAR(describe_doc, "describe(code, /)\n--\n\n"
                           "The encoded shape of a code object of this interpreter.");
PyDoc_STRVAR(starts_doc, "starts(code, /)\n--\n\n"
                         "What the tracer knows of a code object beyond its encoded shape.");
PyDoc_STRVAR(encode_numbers_doc, "encode_numbers(numbers, /)\n--\n\n"
                                 "Numbers as the database keeps them.");
PyDoc_STRVAR(decode_numbers_doc, "decode_numbers(text, /)\n--\n\n"
                                 "Numbers that the database keeps.");
PyDoc_STRVAR(shape_columns_doc, "shape_columns(shape, /)\n--\n\n"
                                "The lines and the sites of an encoded shape as the database keeps them.");
PyDoc_STRVAR(decode_shape_doc, "decode_shape(shape, /)\n--\n\n"
                               "The lines, sites and blocks of an encoded shape.");
PyDoc_STRVAR(check_pages_doc, "check_pages(file, roots, /)\n--\n\n"
                              "Check that an SQLite file is no more than it seems.");

PyDoc_STRVAR(arc_pages_doc, "arc_pages(rows, page_bytes, usable, n_pages, /)\n--\n\n"
                            "The pages of the table of arcs in coverage.py's data file.");
PyDoc_STRVAR(is_process_doc, "is_process(pid, start, /)\n--\n\n"
                             "Whether a process runs that began then.");
PyDoc_STRVAR(boot_id_doc, "boot_id()\n--\n\n"
                          "What names the time since the machine was started.");
PyDoc_STRVAR(lock_doc, "lock(descriptor, kind, /)\n--\n\n"
                       "Lock an open file, or let go of it.");

static PyMethodDef reader_methods[] = {
    {"segment_info", reader_segment_info, METH_O, segment_info_doc},
    {"read_recording", reader_read_recording, METH_O, read_recording_doc},
    {"describe", reader_describe, METH_O, describe_doc},
    {"starts", reader_starts, METH_O, starts_doc},
    {"encode_numbers", reader_encode_numbers, METH_O, encode_numbers_doc},
    {"decode_numbers", reader_decode_numbers, METH_O, decode_numbers_doc},
    {"shape_columns", reader_shape_columns, METH_O, shape_columns_doc},
    {"decode_shape", reader_decode_shape, METH_O, decode_shape_doc},
    {"check_pages", reader_check_pages, METH_VARARGS, check_pages_doc},
    {"arc_pages", reader_arc_pages, METH_VARARGS, arc_pages_doc},
    {"is_process", reader_is_process, METH_VARARGS, is_process_doc},
    {"boot_id", reader_boot_id, METH_NOARGS, boot_id_doc},
    {"lock", reader_lock, METH_VARARGS, lock_doc},
    {NULL, NULL, 0, NULL},
};

static int
reader_exec(PyObject *module)
{
    return PyModule_AddIntConstant(module, "UNLOCK", PLATFORM_UNLOCK) < 0
                   || PyModule_AddIntConstant(module, "SHARE", PLATFORM_SHARE) < 0
                   || PyModule_AddIntConstant(module, "EXCLUDE", PLATFORM_EXCLUDE) < 0
               ? -1
               : 0;
}

/* There is no state: each interpreter may have the module, under a GIL of its own. */
static PyModuleDef_Slot reader_slots[] = {
    {Py_mod_exec, reader_exec},
    {Py_mod_multiple_interpreters, Py_MOD_PER_INTERPRETER_GIL_SUPPORTED},
    NEEDS_NO_GIL
    {0, NULL},
};

static struct PyModuleDef reader_module = {
    PyModuleDef_HEAD_INIT,       .m_name = "covcore._reader", .m_doc = "Recordings and code objects, read by C.",
    .m_methods = reader_methods, .m_slots = reader_slots,
};

PyMODINIT_FUNC
PyInit__reader(void)
{
    return PyModuleDef_Init(&reader_module);
}
