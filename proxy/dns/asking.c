/* SPDX-License-Identifier: MIT
 * From a verdict to the budgets, with what was asked before. */
#include "dns/asking.h"

#include "dns/name_limits.h"

enum asking asking_pay(struct engine *e, const struct process *process, const char *zone,
                       const struct kept_key *key)
{
    const uint64_t now = engine_now();
    struct kept_answer answer;
    if (!e->name_limits || !zone)
        return ASKING_PAID;
    struct kept *kept = forwarder_kept(e->forwarder);
    enum kept_state state = kept_find(kept, key, now, &answer);
    if (state == KEPT_FRESH)
        return ASKING_FREE;
    const struct name_question q = {.name = key->name,
                                    .zone = zone,
                                    .process = process ? process->key : (struct process_key){0},
                                    .known = state == KEPT_KNOWN,
                                    .other_type = key->type != DNS_A};
    if (!engine_lock(e))
        return ASKING_OVER;
    const bool paid = name_limits_take(e->name_limits, &q, now);
    engine_unlock(e);
    if (!paid)
        return ASKING_OVER;
    kept_ask(kept, key);
    return ASKING_PAID;
}

struct kept_key asking_own(const char *host)
{
    return (struct kept_key){.name = host, .type = DNS_A, .rd = true};
}
