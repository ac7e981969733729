// needs: platform_posix.c
/* What operating systems do for us, as platform.h promises it.  For Windows: tests/platforms/windows.sh. */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>

#include "check.h"
#include "platform.h"
#include "temporary.h"

#ifdef _WIN32
#include <process.h>
#include <windows.h>
#else
#include <sys/wait.h>
#endif

static const char *program; /* ours: as it was called */
static int n_calls;

static void
count_call(void)
{
    n_calls++;
}

static void
test_once(void)
{
    static platform_once once = PLATFORM_ONCE, another = PLATFORM_ONCE;

    platform_call_once(&once, count_call);
    platform_call_once(&once, count_call);
    CHECK(n_calls == 1);
    platform_call_once(&another, count_call);
    CHECK(n_calls == 2);
}

/* ---- processes */

static void
test_this_process(void)
{
    platform_process me, the_same;

    CHECK(platform_pid() == (uint64_t)getpid());
    CHECK(platform_find_process(0, &me) == 0);
    CHECK(platform_find_process(platform_pid(), &the_same) == 0);
    CHECK(me.start != 0 && me.start == the_same.start);
    CHECK(!me.is_over && !the_same.is_over);
    CHECK(the_same.parent != platform_pid());
}

static void
test_who_runs(void)
{
    const uint64_t pid = platform_pid();
    platform_process me;

    CHECK(platform_find_process(0, &me) == 0);
    CHECK(platform_is_running(pid, 0) && platform_is_running(pid, me.start));
    CHECK(!platform_is_running(pid, me.start + 1)); /* one that had our number */
    CHECK(!platform_is_running(0, 0));
    CHECK(!platform_is_running(UINT64_MAX, 0) && !platform_is_running(UINT32_MAX - 2, 0));
    CHECK(platform_find_process(UINT32_MAX - 2, &me) == -1);
}

#ifdef _WIN32

/* Who has a handle of a process that has ended keeps its number from others. */
static void
test_an_ended_child(void)
{
    HANDLE child = (HANDLE)_spawnl(_P_NOWAIT, program, program, "end", NULL);
    const uint64_t pid = GetProcessId(child);
    platform_process found;

    CHECK(WaitForSingleObject(child, 60000) == WAIT_OBJECT_0);
    CHECK(platform_find_process(pid, &found) == 0);
    CHECK(found.is_over && found.start != 0);
    CHECK(!platform_is_running(pid, 0));
    CHECK(CloseHandle(child));
}

static void
test_a_living_child(void)
{
    HANDLE child = (HANDLE)_spawnl(_P_NOWAIT, program, program, "wait", NULL);
    const uint64_t pid = GetProcessId(child);
    platform_process found;

    CHECK(platform_find_process(pid, &found) == 0);
    CHECK(!found.is_over && found.parent == platform_pid());
    CHECK(platform_is_running(pid, found.start) && !platform_is_running(pid, found.start - 1));
    CHECK(TerminateProcess(child, 1) && WaitForSingleObject(child, 60000) == WAIT_OBJECT_0);
    CHECK(CloseHandle(child));
}

#else

static void
test_an_ended_child(void)
{
    const pid_t child = fork();
    platform_process found;
    siginfo_t info;

    if (child == 0) {
        _exit(0);
    }
    CHECK(waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT) == 0);
    CHECK(platform_find_process((uint64_t)child, &found) == 0);
    CHECK(found.is_over && found.parent == platform_pid());
    CHECK(!platform_is_running((uint64_t)child, 0));
    CHECK(waitpid(child, NULL, 0) == child);
    CHECK(!platform_is_running((uint64_t)child, 0));
    CHECK(platform_find_process((uint64_t)child, &found) == -1);
}

#endif

static void
test_boot_id(void)
{
    char first[PLATFORM_BOOT_ROOM], second[PLATFORM_BOOT_ROOM];

    memset(first, 'x', sizeof(first));
    platform_boot_id(first);
    platform_boot_id(second);
    CHECK(memchr(first, '\0', sizeof(first)) != NULL);
    CHECK(strcmp(first, second) == 0);
}

static void
test_clocks(void)
{
    const uint64_t now = platform_now(), uptime = platform_uptime();

    CHECK(now > UINT64_C(1700000000000000000) && now < UINT64_C(4000000000000000000));
    CHECK(platform_now() >= now && platform_uptime() >= uptime);
}

/* ---- files */

typedef struct {
    char bytes[3 * PLATFORM_PAGE];
    size_t n_bytes;
} content;

static void
take(void *context, uint8_t *piece, size_t n_bytes)
{
    content *all = context;

    CHECK(all->n_bytes + n_bytes <= sizeof(all->bytes));
    memcpy(all->bytes + all->n_bytes, piece, n_bytes);
    all->n_bytes += n_bytes;
}

