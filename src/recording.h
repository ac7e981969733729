/* recording: the append-only log of one process.
 *
 * A recording is a row of segment files DIR/NAME.0, NAME.1, ... of growing size.  Each is created whole
 * (a hole would kill the program with SIGBUS on a full disk), mapped shared, and its descriptor closed at
 * once; from then on an append is a few stores and one release-store of the length.  What was appended is in the
 * page cache: it survives any death of the process, and needs no handler, thread or exit hook of ours.
 *
 *   segment file                                   record (8-byte words)
 *   +--------------------------+ 0                 +----------+----------+
 *   | header: who, when, CRC   |                   | type, n  | argument |   n: words of the record, head included
 *   | length <- release-store  |                   +----------+----------+
 *   +--------------------------+ SEGMENT_HEADER    | payload ...         |
 *   | record | record | ...    |                   +---------------------+
 *   | (zeros)                  |
 *   +--------------------------+ capacity
 *
 * Ids are implied by order and run over all segments: the k-th FILE, CODE, ARC, CONTEXT record (from 0) defines id k.
 *
 * A zeroed recording is a closed one.  Threads: none of this locks; the caller serialises.
 *
 * The reader below trusts nothing: bounds, types, sizes, checksums.  HIT, ARC and SWITCH have no checksum of their
 * own: what no writer can have written (an unknown id) is the caller's to refuse.
 *
 * Written by recording.c (with owner.c, on files of platform.h's), read by recording_read.c; both need crc32.c.  No Python.h here.
 */
#ifndef COVCORE_RECORDING_H
#define COVCORE_RECORDING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "platform.h"
#include "sha256.h"

#define NO_SLOT UINT32_MAX

enum {
    RECORDING_VERSION = 1,
    SEGMENT_HEADER = 512,              /* bytes before the first record */
    SEGMENT_FIRST = 256 * 1024,        /* bytes of segment 0; each next one is twice as long ... */
    SEGMENT_LARGEST = 4 * 1024 * 1024, /* ... up to this, or as long as one record needs */
    SEGMENT_FORKED = 16 * 1024,        /* bytes of segment 0 of a forked child: many do little; the next one has SEGMENT_FIRST */
    RECORDING_NAME_ROOM = 96,
};

/* Records.  CRC: zlib's CRC-32 of the first four bytes (type and n) and the payload, in the argument. */
typedef enum {
    RECORD_RUN = 1,      /* CRC; payload: u32 n, then n bytes: key NUL value NUL ... (UTF-8) */
    RECORD_FILE = 2,     /* CRC; payload: 32 bytes source hash (zeros: unreadable), u32 n, n bytes of path; of a template
                            NUL, engine, NUL and map of lines too (covcore/measure/templates.py) */
    RECORD_CODE = 3,     /* CRC; payload: u32 file id, i32 first line, u32 co_flags, u32 n, u32 m, n bytes of qualified
                            name (UTF-8), m bytes of encoded shape (sites.h) */
    RECORD_CONTEXT = 4,  /* CRC; payload: u32 n, u32 m, u32 k, then static label, test id, phase (UTF-8).  What follows
                            is hit under it.  Before the first one: the empty context. */
    RECORD_ARC = 5,      /* argument: code id; payload: u32 slot, u32 0.  Defines the arc and is its first hit.
                            Slot NO_SLOT: events that fit no slot; the id counts, the hits do not. */
    RECORD_HIT = 6,      /* argument: arc id.  Hit again, under the current context. */
    RECORD_SWITCH = 7,   /* argument: context id.  Back to a context defined before. */
    RECORD_SLOT = 8,     /* argument: slot.  As ARC, of the code object of the last ARC. */
    RECORD_MORE = 9,     /* argument: n.  Right after ARC or SLOT: the next n slots of that code object are arcs, too, hit
                            for the first time.  Right after HIT: the next n arcs were hit, too.  n grows in place while
                            this is the newest record: code runs on, and mostly hits what follows on what it hit. */
    RECORD_FORK = 10,    /* argument: 0; payload: u64 time (ns since 1970), u64 child.  The process is about to be forked; the child
                            says that it is there by its pid, in the low PLATFORM_PID_BITS, and its start ticks, in place of a 0. */
} record_type;

typedef enum {
    SEGMENT_OPEN = 0,      /* the process writes, or was killed writing; one more segment may follow if while
                              growing, with no records in it, or of zeros only */
    SEGMENT_CONTINUED = 1, /* the next segment goes on */
    SEGMENT_FINISHED = 2,  /* recording_finish was called: the end mark */
    SEGMENT_STOPPED = 3,   /* an error stopped recording; `error` in the header says which (errno) */
} segment_end;

/* Who writes: goes into each segment's header. */
typedef struct {
    char run_id[32];         /* NUL-terminated hex, not empty */
    char boot_id[PLATFORM_BOOT_ROOM]; /* NUL-terminated */
    uint64_t pid;
    uint64_t start_ticks;    /* platform_process.start: (boot, pid, start) names a process */
    uint64_t started_ns;     /* wall clock, ns since 1970 */
    uint32_t hexversion;     /* PY_VERSION_HEX */
    uint32_t optimize;       /* sys.flags.optimize */
} recording_owner;

