/* Files for segments: see recording_file.h.  Linux. */
#include "recording_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

enum {
    PAGE = FILE_PAGE,
    WRITTEN_AT_ONCE = 64 * PAGE,
    SMALL = 4 * PAGE, /* what is no longer has its blocks by being written */
};

/* Blocks for the whole file, so that no store into the mapping can meet a full disk.  Not posix_fallocate, which
 * where the file system cannot reads and writes a byte of each block. */
static int
allocate(int fd, int64_t n_bytes)
{
    int result;

    do {
        result = fallocate(fd, 0, 0, n_bytes);
    } while (result < 0 && errno == EINTR);
    return result;
}

int (*recording_fallocate)(int fd, int64_t n_bytes) = allocate;

/* Writes zeros over the first bytes of a file.
 *
 * Where fallocate is not to be had, this allocates.  Elsewhere it is for speed: a store into a page that no write has
 * prepared faults into the file system, for one page at a time, while one large write makes one large page.
 * ext4 on Linux 6.18, CPU time of open, fill, unmap and unlink, in microseconds:
 *
 *                                  20 KB of 256 KB   4 MB of 16 MB   16 MB of 16 MB
 *      fallocate alone                   154              6001            15862
 *      MAP_POPULATE                      172                              17740
 *      MADV_POPULATE_WRITE               299                              14843     (256 KB ahead)
 *      the first 64 KB written            77
 *      all written, 256 KB a time        122              2934             4178
 *
 * The first segment is written in part only: a small process should not make the disk write 256 KB. */
static int
write_zeros(int fd, size_t n_bytes)
{
    static const uint8_t zeros[PAGE];
    struct iovec pages[WRITTEN_AT_ONCE / PAGE];

    for (size_t i = 0; i < WRITTEN_AT_ONCE / PAGE; i++) {
        pages[i] = (struct iovec){.iov_base = (void *)(uintptr_t)zeros, .iov_len = PAGE};
    }
    for (size_t at = 0; at < n_bytes;) {
        const size_t n_left = n_bytes - at < WRITTEN_AT_ONCE ? n_bytes - at : WRITTEN_AT_ONCE;
        const size_t n_pages = n_left < PAGE ? 1 : n_left / PAGE;
        pages[0].iov_len = n_left < PAGE ? n_left : PAGE;
        const ssize_t n_written = pwritev(fd, pages, (int)n_pages, (off_t)at);
        if (n_written > 0) {
            at += (size_t)n_written;
        }
        else if (n_written == 0) {
            errno = ENOSPC;
            return -1;
        }
        else if (errno != EINTR) {
            return -1;
        }
    }
    return 0;
}

/* A new file to read and write, or -1 with errno.  Never descriptor 0, 1 or 2: where the program has closed
 * one of those, a thread of it that prints would print into our file. */
static int
create_file(const char *path)
{
    const int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);

    if (fd < 0 || fd > 2) {
        return fd;
    }
    const int higher = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    const int error = errno;
    (void)close(fd);
    if (higher < 0) {
        (void)unlink(path);
        errno = error;
    }
    return higher;
}

/* Makes the new file n_bytes long, with blocks behind them, and maps it.  The map, or NULL with errno. */
static uint8_t *
fill_and_map(int fd, size_t n_bytes, size_t n_ahead)
{
    struct rlimit limit;
    struct stat status;

    /* Past the limit the kernel would not only fail but send SIGXFSZ, which ends the program. */
    if (getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY && limit.rlim_cur < n_bytes) {
        errno = EFBIG;
        return NULL;
    }
    /* The program's umask may have taken from us what the reader needs. */
    if (fstat(fd, &status) < 0 || ((status.st_mode & 0777) != 0600 && fchmod(fd, 0600) < 0)) {
        return NULL;
    }
    if ((n_bytes > SMALL || n_ahead < n_bytes) && recording_fallocate(fd, (int64_t)n_bytes) < 0) {
        if (errno != EOPNOTSUPP && errno != ENOSYS) {
            return NULL;
        }
        n_ahead = n_bytes;
    }
    if (write_zeros(fd, n_ahead) < 0) {
        return NULL;
    }
    uint8_t *map = mmap(NULL, n_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    return map == MAP_FAILED ? NULL : map;
}

/* Says that somebody writes the file, to readers who do not see our process: those in another pid namespace, as
 * containers are.  The lock belongs to the open file, which the map keeps open: it ends with the map, so with the
 * process, and outlives the descriptor.  A file system without locks leaves them with the process's id. */
static void
hold(int fd)
{
    struct flock all = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

    (void)fcntl(fd, F_OFD_SETLK, &all);
}

uint8_t *
file_create_mapped(const char *path, size_t n_bytes, size_t n_ahead)
{
    const int fd = create_file(path);

    if (fd < 0) {
        return NULL;
    }
    hold(fd);
    uint8_t *map = fill_and_map(fd, n_bytes, n_ahead);
    int error = errno;
    if (close(fd) < 0 && errno != EINTR && map != NULL) { /* NFS tells only now that the disk is full */
        error = errno;
        (void)munmap(map, n_bytes);
        map = NULL;
    }
    if (map == NULL) {
        (void)unlink(path);
        errno = error;
    }
    return map;
}
