/* owner: what names the process that writes a recording. */
#include <string.h>

#include "recording.h"

/* Read once, by whichever interpreter comes first: a process and what it forks off live in one boot. */
static char boot_id[PLATFORM_BOOT_ROOM];
static platform_once prepared = PLATFORM_ONCE;

static void
read_boot_id(void)
{
    platform_boot_id(boot_id);
}

static uint64_t
find_start(void)
{
    platform_process me;

    return platform_find_process(0, &me) < 0 ? 0 : me.start;
}

void
recording_owner_fill(recording_owner *owner)
{
    platform_call_once(&prepared, read_boot_id);
    memcpy(owner->boot_id, boot_id, sizeof(boot_id));
    owner->pid = platform_pid();
    owner->start_ticks = find_start();
    owner->started_ns = platform_now();
}

void
recording_owner_follow(recording_owner *owner, uint64_t before)
{
    const uint64_t start = owner->start_ticks == 0 ? 0 : platform_start_since(before);

    owner->pid = platform_pid();
    owner->start_ticks = start != 0 ? start : find_start();
    owner->started_ns = platform_now();
}
