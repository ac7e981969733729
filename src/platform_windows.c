/* platform, on Windows: see platform.h.  Processes are not forked there, and there are no pid namespaces. */
#include "platform.h"

#include <errno.h>
#include <fcntl.h>
#include <io.h>
#include <share.h>
#include <stdlib.h>
#include <string.h>
#include <windows.h>
/* after windows.h, which it needs */
#include <tlhelp32.h>

_Static_assert(sizeof(platform_once) == sizeof(INIT_ONCE), "platform_once is one of the system's");

static BOOL CALLBACK
call(INIT_ONCE *once, void *function, void **context)
{
    (void)once;
    (void)context;
    (*(void (**)(void))function)();
    return TRUE;
}

void
platform_call_once(platform_once *once, void (*function)(void))
{
    (void)InitOnceExecuteOnce((INIT_ONCE *)(void *)once, call, (void *)&function,
                              NULL); /* fails only where `call` does */
}

/* Sets errno to what the last error of Windows is among those of C.  Returns -1. */
static int
fail(void)
{
    switch (GetLastError()) {
    case ERROR_FILE_EXISTS:
    case ERROR_ALREADY_EXISTS:
        errno = EEXIST;
        break;
    case ERROR_FILE_NOT_FOUND:
    case ERROR_PATH_NOT_FOUND:
    case ERROR_INVALID_NAME:
    case ERROR_BAD_NETPATH:
        errno = ENOENT;
        break;
    case ERROR_ACCESS_DENIED:
    case ERROR_SHARING_VIOLATION:
    case ERROR_WRITE_PROTECT:
        errno = EACCES;
        break;
    case ERROR_DISK_FULL:
    case ERROR_HANDLE_DISK_FULL:
        errno = ENOSPC;
        break;
    case ERROR_NOT_ENOUGH_MEMORY:
    case ERROR_OUTOFMEMORY:
    case ERROR_COMMITMENT_LIMIT:
        errno = ENOMEM;
        break;
    case ERROR_LOCK_VIOLATION:
    case ERROR_IO_PENDING:
        errno = EAGAIN; /* what Python takes for EWOULDBLOCK there is another number */
        break;
    case ERROR_TOO_MANY_OPEN_FILES:
        errno = EMFILE;
        break;
    case ERROR_INVALID_HANDLE:
        errno = EBADF;
        break;
    case ERROR_INVALID_PARAMETER:
        errno = EINVAL;
        break;
    default:
        errno = EIO;
    }
    return -1;
}

/* ---- processes */

static uint64_t
number_of(FILETIME time)
{
    return (uint64_t)time.dwHighDateTime << 32 | time.dwLowDateTime;
}

uint64_t
platform_pid(void)
{
    return GetCurrentProcessId();
}

/* Who has started a process, as Windows remembers it; it may have ended long since, and its number be another's.  0: not known. */
static uint64_t
find_parent(DWORD pid)
{
    HANDLE all = CreateToolhelp32Snapshot(TH32CS_SNAPPROCESS, 0);
    PROCESSENTRY32W one = {.dwSize = sizeof(one)};
    uint64_t parent = 0;

    if (all == INVALID_HANDLE_VALUE) {
        return 0;
    }
    for (BOOL there = Process32FirstW(all, &one); there && parent == 0; there = Process32NextW(all, &one)) {
        if (one.th32ProcessID == pid) {
            parent = one.th32ParentProcessID;
        }
    }
    (void)CloseHandle(all);
    return parent;
}

/* When a process began, and whether it has ended: who has a handle of it keeps its number from others.  0, or -1 with errno. */
static int
find_times(DWORD pid, platform_process *found)
{
    HANDLE process = OpenProcess(PROCESS_QUERY_LIMITED_INFORMATION | SYNCHRONIZE, FALSE, pid);
    FILETIME start, end, kernel, user;

    if (process == NULL) {
        return fail();
    }
    int result = 0;
    if (GetProcessTimes(process, &start, &end, &kernel, &user)) {
        found->start = number_of(start);
        found->is_over = WaitForSingleObject(process, 0) == WAIT_OBJECT_0;
    }
    else {
        result = fail();
    }
    (void)CloseHandle(process);
    return result;
}