typedef struct {
    char **directories;      /* tried in order when a segment is created; owned copies, NULL-terminated */
    char *path;              /* room for that of a segment */
    char *name;              /* file name without the segment number: RUN_ID-PID-START_TICKS; -STARTED_NS is added
                                where that is taken (by the same process before an exec, or a stop and a start) */
    recording_owner owner;
    uint8_t *map;            /* current segment, or NULL: not open */
    size_t capacity;         /* bytes of it */
    size_t length;           /* bytes used, header included */
    uint32_t segment;        /* its number */
    uint32_t fork_count;     /* the process-wide count of forks when it was opened */
    uint32_t n_files, n_codes, n_arcs, n_contexts; /* ids handed out */
    uint64_t *places;        /* of the contexts' records, by id */
    uint64_t place;          /* of the current context's: recording_place */
    uint32_t *newest;        /* the newest record, if a MORE may follow on it or is it; else NULL */
    uint32_t next_arc;       /* after a HIT: the arc that would follow; after an ARC or SLOT: NO_ARC */
    uint32_t next_slot;      /* after these: the slot that would follow */
    uint32_t arc_code;       /* of the last ARC */
    uint64_t *forked;        /* where the next child says that it is there: in the newest FORK of this segment, or NULL */
    uint64_t forked_ns;      /* when that was written: platform_uptime() */
    int error;               /* errno that stopped it, 0 while all is well */
} recording;

/* Fills boot id, pid, start ticks and time of this process; run_id, hexversion and optimize are the caller's.
 * Where nothing tells, the boot id is empty and the start is 0. */
void recording_owner_fill(recording_owner *owner);

/* The same for a forked child, with its parent's in it, which knows what platform_uptime() was just before. */
void recording_owner_follow(recording_owner *owner, uint64_t before);

/* Creates segment 0 in the first of the directories (absolute paths) that takes it.  Returns 0, or -1 with errno
 * of the last one tried (EINVAL: the run id is not hex) and the recording closed.  *directory_index tells which.  Later
 * segments go to the first directory that takes them too, so they may lie in another one. */
int recording_open(recording *r, const char *const *directories, size_t n_directories, const recording_owner *owner,
                   size_t *directory_index);

/* Whether this process may append: open, no error, and not a forked child of the owner (which must open its own;
 * recording_abandon first). */
bool recording_ready(const recording *r);

/* Appends.  Return the id that the record defines (or 0 for RUN, HIT and SWITCH), or -1 after an error, which is kept
 * in r->error and ends the recording: nothing is appended afterwards.  Also -1, with r->error left alone, where
 * recording_ready says no. */
int64_t recording_run(recording *r, const char *settings, size_t n_bytes);
int64_t recording_file(recording *r, const uint8_t hash[SHA256_BYTES], const char *path, size_t n_path);
int64_t recording_code(recording *r, uint32_t file_id, int32_t first_line, uint32_t co_flags, const char *qualname,
                       size_t n_qualname, const uint8_t *shape, size_t n_shape);
int64_t recording_context(recording *r, const char *const parts[3], const size_t n_parts[3]);
int64_t recording_arc(recording *r, uint32_t code_id, uint32_t slot);
int64_t recording_hit(recording *r, uint32_t arc_id);
int64_t recording_switch(recording *r, uint32_t context_id);
int64_t recording_fork(recording *r); /* right before a fork */

/* Where the record of the current context is: segment << 32 | byte; 0: before the first one.  The header of the newest
 * segment says the same, so that another process can tell under which context this one is just now. */
uint64_t recording_place(const recording *r);

/* Writes the end mark (none after an error or in a forked child) and unmaps.  What was counted and r->error stay. */
void recording_finish(recording *r);

/* Lets go of the mapping without a mark.  All is zeroed. */
void recording_abandon(recording *r);

/* In a forked child, with the parent's recording.  The first makes the child the owner, and says there that it is born; false: it
 * can't be said there.  The second makes the recording the child's own, empty and in the same directories: 0, or -1 with errno and
 * the recording closed.
 *
 * They allocate nothing and call little: each page of memory that a forked child writes is copied, and each page of code that it
 * runs is mapped. */
bool recording_born(recording *r);
int recording_follow(recording *r);

/* ---- reading ---- */

typedef struct {
    recording_owner owner;
    uint32_t segment;
    uint32_t end;            /* segment_end */
    int32_t error;           /* errno that stopped it, else 0 */
    uint64_t length;         /* bytes of records that are published, whether or not the file still has them */
} segment_info;

typedef struct {
    record_type type;
    uint32_t argument;
    const uint8_t *payload;
    size_t n_payload;
} record;

typedef struct {
    const uint8_t *at, *end; /* next record; end of what is published and there */
    bool is_cut;             /* more was published than is there */
    const char *reason;      /* why reading stopped early, or NULL */
} segment_reader;

/* Looks at a whole segment file's bytes, which need not be aligned.  0, or -1 with *reason: not ours, another byte
 * order or version, header cut short or its checksum wrong, or only zeros: the process was killed while it created the
 * file.  Cut short after the header is no failure yet: segment_next gives the records that are there.
 *
 * Of a file that is still written: reading it from its beginning gives a state that it was in. */
int segment_open(segment_reader *reader, segment_info *info, const uint8_t *bytes, size_t n_bytes, const char **reason);

/* The next record: 1, 0 at the end, -1 with reader->reason at the first malformed one or where the file is cut short
 * (what came before is good), and from then on.  Checks bounds, type, size and CRC; that ids exist is the caller's,
 * who counts them. */
int segment_next(segment_reader *reader, record *out);

/* Parsed payloads, pointing into the bytes; strings are not NUL-terminated.  0, or -1 if the record is of another type
 * or the sizes inside do not fit. */
typedef struct {
    uint32_t file_id;
    int32_t first_line;
    uint32_t co_flags;
    const char *qualname;
    size_t n_qualname;
    const uint8_t *shape;
    size_t n_shape;
} code_record;
int record_file(const record *r, const uint8_t **hash, const char **path, size_t *n_path);
int record_code(const record *r, code_record *out);
int record_context(const record *r, const char *parts[3], size_t n_parts[3]);
int record_run(const record *r, const char **settings, size_t *n_settings);

#endif
