/* recording_file: the files that segments are.
 *
 * recording.c alone uses it.  No Python.h here. */
#ifndef COVCORE_RECORDING_FILE_H
#define COVCORE_RECORDING_FILE_H

#include <stddef.h>
#include <stdint.h>

enum { FILE_PAGE = 4096 }; /* lengths are multiples of it */

/* Allocation of files, replaceable by tests (disk full at the n-th call): 0, or -1 with errno.  EOPNOTSUPP and ENOSYS
 * mean that the file system cannot: zeros are then written instead. */
extern int (*recording_fallocate)(int fd, int64_t n_bytes);

/* Creates and maps a file of zeros, with blocks behind all of it, and lets go of its descriptor.  The first n_ahead bytes are
 * written, which makes the first stores into them faster; they are at most n_bytes.  The map, or NULL with errno and no file. */
uint8_t *file_create_mapped(const char *path, size_t n_bytes, size_t n_ahead);

#endif
