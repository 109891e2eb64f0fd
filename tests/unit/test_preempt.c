/* SPDX-License-Identifier: MIT
 * What kernels say of themselves, and whether one that says it may preempt itself. */
#include "attribution/preempt.h"

#include "unit/report.h"

#include "base/attrib.h"

static void as_kernels_say(void **state UNUSED)
{
    static const struct {
        const char *build, *modes;
        bool possible;
    } said[] = {
        {"#1 SMP PREEMPT_DYNAMIC Debian 6.1.1-1", "none (voluntary) full \n", false},
        {"#1 SMP PREEMPT_DYNAMIC Debian 6.1.1-1", "(none) voluntary full \n", false},
        {"#1 SMP PREEMPT_DYNAMIC Debian 6.12.1-1", "none voluntary (full) \n", true},
        {"#1 SMP PREEMPT_DYNAMIC Debian 6.18.1-1", "none voluntary full (lazy)", true},
        {"#1 SMP PREEMPT_DYNAMIC Debian 7.3.4-1", "full (lazy) \n", true},
        {"#1 SMP PREEMPT_DYNAMIC Debian 7.3.4-1", "", true},
        {"#1 SMP PREEMPT_DYNAMIC Debian 6.1.1-1", NULL, true},
        {"#1 SMP PREEMPT Debian 6.1.1-1", NULL, true},
        {"#1 SMP PREEMPT_RT Debian 6.12.1-1", NULL, true},
        {"#1-Ubuntu SMP Thu Jan 1", NULL, false},
        {"", NULL, false},
    };
    for (size_t i = 0; i < ARRAY_SIZE(said); i++) {
        if (preempt_possible(said[i].build, said[i].modes) != said[i].possible)
            fail_msg("%s, %s", said[i].build, said[i].modes ? said[i].modes : "not shown");
    }
}

static const struct unit_test tests[] = {
    REPORT("P01", as_kernels_say),
};

int main(void)
{
    return unit_run(tests, ARRAY_SIZE(tests));
}
