/* SPDX-License-Identifier: MIT
 * What both forms of an explanation say alike: the event in one line, what reasons mean, and
 * whether the log and the policy of now go together. */
#include <string.h>

#include "review/event_facts.h"
#include "review/event_words.h"
#include "review/explain_tell.h"

/* Of reasons that are not the policy's the word alone is in the log: these are the filter's. */
static const struct {
    const char *reason;
    bool filter; /* decided by the filter, whatever the policy says */
    const char *words;
} reasons[] = {
    {"no-rule", false, "no rule allows it"},
    {"veto", false, "a `deny` rule vetoes it"},
    {"unattributed", false, "it depends on a fact of the process that is not known"},
    {"private-address", false,
     "the name lies at a private address, which only a rule with `private` lets it"},
    {"metadata-address", false,
     "the name lies at a metadata service, which only a rule about that address opens"},
    {"resolver", false, "the name may be looked up, but not at that resolver"},
    {"inspect", false, "rules about URLs name it, and requests inside TLS are not read"},
    {"loopback", true,
     "the name lies at this machine's own loopback, where only --host-port leads"},
    {"dst-mismatch", true, "the address is not one of that name's"},
    {"sni-mismatch", true, "the name in TLS is not the one that was allowed"},
    {"ech", true, "the name in TLS is the outer one; the true one is encrypted"},
    {"hello-changed", true,
     "the client's second ClientHello named another server or protocol than the first"},
    {"name-limit", true,
     "a wildcard allows the name, but too much was asked below it: see egress-filter(8), "
     "--no-name-limits"},
    {"malformed", true, "what was sent cannot be read"},
    {"limit", true, "it was too much or too slow"},
    {"zone-transfer", true, "zone transfers are not answered"},
    {"unsupported", true,
     "UDP to a group, a broadcast or the filter itself is not relayed, whatever is allowed"},
    {"ipv6", true, "IPv6 is closed in the kernel, and no rule opens it"},
    {"raw-socket", true, "raw sockets are closed in the kernel, and no rule opens them"},
    {"host-port", true, "--host-port let it in"},
};

const char *explain_reason_words(const char *reason)
{
    for (size_t i = 0; i < ARRAY_SIZE(reasons); i++)
        if (strcmp(reason, reasons[i].reason) == 0)
            return reasons[i].words;
    return NULL;
}

/* A word that a newer filter wrote is taken for one of its own. */
static bool is_filters(const char *reason)
{
    for (size_t i = 0; i < ARRAY_SIZE(reasons); i++)
        if (strcmp(reason, reasons[i].reason) == 0)
            return reasons[i].filter;
    return true;
}

void explain_event_text(const struct event *e, bool who, struct buffer *out)
{
    struct event shown = *e;
    buffer_add_string(out, "");
    if (!who) {
        shown.process = NULL;
        shown.n_names = 0;
    }
    if (e->stage == EVENT_OTHER)
        buffer_add_string(out, "traffic that is neither TCP nor UDP over IPv4");
    else if (e->stage == EVENT_DNS && !e->host)
        buffer_add_string(out, "dns, a name that no host can have");
    else
        event_words_write(&shown, out);
    if (e->stage == EVENT_OTHER && shown.process)
        event_facts_write(shown.process, out);
}

static bool same_rule(const struct verdict *v, const struct explain_record *r)
{
    if (!r->rule || !v->rule)
        return !r->rule && !v->rule;
    return strcmp(r->rule, v->rule) == 0 && (!r->line || r->line == v->line);
}

enum explain_agreement explain_agreement(const struct explanation *x,
                                         const struct explain_record *r)
{
    const struct verdict *v = &x->verdict;
    const char *now = v->action == VERDICT_ALLOW ? "allow" : "deny";
    if (!r->policy)
        return AGREE;
    if (strcmp(r->policy, now) != 0)
        return r->reason && is_filters(r->reason) ? AGREE_FILTER : DIFFER_POLICY;
    if (r->reason && is_filters(r->reason))
        return AGREE_FILTER;
    return same_rule(v, r) ? AGREE : DIFFER_RULE;
}

const char *explain_difference(const struct explain_told *t)
{
    enum explain_agreement how = t->record ? explain_agreement(t->explanation, t->record) : AGREE;
    const char *then = t->record ? t->record->policy_sha256 : NULL;
    if (how != DIFFER_RULE && how != DIFFER_POLICY)
        return NULL;
    if (then && t->policy_sha256 && strcmp(then, t->policy_sha256) == 0)
        return "the policy is the same file, so it knew then what this record alone does not tell: "
               "names that had been learnt, or facts of the process; read the whole log, with "
               "--log";
    if (then && t->policy_sha256)
        return "the policy was another then: its digest in the log differs";
    return "the policy was another then, or it knew names or facts that the record does not tell";
}
