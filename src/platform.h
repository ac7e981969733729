/* platform: what differs between operating systems.
 *
 * Linux and macOS are in platform_posix.c, Windows is in platform_windows.c; no other file has a header or an #ifdef of one of
 * them.  Paths are bytes: those of the system, on Windows UTF-8, as PyUnicode_FSConverter gives them.  What fails sets
 * errno, on Windows, too.  No Python.h here.
 */
#ifndef COVCORE_PLATFORM_H
#define COVCORE_PLATFORM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#ifdef _WIN32
typedef struct {
    void *state;
} platform_once;
#    define PLATFORM_ONCE {NULL}
#else
#    include <pthread.h>
typedef pthread_once_t platform_once;
#    define PLATFORM_ONCE PTHREAD_ONCE_INIT
#endif

/* Calls the function unless that was done before in this process; whoever comes meanwhile waits. */
void platform_call_once(platform_once *once, void (*function)(void));

/* ---- processes */

enum {
    PLATFORM_PID_BITS = 24,  /* pids are below 2^22 on Linux and below 100,000 on macOS; only they fork */
    PLATFORM_BOOT_ROOM = 40, /* bytes of a boot id */
};

typedef struct {
    uint64_t parent; /* not of this one */
    /* When it began, which with the pid names a process: in 1/100 s after boot on Linux, in 1/100 s since 1970 on macOS, in
     * 100 ns since 1601 on Windows; 0: nothing tells. */
    uint64_t start;
    bool is_over; /* it has ended, and its parent has not asked yet */
} platform_process;

uint64_t platform_pid(void);

/* What is known of a process; pid 0 is this one.  0, or -1: there is none, or nothing can be known of it. */
int platform_find_process(uint64_t pid, platform_process *found);

/* Whether a process is there that began then (0: at any time). */
bool platform_is_running(uint64_t pid, uint64_t start);

/* When this process began, if that was no longer ago than `before`, as platform_uptime() said it.  0: ask platform_find_process(). */
uint64_t platform_start_since(uint64_t before);

/* Names the time since the machine was started; "": nothing tells. */
void platform_boot_id(char id[PLATFORM_BOOT_ROOM]);

/* Has a function called in each child that is forked off.  0, or an errno. */
int platform_watch_forks(void (*in_child)(void));

/* Where the value of a variable stands for started processes to inherit, to be written over in place; NULL: there is none,
 * or (on Windows) no such place. */
char *platform_environment(const char *name);

/* ---- time, in ns */

uint64_t platform_now(void); /* since 1970 */
uint64_t platform_uptime(void); /* since the machine was started; 0: not known */

/* ---- files */

enum { PLATFORM_PAGE = 4096 }; /* lengths of mapped files are multiples of it */

/* Creates and maps a file of zeros, with room on the disk for all of it, and lets go of its descriptor.  The first n_ahead bytes
 * are written, which makes the first stores into them faster; they are at most n_bytes.  The map, or NULL with errno and no
 * file; EEXIST: there is one of that name. */
uint8_t *platform_map_new(const char *path, size_t n_bytes, size_t n_ahead);

void platform_unmap(uint8_t *map, size_t n_bytes);

/* Appends to a file, in one piece.  create: where it is missing, too.  What goes wrong is let be. */
void platform_append(const char *path, bool create, const void *bytes, size_t n_bytes);

/* Gives the bytes of a regular file, piece by piece, to a function that may change them there.  0, or -1 with errno. */
int platform_read_file(const char *path, void (*take)(void *context, uint8_t *piece, size_t n_bytes), void *context);

/* Opens a file to read that started processes do not inherit, or NULL with errno. */
FILE *platform_open(const char *path);

bool platform_is_terminal(FILE *file);

/* Locks an open file, or lets go of it.  What is locked so ends with the process.
 * Returns 0, or -1 with errno: EAGAIN if another process has it. */
typedef enum { PLATFORM_UNLOCK, PLATFORM_SHARE, PLATFORM_EXCLUDE } platform_lock_kind;
int platform_lock(int descriptor, platform_lock_kind kind);

#ifndef _WIN32
/* Allocation of files, replaceable by tests (disk full at the n-th call): 0, or -1 with errno.  EOPNOTSUPP and ENOSYS
 * mean that the file system cannot: zeros are then written instead. */
extern int (*platform_allocate)(int fd, int64_t n_bytes);
#endif

#endif