int
platform_find_process(uint64_t pid, platform_process *found)
{
    const DWORD number = pid == 0 ? GetCurrentProcessId() : (DWORD)pid;

    *found = (platform_process){0};
    if (pid > UINT32_MAX) {
        errno = EINVAL;
        return -1;
    }
    if (find_times(number, found) < 0) {
        return -1;
    }
    found->parent = pid == 0 ? 0 : find_parent(number);
    return 0;
}

bool
platform_is_running(uint64_t pid, uint64_t start)
{
    platform_process found = {0};

    if (pid == 0 || pid > UINT32_MAX) {
        return false;
    }
    if (find_times((DWORD)pid, &found) < 0) {
        return errno == EACCES; /* another user's */
    }
    return !found.is_over && (start == 0 || start == found.start);
}

uint64_t
platform_start_since(uint64_t before)
{
    (void)before;
    return 0;
}

/* Nothing names it; but no two processes began in the same 100 ns and have one number. */
void
platform_boot_id(char id[PLATFORM_BOOT_ROOM])
{
    id[0] = '\0';
}

int
platform_watch_forks(void (*in_child)(void))
{
    (void)in_child;
    return 0;
}

/* Started processes inherit what SetEnvironmentVariable has set, which nobody can write to. */
char *
platform_environment(const char *name)
{
    (void)name;
    return NULL;
}

/* ---- time */

uint64_t
platform_now(void)
{
    static const uint64_t from_1601_to_1970 = UINT64_C(116444736000000000);
    FILETIME now;

    GetSystemTimePreciseAsFileTime(&now);
    return (number_of(now) - from_1601_to_1970) * 100;
}

uint64_t
platform_uptime(void)
{
    return GetTickCount64() * 1000000;
}

/* ---- mapped files */

/* A path as Windows takes it, to be freed; or NULL with errno. */
static wchar_t *
widen(const char *path)
{
    const int n = MultiByteToWideChar(CP_UTF8, 0, path, -1, NULL, 0);
    wchar_t *wide = n <= 0 ? NULL : malloc((size_t)n * sizeof(*wide));

    if (wide == NULL) {
        errno = n <= 0 ? EINVAL : ENOMEM;
        return NULL;
    }
    (void)MultiByteToWideChar(CP_UTF8, 0, path, -1, wide, n);
    return wide;
}

/* CreateFile with a path of ours.  Started processes do not inherit the handle. */
static HANDLE
open_handle(const char *path, DWORD access, DWORD disposition)
{
    wchar_t *wide = widen(path);

    if (wide == NULL) {
        return INVALID_HANDLE_VALUE;
    }
    HANDLE file = CreateFileW(wide, access, FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, NULL, disposition,
                              FILE_ATTRIBUTE_NORMAL, NULL);
    if (file == INVALID_HANDLE_VALUE) {
        (void)fail();
    }
    free(wide);
    return file;
}

/* Makes the new file n_bytes long and maps it.  NTFS gives a file that is no sparse one its clusters with its length, and shows
 * zeros where nothing was written yet.  The map, or NULL with errno. */
static uint8_t *
fill_and_map(HANDLE file, size_t n_bytes)
{
    LARGE_INTEGER length = {.QuadPart = (LONGLONG)n_bytes};
    HANDLE section = NULL;

    if (SetFilePointerEx(file, length, NULL, FILE_BEGIN) && SetEndOfFile(file)) {
        section = CreateFileMappingW(file, NULL, PAGE_READWRITE, 0, 0, NULL);
    }
    uint8_t *map = section == NULL ? NULL : MapViewOfFile(section, FILE_MAP_READ | FILE_MAP_WRITE, 0, 0, n_bytes);
    if (map == NULL) {
        (void)fail();
    }
    if (section != NULL) {
        (void)CloseHandle(section); /* the view keeps it */
    }
    return map;
}

