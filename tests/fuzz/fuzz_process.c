/* SPDX-License-Identifier: MIT
 * The record of a process as another role sends it: whatever is accepted must be written again as
 * the very same bytes, and can be shown to rules. */
#include "attribution/process.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    const char *parents[PROCESS_ANCESTORS_MAX];
    struct event_process view;
    struct process *p = process_unpack(data, len);
    if (!p)
        return 0;
    CLEANUP_BUFFER struct buffer again;
    buffer_init(&again);
    process_pack(p, &again);
    if (buffer_failed(&again) || again.len != len || memcmp(again.data, data, len))
        abort();
    process_event_view(p, parents, &view);
    process_unref(p);
    return 0;
}
