// needs: crc32.c owner.c recording.c platform_posix.c
/* What the writing of a recording costs in a folder: bench_recording BYTES FOLDER ..
 *
 * Appends records until their segments have that many bytes, ROUNDS times in each folder in turn, and prints for each folder the least
 * processor time of this process, the kernel's work for it included, in seconds. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "recording.h"

enum { ROUNDS = 25, MOST_FOLDERS = 8 };

static double
seconds_used(void)
{
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    return (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
           1e-6 * (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec);
}

static void
fail(const char *what)
{
    perror(what);
    exit(1);
}

/* Every other record is a hit that no record before it foretells, so each has its own word. */
static void
write_one(const char *folder, size_t n_bytes)
{
    recording r;
    recording_owner owner = {.run_id = "0123456789abcdef"};
    size_t which;
    recording_owner_fill(&owner);
    if (recording_open(&r, &folder, 1, &owner, &which) < 0) {
        fail(folder);
    }
    const char *const labels[3] = {"", "", ""};
    const size_t lengths[3] = {0, 0, 0};
    const uint8_t hash[SHA256_BYTES] = {0};
    if (recording_file(&r, hash, "/a.py", 5) < 0 || recording_code(&r, 0, 1, 0, "f", 1, hash, 8) < 0 ||
        recording_context(&r, labels, lengths) < 0 || recording_arc(&r, 0, 0) < 0) {
        fail("recording");
    }
    for (size_t written = 0; written < n_bytes; written += 16) {
        if (recording_switch(&r, 0) < 0 || recording_hit(&r, 0) < 0) {
            fail("recording");
        }
    }
    recording_finish(&r);
}

static void
clear(const char *folder)
{
    DIR *files = opendir(folder);
    struct dirent *entry;
    if (files == NULL) {
        fail(folder);
    }
    while ((entry = readdir(files)) != NULL) {
        char path[4096];
        if (entry->d_name[0] != '.' && snprintf(path, sizeof path, "%s/%s", folder, entry->d_name) < (int)sizeof path) {
            unlink(path);
        }
    }
    closedir(files);
}

int
main(int n_arguments, char **arguments)
{
    double least[MOST_FOLDERS];
    const int n_folders = n_arguments - 2;
    if (n_folders < 1 || n_folders > MOST_FOLDERS) {
        fprintf(stderr, "usage: %s BYTES FOLDER ..\n", arguments[0]);
        return 2;
    }
    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < n_folders; i++) {
            const double before = seconds_used();
            write_one(arguments[2 + i], strtoul(arguments[1], NULL, 10));
            const double used = seconds_used() - before;
            if (round == 0 || used < least[i]) {
                least[i] = used;
            }
            clear(arguments[2 + i]);
        }
    }
    for (int i = 0; i < n_folders; i++) {
        printf("%.6f\n", least[i]);
    }
    return 0;
}
