/* platform, on Linux and macOS: see platform.h. */
#include "platform.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#ifdef __APPLE__
#    include <sys/sysctl.h>
#endif

enum {
    PAGE = PLATFORM_PAGE,
    WRITTEN_AT_ONCE = 64 * PAGE,
    SMALL = 4 * PAGE, /* what is no longer has its blocks by being written */
};

void
platform_call_once(platform_once *once, void (*function)(void))
{
    (void)pthread_once(once, function); /* fails only for a control that was not initialised */
}

/* ---- processes */

uint64_t
platform_pid(void)
{
    return (uint64_t)getpid();
}

#ifdef __APPLE__

int
platform_find_process(uint64_t pid, platform_process *found)
{
    int name[] = {CTL_KERN, KERN_PROC, KERN_PROC_PID, pid == 0 ? getpid() : (int)pid};
    struct kinfo_proc info;
    size_t n_bytes = sizeof(info);

    if (sysctl(name, 4, &info, &n_bytes, NULL, 0) < 0 || n_bytes < sizeof(info)) {
        return -1;
    }
    const struct timeval *start = &info.kp_proc.p_un.__p_starttime;
    *found = (platform_process){
        .parent = (uint64_t)info.kp_eproc.e_ppid,
        .start = (uint64_t)start->tv_sec * 100 + (uint64_t)start->tv_usec / 10000,
        .is_over = info.kp_proc.p_stat == SZOMB,
    };
    return 0;
}

void
platform_boot_id(char id[PLATFORM_BOOT_ROOM])
{
    size_t n_bytes = PLATFORM_BOOT_ROOM - 1;

    memset(id, 0, PLATFORM_BOOT_ROOM);
    if (sysctlbyname("kern.bootsessionuuid", id, &n_bytes, NULL, 0) < 0) {
        id[0] = '\0';
    }
}

uint64_t
platform_start_since(uint64_t before)
{
    (void)before;
    return 0;
}

#else

/* Reads the beginning of a small file as a string.  Where it cannot, the string is empty. */
static void
read_line(const char *path, char *text, size_t room)
{
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n_read = -1;

    if (fd >= 0) {
        n_read = read(fd, text, room - 1);
        (void)close(fd);
    }
    text[n_read < 0 ? 0 : n_read] = '\0';
}

/* The fields of /proc/PID/stat by number.  Field 2 is the command's name in parentheses, and may hold any character. */
int
platform_find_process(uint64_t pid, platform_process *found)
{
    enum { STATE = 3, PARENT = 4, N_THREADS = 20, START = 22 };
    char path[40] = "/proc/self/stat"; /* not by its number: /proc may be another pid namespace's */
    char text[1024];
    uint64_t fields[START + 1] = {0};

    if (pid != 0) {
        (void)snprintf(path, sizeof(path), "/proc/%llu/stat", (unsigned long long)pid);
    }
    read_line(path, text, sizeof(text));
    const char *at = strrchr(text, ')');
    const char state = at == NULL || at[1] == '\0' ? '\0' : at[2];
    for (int field = STATE; at != NULL && field <= START; field++) {
        at = strchr(at + 1, ' ');
        fields[field] = at == NULL ? 0 : strtoull(at, NULL, 10);
    }
    if (at == NULL) {
        errno = ESRCH;
        return -1;
    }
    *found = (platform_process){
        .parent = fields[PARENT],
        .start = fields[START],
        .is_over = (state == 'Z' || state == 'X') && fields[N_THREADS] <= 1,
    };
    return 0;
}

void
platform_boot_id(char id[PLATFORM_BOOT_ROOM])
{
    read_line("/proc/sys/kernel/random/boot_id", id, PLATFORM_BOOT_ROOM);
    id[strcspn(id, "\n")] = '\0';
}

/* Where no tick lies between the two moments, nor close by, that tells what /proc would, which takes 20 us to ask. */
uint64_t
platform_start_since(uint64_t before)
{
    /* ns; Linux shows times in hundredths of a second whatever its own ticks are */
    enum { TICK = 10000000, CLOSE = 1000000 };
    const uint64_t now = platform_uptime();
    const bool is_known = before > CLOSE && before <= now && (before - CLOSE) / TICK == (now + CLOSE) / TICK;

    return is_known ? now / TICK : 0;
}

#endif

bool
platform_is_running(uint64_t pid, uint64_t start)
{
    platform_process found;

    if (pid == 0 || pid > INT32_MAX) {
        return false;
    }
    if (platform_find_process(pid, &found) < 0) { /* no /proc, or one that hides other people's processes */
        return kill((pid_t)pid, 0) == 0 || errno == EPERM;
    }
    return !found.is_over && (start == 0 || start == found.start);
}

int
platform_watch_forks(void (*in_child)(void))
{
    return pthread_atfork(NULL, NULL, in_child);
}

