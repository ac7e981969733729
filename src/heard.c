/* heard: see heard.h. */
#include "heard.h"

#include <stdlib.h>
#include <string.h>

static size_t
n_bytes(const heard *h)
{
    return ((size_t)h->n_lines + h->n_units + 7) / 8;
}

void
heard_init(heard *h, const shape *s, size_t n_units)
{
    const int64_t n_lines = s->n_lines == 0 ? 0 : (int64_t)s->lines[s->n_lines - 1] - s->lines[0] + 1;

    heard_free(h);
    if (n_lines > HEARD_MOST || n_units > HEARD_MOST) {
        return;
    }
    h->n_lines = (uint32_t)n_lines;
    h->n_units = (uint32_t)n_units;
    h->bits = calloc(n_bytes(h) + 1, 1);
    if (h->bits == NULL) {
        heard_free(h);
        return;
    }
    h->first_line = n_lines == 0 ? 0 : (uint32_t)s->lines[0];
}

void
heard_free(heard *h)
{
    free(h->bits);
    *h = (heard){0};
}

void
heard_clear(heard *h)
{
    if (h->bits != NULL) {
        memset(h->bits, 0, n_bytes(h));
    }
}
