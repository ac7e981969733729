/* handlers: see handlers.h. */
#include "handlers.h"

/* Six bits a byte, the highest first; 0x40: there is more.  (0x80 marks the first byte of an entry.) */
static bool
read_number(handled *h, uint32_t *out)
{
    uint32_t value = 0;

    while (h->at < h->last && value <= UINT32_MAX >> 7) {
        const uint8_t byte = *h->at++;
        value = value << 6 | (byte & 0x3f);
        if (!(byte & 0x40)) {
            *out = value;
            return true;
        }
    }
    return false;
}

handled
handler_table(const uint8_t *table, size_t n_bytes)
{
    return (handled){.at = table, .last = n_bytes == 0 ? table : table + n_bytes};
}

bool
handler_next(handled *h)
{
    uint32_t n_units, depth;

    if (!read_number(h, &h->begin) || !read_number(h, &n_units) || !read_number(h, &h->handler)
        || !read_number(h, &depth)) {
        return false;
    }
    h->end = h->begin + n_units;
    return true;
}
