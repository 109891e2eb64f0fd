/* SPDX-License-Identifier: MIT
 * Writing to a descriptor until all is written. */
#include "base/fd.h"

#include <errno.h>

int fd_write_all(int fd, const void *data, size_t len)
{
    for (const char *at = data; len > 0;) {
        ssize_t n = write(fd, at, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? -errno : -EIO;
        at += n;
        len -= (size_t)n;
    }
    return 0;
}
