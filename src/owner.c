/* owner: what names the process that writes a recording.  Linux. */
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "recording.h"

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

/* Field 22 of /proc/self/stat, or 0.  Field 2 is the command's name in parentheses, and may hold any character. */
static uint64_t
read_start_ticks(void)
{
    char text[1024];

    read_line("/proc/self/stat", text, sizeof(text));
    const char *at = strrchr(text, ')');
    for (int field = 2; at != NULL && field < 22; field++) {
        at = strchr(at + 1, ' ');
    }
    return at == NULL ? 0 : strtoull(at, NULL, 10);
}

/* Read once, by whichever interpreter comes first: a process and what it forks off live in one boot. */
static char boot_id[sizeof(((recording_owner *)NULL)->boot_id)];
static pthread_once_t prepared = PTHREAD_ONCE_INIT;

static void
read_boot_id(void)
{
    read_line("/proc/sys/kernel/random/boot_id", boot_id, sizeof(boot_id));
    boot_id[strcspn(boot_id, "\n")] = '\0';
}

uint64_t
recording_clock(clockid_t clock)
{
    struct timespec now = {0};

    (void)clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

void
recording_owner_fill(recording_owner *owner)
{
    (void)pthread_once(&prepared, read_boot_id); /* fails only for a control that was not initialised */
    memcpy(owner->boot_id, boot_id, sizeof(boot_id));
    owner->pid = (uint64_t)getpid();
    owner->start_ticks = read_start_ticks();
    owner->started_ns = recording_clock(CLOCK_REALTIME);
}

/* The process began between two moments.  Where no tick lies between these, nor close by, that tells what /proc would, which takes
 * 20 us to ask. */
void
recording_owner_follow(recording_owner *owner, uint64_t before)
{
    enum { TICK = 10000000, CLOSE = 1000000 }; /* ns; Linux shows times in hundredths of a second whatever its own ticks are */
    const uint64_t now = recording_clock(CLOCK_BOOTTIME);
    const bool is_known = before > CLOSE && before <= now && (before - CLOSE) / TICK == (now + CLOSE) / TICK;

    owner->pid = (uint64_t)getpid();
    owner->start_ticks = is_known && owner->start_ticks != 0 ? now / TICK : read_start_ticks();
    owner->started_ns = recording_clock(CLOCK_REALTIME);
}