static void
test_mapped_file(void)
{
    static content all;
    const char *path = temporary_path("\xC3\xA9\xE4\xB8\xAD"); /* not ASCII */
    uint8_t *map = platform_map_new(path, 2 * PLATFORM_PAGE, PLATFORM_PAGE);

    CHECK(map != NULL);
    for (size_t i = 0; i < 2 * PLATFORM_PAGE; i++) {
        CHECK(map[i] == 0);
    }
    map[0] = 'a';
    map[2 * PLATFORM_PAGE - 1] = 'z';
    CHECK(platform_map_new(path, PLATFORM_PAGE, PLATFORM_PAGE) == NULL && errno == EEXIST);
    CHECK(platform_read_file(path, take, &all) == 0); /* while it is mapped */
    CHECK(all.n_bytes == 2 * PLATFORM_PAGE && all.bytes[0] == 'a' && all.bytes[2 * PLATFORM_PAGE - 1] == 'z');
    platform_unmap(map, 2 * PLATFORM_PAGE);
    CHECK(platform_map_new(temporary_path("none/file"), PLATFORM_PAGE, PLATFORM_PAGE) == NULL && errno == ENOENT);
    empty_folder(temporary_folder);
}

static void
test_append(void)
{
    content all = {.n_bytes = 0};
    const char *path = temporary_path("notes");

    platform_append(path, false, "none", 4);
    CHECK(platform_read_file(path, take, &all) == -1 && errno == ENOENT);
    platform_append(path, true, "one\n", 4);
    platform_append(path, true, "two\n", 4);
    platform_append(path, false, "three\n", 6);
    CHECK(platform_read_file(path, take, &all) == 0);
    CHECK(all.n_bytes == 14 && memcmp(all.bytes, "one\ntwo\nthree\n", 14) == 0);
    CHECK(platform_read_file(temporary_folder, take, &all) == -1);
    empty_folder(temporary_folder);
}

static void
test_open(void)
{
    const char *path = temporary_path("script");

    CHECK(platform_open(path) == NULL && errno == ENOENT);
    platform_append(path, true, "pass\r\n", 6);
    FILE *file = platform_open(path);
    char line[16];
    CHECK(file != NULL && !platform_is_terminal(file));
    CHECK(fread(line, 1, sizeof(line), file) == 6 && memcmp(line, "pass\r\n", 6) == 0);
    (void)fclose(file);
    empty_folder(temporary_folder);
}

static void
test_locks(void)
{
    const char *path = temporary_path("lock");
    const int one = open(path, O_RDWR | O_CREAT, 0600), two = open(path, O_RDWR, 0);

    CHECK(one >= 0 && two >= 0);
    CHECK(platform_lock(one, PLATFORM_EXCLUDE) == 0);
    CHECK(platform_lock(two, PLATFORM_SHARE) == -1 && errno == EAGAIN);
    CHECK(platform_lock(two, PLATFORM_EXCLUDE) == -1 && errno == EAGAIN);
    CHECK(write(one, "x", 1) == 1 && write(two, "y", 1) == 1); /* it keeps nobody from the bytes */
    CHECK(platform_lock(one, PLATFORM_UNLOCK) == 0);
    CHECK(platform_lock(one, PLATFORM_SHARE) == 0 && platform_lock(two, PLATFORM_SHARE) == 0);
    CHECK(platform_lock(one, PLATFORM_UNLOCK) == 0);
    CHECK(platform_lock(one, PLATFORM_EXCLUDE) == -1 && errno == EAGAIN);
    (void)close(two); /* and its lock with it */
    CHECK(platform_lock(one, PLATFORM_EXCLUDE) == 0);
    (void)close(one);
    CHECK(platform_lock(one, PLATFORM_SHARE) == -1);
    empty_folder(temporary_folder);
}

static const test TESTS[] = {
    TEST(test_once),
    TEST(test_this_process),
    TEST(test_who_runs),
    TEST(test_an_ended_child),
#ifdef _WIN32
    TEST(test_a_living_child),
#endif
    TEST(test_boot_id),
    TEST(test_clocks),
    TEST(test_mapped_file),
    TEST(test_append),
    TEST(test_open),
    TEST(test_locks),
};

int
main(int n_words, char **words)
{
    program = words[0];
    if (n_words > 1) { /* a child of the tests */
#ifdef _WIN32
        Sleep(strcmp(words[1], "wait") == 0 ? 60000 : 0);
#endif
        return 0;
    }
    make_temporary_folder();
    return RUN(TESTS);
}
