/* Preloaded into a process: the n-th call of one function on a file below a folder fails, or ends the process.
 *
 *     FAULT_FOLDER   files and folders whose path begins with this
 *     FAULT_CALL     the function's name; create: open, of a file that must not be there yet
 *     FAULT_FIRST    the first call that fails, counted from 1
 *     FAULT_LAST     the last one
 *     FAULT_ERRNO    what it fails with; -9: SIGKILL is sent instead
 *     FAULT_TOLD     a file that is made once a call has failed
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

static long n_calls;

static bool
is_below(const char *path)
{
    const char *folder = getenv("FAULT_FOLDER");
    return folder != NULL && path != NULL && strncmp(path, folder, strlen(folder)) == 0;
}

static bool
is_open_below(int fd)
{
    char link[64], path[4096];
    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    const ssize_t n = readlink(link, path, sizeof(path) - 1);
    path[n < 0 ? 0 : n] = '\0';
    return is_below(path);
}

static bool
fails(const char *name, bool is_meant)
{
    const char *call = getenv("FAULT_CALL");
    if (!is_meant || call == NULL || strcmp(call, name) != 0) {
        return false;
    }
    n_calls++;
    if (n_calls < atol(getenv("FAULT_FIRST")) || n_calls > atol(getenv("FAULT_LAST"))) {
        return false;
    }
    int (*make)(const char *, int, ...) = dlsym(RTLD_NEXT, "open");
    close(make(getenv("FAULT_TOLD"), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
    errno = atoi(getenv("FAULT_ERRNO"));
    if (errno < 0) {
        kill(getpid(), -errno);
    }
    return true;
}

#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

#define OPEN(name)                                                          \
    int name(const char *path, int flags, ...)                              \
    {                                                                       \
        va_list rest;                                                       \
        va_start(rest, flags);                                              \
        const mode_t mode = flags & O_CREAT ? va_arg(rest, mode_t) : 0;     \
        va_end(rest);                                                       \
        const bool fails_now = fails("open", is_below(path)) || fails("create", flags & O_EXCL && is_below(path)); \
        return fails_now ? -1 : NEXT(name)(path, flags, mode);              \
    }
OPEN(open)
OPEN(open64)

#define FILE_CALL(label, type, name, parameters, arguments, fd) \
    type name parameters { return fails(label, is_open_below(fd)) ? (type)-1 : NEXT(name) arguments; }
FILE_CALL("fallocate", int, fallocate, (int fd, int mode, off_t at, off_t n), (fd, mode, at, n), fd)
FILE_CALL("fallocate", int, fallocate64, (int fd, int mode, off64_t at, off64_t n), (fd, mode, at, n), fd)
FILE_CALL("writev", ssize_t, writev, (int fd, const struct iovec *v, int n), (fd, v, n), fd)
FILE_CALL("mmap", void *, mmap, (void *to, size_t n, int prot, int flags, int fd, off_t at), (to, n, prot, flags, fd, at), fd)
FILE_CALL("mmap", void *, mmap64, (void *to, size_t n, int prot, int flags, int fd, off64_t at), (to, n, prot, flags, fd, at), fd)
FILE_CALL("write", ssize_t, write, (int fd, const void *from, size_t n), (fd, from, n), fd)
FILE_CALL("pwrite", ssize_t, pwrite, (int fd, const void *from, size_t n, off_t at), (fd, from, n, at), fd)
FILE_CALL("pwrite", ssize_t, pwrite64, (int fd, const void *from, size_t n, off64_t at), (fd, from, n, at), fd)
FILE_CALL("ftruncate", int, ftruncate, (int fd, off_t n), (fd, n), fd)
FILE_CALL("ftruncate", int, ftruncate64, (int fd, off64_t n), (fd, n), fd)
FILE_CALL("fsync", int, fsync, (int fd), (fd), fd)
FILE_CALL("fchmod", int, fchmod, (int fd, mode_t mode), (fd, mode), fd)
FILE_CALL("read", ssize_t, read, (int fd, void *to, size_t n), (fd, to, n), fd)

#define PATH_CALL(label, name, parameters, arguments) \
    int name parameters { return fails(label, is_below(path)) ? -1 : NEXT(name) arguments; }
PATH_CALL("unlink", unlink, (const char *path), (path))
PATH_CALL("mkdir", mkdir, (const char *path, mode_t mode), (path, mode))
PATH_CALL("rename", rename, (const char *path, const char *to), (path, to))
