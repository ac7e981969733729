/* temporary: a folder for the files of a C test, removed with them when the program ends. */
#ifndef COVCORE_TEMPORARY_H
#define COVCORE_TEMPORARY_H

#include <dirent.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"

#ifdef _WIN32
#include <direct.h>
#define NAME_MAX FILENAME_MAX
#endif

static char temporary_folder[PATH_MAX];
static pid_t temporary_owner;

/* Removes the files and empty folders in a folder. */
static inline void
empty_folder(const char *folder)
{
    DIR *entries = opendir(folder);

    if (entries == NULL) {
        return;
    }
    for (struct dirent *entry = readdir(entries); entry != NULL; entry = readdir(entries)) {
        char path[PATH_MAX + NAME_MAX + 2];
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) {
            snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
            (void)remove(path);
        }
    }
    (void)closedir(entries);
}

static inline void
remove_temporary_folder(void)
{
    if (getpid() == temporary_owner) { /* not when a forked child ends */
        empty_folder(temporary_folder);
        (void)rmdir(temporary_folder);
    }
}

/* Makes the folder: its absolute path is in temporary_folder. */
static inline void
make_temporary_folder(void)
{
#ifdef _WIN32
    snprintf(temporary_folder, sizeof(temporary_folder), "%s/covcore-%d", getenv("TEMP"), getpid());
    CHECK(_mkdir(temporary_folder) == 0);
#else
    const char *parent = getenv("TMPDIR");

    snprintf(temporary_folder, sizeof(temporary_folder), "%s/covcore-XXXXXX", parent == NULL ? "/tmp" : parent);
    CHECK(mkdtemp(temporary_folder) != NULL);
#endif
    temporary_owner = getpid();
    CHECK(atexit(remove_temporary_folder) == 0);
}

/* The path of a name in the folder, good until the fourth next call. */
static inline const char *
temporary_path(const char *name)
{
    static char paths[4][PATH_MAX + NAME_MAX + 2];
    static unsigned n_calls;
    char *path = paths[n_calls++ % 4];

    snprintf(path, sizeof(paths[0]), "%s/%s", temporary_folder, name);
    return path;
}

#endif
