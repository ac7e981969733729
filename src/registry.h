/* registry: what is known of each code object, hung on the code object itself (co_extra).
 *
 * One registry per interpreter.  It lists every code object that was ever decided on, refused ones
 * too: the discovery tool's DISABLEs outlive a stop, so the next start finds them here and nowhere else.
 * Code objects are not kept alive: the co_extra free function takes a state off the lists when its code object goes, which may
 * be after the module is gone.  So the registry touches no module state, and lives until its
 * holders and the last state have let go of it.
 *
 *   registry ── all ──> state <──> state <──> state        (decided)
 *        └── touched ──────┘                     ┘          (hit in the current context)
 *                        │ co_extra
 *                    code object
 *
 * Callers hold the GIL, or what stands for it (lock.h). */
#ifndef COVCORE_REGISTRY_H
#define COVCORE_REGISTRY_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdbool.h>
#include <stdint.h>

#include "heard.h"
#include "sha256.h"
#include "sites.h"

/* A node of a circular doubly linked list; next == NULL: on no list. */
typedef struct list_link {
    struct list_link *prev;
    struct list_link *next;
} list_link;

/* A file that is measured. */
typedef struct file_state {
    struct file_state *next;       /* in the registry's list of all files */
    char *path;                    /* file system bytes, absolute */
    size_t n_path;
    uint8_t hash[SHA256_BYTES];    /* of its text; zeros where it can't be read */
    bool hashed;
    uint32_t id;                   /* in the recording of `generation` */
    uint32_t generation;           /* 0: in none yet */
} file_state;

/* What is known of one code object. */
typedef struct {
    file_state *file;              /* NULL: refused */
    PyObject *name;                /* what it is decided on by, if that is not co_filename: code of a template; else NULL */
    list_link touched;             /* in registry.touched, once silenced anywhere in the current context */
    uint32_t id;                   /* in the recording of `generation` */
    uint32_t generation;           /* 0: in none yet */
    uint32_t serial;               /* of the context that the next four are of */
    heard heard;
    uint32_t spare;                /* events that will not be silenced yet */
    uint32_t lines_left;           /* lines not hit yet */
    uint32_t patience;             /* starts and jumps back until LINE gives way to INSTRUCTION; 0: it won't */
    uint32_t arm_patience;         /* the same: events of sites of which one arm was taken again; only before 3.14 */
    uint32_t next_arc;             /* the id after that of the arc hit last: a guess, to be checked */
    uint32_t next_site;            /* likewise, the site after the one hit last; only before 3.14 */
    uint32_t next_start;           /* likewise, the line_start after the one reached last */
    uint32_t next_proof;           /* likewise, the arm_proof; only before 3.14 */
    uint32_t armed;                /* events the measuring tool has on it */
    uint32_t n_hot;                /* contexts to come that will have none to spare */
    uint32_t hot_for;              /* how many those were at first; 0: in the last context it had enough to spare */
    uint8_t *arms_taken;           /* of each site, 1 << arm for those taken in the context of `serial`; only before 3.14 */
    bool is_led_to_join;           /* an event has told who runs a join next; only before 3.13 */
    uint8_t line_cost;             /* what its LINE events cost: a line_cost (far.h) */
    bool has_shape;
    bool is_awaiting;              /* decided on when it starts next: `file` is NULL until then */
    shape shape;
    PyCodeObject *code;            /* borrowed: the free function runs before it goes */
    PyObject *handle;              /* on the code object, for who may come when it goes */
    struct registry *registry;
    list_link all;                 /* in registry.all */
} code_state;

typedef struct registry {
    list_link all;
    list_link touched;
    file_state *files;
    Py_ssize_t extra_index;        /* co_extra index of this interpreter */
    size_t n_states;
    uint32_t n_recordings;         /* begun in this interpreter, by any tracer: numbers the generations */
    size_t n_holders;              /* the module, and each tracer */
    PyObject *last_code;           /* borrowed: the code object looked up last ... */
    code_state *last;              /* ... and its state: a one-entry cache */
} registry;

/* A new registry, with a co_extra index of its own, or NULL with an exception. */
registry *registry_new(void);

/* Another holder, besides who made it. */
registry *registry_hold(registry *reg);

/* A holder lets go; the last one frees the registry now, or leaves that to its last code object. */
void registry_release(registry *reg);

/* The state of a code object, or NULL: never decided on.  Raises nothing. */
code_state *registry_find_slow(registry *reg, PyObject *code);

static inline code_state *
registry_find(registry *reg, PyObject *code)
{
    return code == reg->last_code ? reg->last : registry_find_slow(reg, code);
}

/* Registers a code object that is not registered yet.  NULL with an exception: no memory. */
code_state *registry_add(registry *reg, PyCodeObject *code);

/* A new reference to the code object of a state, or NULL: it goes. */
PyCodeObject *registry_hold_code(const code_state *state);

/* The state after this one (NULL: the first) of those whose code objects live, or NULL.  *held keeps its code object alive until the next
 * call, which may be the last one or not: *held is to be let go of. */
code_state *registry_next(registry *reg, const code_state *state, PyCodeObject **held);

/* Adds a file.  NULL with an exception: no memory, or path can't be encoded. */
file_state *registry_add_file(registry *reg, PyObject *path);

/* Puts a state on the touched list if it is not there.  Returns whether it was not. */
bool registry_touch(code_state *state);

/* Takes it off. */
void registry_untouch(code_state *state);

/* Reads the shape of a code object from its bytecode.  Returns 0 and a shape to be freed, or -1 with an exception. */
int registry_read_shape(const code_state *state, shape *out);

#define STATE_OF_ALL(node) ((code_state *)(void *)((char *)(node) - offsetof(code_state, all)))
#define STATE_OF_TOUCHED(node) ((code_state *)(void *)((char *)(node) - offsetof(code_state, touched)))

#endif
