/* SPDX-License-Identifier: MIT
 * Events and logs from anywhere, many lines of them: each is read, judged, or refused with a
 * sentence; what is judged is a whole event, and no line without a time moves the clock. */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "review/event_json.h"
#include "rules/policy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char rules[] = "*.x.org\na.org:80|443 private\nhttps://b.org/a/*\n1.2.3.4:*\n"
                            "10.0.0.0/8:53/udp\n[exe=/bin/*]\nc.org\nd.org arg=--x\n"
                            "[]\ne.org parent=/bin/sh\ndeny f.org user=root\ndeny 8.8.8.8\n"
                            "http://a.org/* cgroup=@host\ng.org container=web step=build\n";

static struct policy *policy(void)
{
    static struct policy *p;
    const struct policy_source source = {"fuzz", rules, sizeof(rules) - 1};
    if (!p)
        p = policy_parse(&source, 1, NULL);
    assert(p);
    return p;
}

static void check_event(const struct event *e)
{
    struct verdict v = policy_match(policy(), e);
    assert(v.action == VERDICT_DENY || v.rule);
    assert(!e->host || strlen(e->host) <= NAME_MAX_LEN);
    assert(e->stage != EVENT_REQUEST || (e->method && e->path && e->host));
    assert(e->stage == EVENT_OTHER || e->stage == EVENT_DNS || e->has_dst || e->host);
    size_t read = 0;
    for (size_t i = 0; i < e->n_names; i++)
        read += strlen(e->names[i]);
    for (size_t i = 0; e->process && i < e->process->n_args; i++)
        read += strlen(e->process->args[i]);
    for (size_t i = 0; e->process && i < e->process->n_parents; i++)
        read += strlen(e->process->parents[i]);
    assert(read < SIZE_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct event_reader *reader = event_reader_new(64);
    size_t at = 0;
    assert(reader);
    while (at < size) {
        const uint8_t *end = memchr(data + at, '\n', size - at);
        size_t len = end ? (size_t)(end - data) - at : size - at;
        /* A copy of its own size, so that reading past its end is found. */
        char *line = malloc(len ? len : 1);
        const struct event *e = NULL;
        struct error error = {0};
        assert(line);
        memcpy(line, data + at, len);
        int result = event_reader_line(reader, line, len, &e, &error);
        free(line);
        assert(result <= 0 || e);
        assert(result >= 0 || (error.code == result && error.text[0]));
        if (result > 0)
            check_event(e);
        at += len + 1;
    }
    event_reader_free(reader);
    return 0;
}
