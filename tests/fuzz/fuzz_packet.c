/* SPDX-License-Identifier: MIT
 * Packet headers as the queue copies them: the reader must stay inside, and what it accepts must
 * agree with the bytes. */
#include <stdlib.h>

#include "intercept/queue.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct packet p;
    if (packet_read(data, size, &p) < 0) {
        if (p.src_ip || p.dst_ip || p.src_port || p.dst_port || p.proto || p.length)
            abort();
        return 0;
    }
    if (size < 20 || p.length < size || p.proto != data[9])
        abort();
    if ((p.src_port || p.dst_port) && p.proto != 17 && p.proto != 136)
        abort();
    if (p.icmp_type && p.proto != 1)
        abort();
    return 0;
}
