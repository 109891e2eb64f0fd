/* SPDX-License-Identifier: MIT
 * Preloaded into the filter, and into nothing that it starts: its wall clock is off by as many
 * seconds as the file $CLOCK_SHIFT says at that moment, as if somebody had set the machine's. */
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const char *shift_file;

__attribute__((constructor)) static void begin(void)
{
    if (strcmp(program_invocation_short_name, "egress-filter") != 0)
        return;
    unsetenv("LD_PRELOAD");
    shift_file = getenv("CLOCK_SHIFT");
}

int clock_gettime(clockid_t clock, struct timespec *out)
{
    static int (*next)(clockid_t, struct timespec *);
    long long shift = 0;
    if (!next)
        *(void **)&next = dlsym(RTLD_NEXT, "clock_gettime");
    int result = next(clock, out);
    FILE *file = shift_file && clock == CLOCK_REALTIME ? fopen(shift_file, "re") : NULL;
    if (file) {
        if (fscanf(file, "%lld", &shift) == 1)
            out->tv_sec += shift;
        fclose(file);
    }
    return result;
}