static void
remove_file(const char *path)
{
    wchar_t *wide = widen(path);

    if (wide != NULL) {
        (void)DeleteFileW(wide);
        free(wide);
    }
}

uint8_t *
platform_map_new(const char *path, size_t n_bytes, size_t n_ahead)
{
    HANDLE file = open_handle(path, GENERIC_READ | GENERIC_WRITE, CREATE_NEW);

    (void)n_ahead;
    if (file == INVALID_HANDLE_VALUE) {
        return NULL;
    }
    uint8_t *map = fill_and_map(file, n_bytes);
    const int error = errno;
    (void)CloseHandle(file);
    if (map == NULL) {
        remove_file(path);
        errno = error;
    }
    return map;
}

/* What was stored is in the system's cache, which outlives the process: there is nothing to flush. */
void
platform_unmap(uint8_t *map, size_t n_bytes)
{
    (void)n_bytes;
    (void)UnmapViewOfFile(map); /* fails only for what is no view */
}

/* ---- other files */

void
platform_append(const char *path, bool create, const void *bytes, size_t n_bytes)
{
    HANDLE file = open_handle(path, FILE_APPEND_DATA, create ? OPEN_ALWAYS : OPEN_EXISTING);
    DWORD n_written;

    if (file != INVALID_HANDLE_VALUE) {
        (void)WriteFile(file, bytes, (DWORD)n_bytes, &n_written, NULL);
        (void)CloseHandle(file);
    }
}

static int
read_handle(HANDLE file, void (*take)(void *context, uint8_t *piece, size_t n_bytes), void *context)
{
    uint8_t piece[8192];
    DWORD n_read;

    if (GetFileType(file) != FILE_TYPE_DISK) {
        errno = EINVAL;
        return -1;
    }
    do {
        if (!ReadFile(file, piece, sizeof(piece), &n_read, NULL)) {
            return fail();
        }
        if (n_read > 0) {
            take(context, piece, n_read);
        }
    } while (n_read > 0);
    return 0;
}

int
platform_read_file(const char *path, void (*take)(void *context, uint8_t *piece, size_t n_bytes), void *context)
{
    HANDLE file = open_handle(path, GENERIC_READ, OPEN_EXISTING);

    if (file == INVALID_HANDLE_VALUE) {
        return -1;
    }
    const int result = read_handle(file, take, context);
    const int error = errno;
    (void)CloseHandle(file);
    errno = error;
    return result;
}

FILE *
platform_open(const char *path)
{
    wchar_t *wide = widen(path);
    FILE *file = wide == NULL ? NULL : _wfsopen(wide, L"rbN", _SH_DENYNO);
    const int error = errno;

    free(wide);
    errno = error;
    return file;
}

bool
platform_is_terminal(FILE *file)
{
    return _isatty(_fileno(file)) != 0;
}

/* Of a byte beyond the end of any file: what is locked, others cannot read or write either. */
int
platform_lock(int descriptor, platform_lock_kind kind)
{
    HANDLE file = (HANDLE)_get_osfhandle(descriptor);
    OVERLAPPED place = {.OffsetHigh = 0x7FFFFFFF};
    const DWORD flags = LOCKFILE_FAIL_IMMEDIATELY | (kind == PLATFORM_EXCLUDE ? LOCKFILE_EXCLUSIVE_LOCK : 0);
    const BOOL done =
        kind == PLATFORM_UNLOCK ? UnlockFileEx(file, 0, 1, 0, &place) : LockFileEx(file, flags, 0, 1, 0, &place);

    return done ? 0 : fail();
}
