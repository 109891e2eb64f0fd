/* SPDX-License-Identifier: MIT
 * Policy text from anywhere, then events made of the rest of the bytes: no input may crash the
 * parser or the matcher, no veto may open anything, and the plain matcher must say the same. What
 * stands behind the first NUL is a name and a path. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "rules/policy.h"
#include "tests/unit/plain_match.h"

static void ignore(void *context, const struct diagnostic *d)
{
    size_t *count = context;
    *count += strlen(d->text) + d->line + d->column;
}

/* Every include finds the same small preset, itself included. */
static int load(void *context, const char *from, const char *what, bool preset,
                struct policy_source *source)
{
    static const char text[] = "[:80|443 exe=/a]\n*.x.org\ndeny a.x.org\ninclude @y\n";
    (void)context, (void)from;
    if (!preset)
        return -2;
    *source = (struct policy_source){strcmp(what, "x") == 0 ? "x" : "y", text, sizeof(text) - 1};
    return 0;
}

static void ask(const struct policy *p, const char *name, const char *path, unsigned bits)
{
    static const char *const args[] = {"a", "--x"};
    char host[NAME_MAX_LEN + 1];
    const char *const names[] = {host};
    const struct event_process process = {.known = bits >> 8,
                                          .foreign = bits & 1,
                                          .exe = "/a",
                                          .args = args,
                                          .n_args = 2,
                                          .args_cut = bits >> 1 & 1,
                                          .cgroup = "/docker/0123456789ab",
                                          .container_id = "0123456789abcdef"};
    bool good = name_normalize(name, strlen(name), host) == 0;
    for (int stage = EVENT_ADDRESS; stage <= EVENT_OTHER; stage++) {
        const struct event e = {.stage = (enum event_stage)stage,
                                .proto = bits >> 2 & 1 ? PROTO_UDP : PROTO_TCP,
                                .dst_ip = bits * 2654435761u,
                                .dst_port = bits >> 3 & 1 ? 443 : 80,
                                .has_dst = bits >> 4 & 1,
                                .unknown_bytes = bits >> 5 & 1,
                                .resolver_is_self = bits >> 6 & 1,
                                .host = good && !(bits >> 7 & 1) ? host : NULL,
                                .names = names,
                                .n_names = good,
                                .method = "GET",
                                .https = bits >> 3 & 1,
                                .path = path,
                                .process = bits >> 20 & 1 ? NULL : &process};
        struct verdict v = policy_match(p, &e), plain = plain_match(p, &e);
        if (v.action != plain.action || v.reason != plain.reason || v.rule != plain.rule ||
            v.name != plain.name || v.passthrough != plain.passthrough ||
            v.insecure != plain.insecure || v.websocket != plain.websocket ||
            v.private != plain.private || v.expected != plain.expected ||
            v.by_address != plain.by_address || v.unattributed != plain.unattributed ||
            !v.zone != !plain.zone || (v.zone && strcmp(v.zone, plain.zone) != 0))
            abort();
        if (v.zone && (v.action != VERDICT_ALLOW || stage != EVENT_DNS))
            abort();
        if (v.action != VERDICT_DENY && (policy_rule_count(p) == 0 || !v.rule || !v.file))
            abort();
        if (v.reason == REASON_VETO && strncmp(v.rule, "deny", 4) != 0)
            abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t said = 0;
    unsigned bits = 0;
    for (size_t i = 0; i < size; i++)
        bits = bits * 31 + data[i];
    const uint8_t *nul = size > 0 ? memchr(data, '\0', size) : NULL;
    size_t len = nul ? (size_t)(nul - data) : size;
    const struct policy_source source = {"fuzz", data, len};
    const struct policy_options options = {.owner = bits & 1 ? "me" : NULL,
                                           .repo = bits & 1 ? "it" : NULL,
                                           .lenient = bits >> 1 & 1,
                                           .context = bits >> 2 & 1 ? "[cgroup=@docker]" : NULL,
                                           .load = load,
                                           .diagnose = ignore,
                                           .diagnose_context = &said};
    struct policy *p = policy_parse(&source, 1, &options);
    if (!p)
        return 0;
    /* The bytes behind the policy, and the policy itself where there are none. */
    size_t rest = nul ? size - len - 1 : size;
    char *text = malloc(rest + 1);
    if (text) {
        if (rest > 0)
            memcpy(text, nul ? nul + 1 : data, rest);
        text[rest] = '\0';
        const char *slash = strchr(text, '/');
        ask(p, text, slash ? slash : text, bits);
        ask(p, "a.x.org", slash ? slash : text, ~bits);
    }
    free(text);
    policy_unref(p);
    return 0;
}
