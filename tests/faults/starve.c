/* Preloaded into a process: from a moment on, which the program names, the n-th allocation of memory fails.
 *
 * The program calls starve(), by ctypes.  With PYTHONMALLOC=malloc each allocation of the interpreter comes this way, and
 * so does each of the C code that knows no Python.  The file that STARVED names tells afterwards on whose behalf the memory was
 * asked for: an "f" if a function was being made, a "t" if the tracer was on the stack, else a "-", for each allocation that failed.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);

static volatile bool counting;
static long n_calls, first_to_fail, last_to_fail;

/* From now on the allocations numbered from `first` to `last` fail, counted from 1.  None does if first is 0. */
void
starve(long first, long last)
{
    first_to_fail = first;
    last_to_fail = last;
    n_calls = 0;
    counting = first > 0;
}

/* How many allocations there were since. */
long
allocations(void)
{
    return __atomic_load_n(&n_calls, __ATOMIC_RELAXED);
}

static const char *
asker(void)
{
    void *frames[256];
    Dl_info info;
    for (int i = 0, n = backtrace(frames, 256); i < n; i++) {
        if (dladdr(frames[i], &info) != 0) {
            if (info.dli_sname != NULL && strcmp(info.dli_sname, "PyFunction_NewWithQualName") == 0) {
                return "f";
            }
            if (strstr(info.dli_fname, "/covcore/_tracer.") != NULL) {
                return "t";
            }
        }
    }
    return "-";
}

static void
tell(void)
{
    counting = false; /* backtrace() loads a library */
    const char *path = getenv("STARVED");
    const int fd = path == NULL ? -1 : open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    const ssize_t n = write(fd, asker(), 1);
    (void)n;
    close(fd);
    counting = true;
}

static bool
fails(void)
{
    if (!counting) {
        return false;
    }
    const long number = __atomic_add_fetch(&n_calls, 1, __ATOMIC_RELAXED);
    if (number < first_to_fail || number > last_to_fail) {
        return false;
    }
    tell();
    errno = ENOMEM;
    return true;
}

void *
malloc(size_t n)
{
    return fails() ? NULL : __libc_malloc(n);
}

void *
calloc(size_t n, size_t size)
{
    return fails() ? NULL : __libc_calloc(n, size);
}

void *
realloc(void *block, size_t n)
{
    return fails() ? NULL : __libc_realloc(block, n);
}