char *
platform_environment(const char *name)
{
    return getenv(name);
}

/* ---- time */

static uint64_t
read_clock(clockid_t clock)
{
    struct timespec now = {0};

    (void)clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

uint64_t
platform_now(void)
{
    return read_clock(CLOCK_REALTIME);
}

uint64_t
platform_uptime(void)
{
#ifdef __APPLE__
    return 0;
#else
    return read_clock(CLOCK_BOOTTIME);
#endif
}

/* ---- mapped files */

/* Blocks for the whole file, so that no store into the mapping can meet a full disk.  Not posix_fallocate, which
 * where the file system cannot reads and writes a byte of each block. */
static int
allocate(int fd, int64_t n_bytes)
{
#ifdef __APPLE__
    (void)fd; /* F_PREALLOCATE gives room that the file system may take for another part of the file */
    (void)n_bytes;
    errno = EOPNOTSUPP;
    return -1;
#else
    int result;

    do {
        result = fallocate(fd, 0, 0, n_bytes);
    } while (result < 0 && errno == EINTR);
    return result;
#endif
}

int (*platform_allocate)(int fd, int64_t n_bytes) = allocate;

/* Writes zeros over the first bytes of a file that was just opened.
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
        const ssize_t n_written = writev(fd, pages, (int)n_pages);
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
    if ((n_bytes > SMALL || n_ahead < n_bytes) && platform_allocate(fd, (int64_t)n_bytes) < 0) {
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
 * process, and outlives the descriptor.  A file system without locks leaves them with the process's id, and so does macOS, which
 * has no such namespaces. */
static void
hold(int fd)
{
#ifdef __APPLE__
    (void)fd;
#else
    struct flock all = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

    (void)fcntl(fd, F_OFD_SETLK, &all);
#endif
}

uint8_t *
platform_map_new(const char *path, size_t n_bytes, size_t n_ahead)
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

void
platform_unmap(uint8_t *map, size_t n_bytes)
{
    (void)munmap(map, n_bytes); /* fails only for what is no mapping */
}

/* ---- other files */

/* Whether a file may grow: past the limit the kernel would send SIGXFSZ, which ends the program. */
static bool
may_grow(int fd, size_t n_bytes)
{
    struct rlimit limit;
    struct stat status;

    return getrlimit(RLIMIT_FSIZE, &limit) == 0
           && (limit.rlim_cur == RLIM_INFINITY
               || (fstat(fd, &status) == 0 && (rlim_t)status.st_size + n_bytes <= limit.rlim_cur));
}

void
platform_append(const char *path, bool create, const void *bytes, size_t n_bytes)
{
    const int flags = O_WRONLY | O_APPEND | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK;
    const int fd = open(path, create ? flags | O_CREAT : flags, 0600);

    if (fd < 0) {
        return;
    }
    if (may_grow(fd, n_bytes)) {
        const ssize_t n_written = write(fd, bytes, n_bytes);
        (void)n_written;
    }
    (void)close(fd);
}

static int
read_descriptor(int fd, void (*take)(void *context, uint8_t *piece, size_t n_bytes), void *context)
{
    uint8_t piece[8192]; /* on the stack: a thread's may be as small as 32 KB */
    struct stat status;

    if (fstat(fd, &status) < 0) {
        return -1;
    }
    if (!S_ISREG(status.st_mode)) {
        errno = S_ISDIR(status.st_mode) ? EISDIR : EINVAL;
        return -1;
    }
    for (;;) {
        const ssize_t n_read = read(fd, piece, sizeof(piece));
        if (n_read == 0) {
            return 0;
        }
        if (n_read > 0) {
            take(context, piece, (size_t)n_read);
        }
        else if (errno != EINTR) {
            return -1;
        }
    }
}

int
platform_read_file(const char *path, void (*take)(void *context, uint8_t *piece, size_t n_bytes), void *context)
{
    /* O_NONBLOCK: a FIFO of that name must not make the program wait; O_NOCTTY: nor a terminal become its own. */
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

    if (fd < 0) {
        return -1;
    }
    const int result = read_descriptor(fd, take, context);
    const int error = errno;
    (void)close(fd); /* nothing was written, so nothing can be lost here */
    errno = error;
    return result;
}

FILE *
platform_open(const char *path)
{
    return fopen(path, "rbe");
}

bool
platform_is_terminal(FILE *file)
{
    return isatty(fileno(file)) != 0;
}

int
platform_lock(int descriptor, platform_lock_kind kind)
{
    static const int operations[] = {
        [PLATFORM_UNLOCK] = LOCK_UN,
        [PLATFORM_SHARE] = LOCK_SH | LOCK_NB,
        [PLATFORM_EXCLUDE] = LOCK_EX | LOCK_NB,
    };

    return flock(descriptor, operations[kind]);
}
