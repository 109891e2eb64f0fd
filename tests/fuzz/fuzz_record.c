/* SPDX-License-Identifier: MIT
 * A packed record from a role that was taken over: refused, or canonical, and as JSON one valid
 * line without a key twice. Its strings also go where a process's would. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "audit/record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_line(const struct record *r, const struct process *p, enum log_args args)
{
    const struct record_line line = {.seq = 1, .process = p, .args = args, .prev = "00"};
    CLEANUP_BUFFER struct buffer json = {0};
    record_json(r, &line, &json);
    assert(!buffer_failed(&json));
    buffer_add_char(&json, '}');
    assert(!memchr(json.data, '\n', json.len));
    json_t *value = json_loadb(json.data, json.len, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);
    assert(json_is_object(value));
    json_decref(value);
}

/* A process whose arguments, paths and cgroup are the strings of the record. */
static void check_process(const struct record *r)
{
    const struct text texts[] = {r->url, r->rule, r->host, r->name, r->detail};
    char *args[ARRAY_SIZE(texts)];
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
        args[i] = strndup(texts[i].data ? texts[i].data : "", texts[i].len);
    const struct process_ancestor parent = {1, args[0]};
    const struct process p = {.key = r->process,
                              .exe = args[1],
                              .cwd = args[2],
                              .cgroup = args[3],
                              .user = args[4],
                              .args = (const char *const *)args,
                              .n_args = ARRAY_SIZE(args),
                              .ancestors = &parent,
                              .n_ancestors = 1};
    check_line(r, &p, LOG_ARGS_REDACTED);
    check_line(r, &p, LOG_ARGS_FULL);
    for (size_t i = 0; i < ARRAY_SIZE(args); i++)
        free(args[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct record r;
    if (record_unpack(data, size, &r) < 0)
        return 0;
    CLEANUP_BUFFER struct buffer packed = {0};
    record_pack(&r, &packed);
    assert(packed.len == size && (size == 0 || memcmp(packed.data, data, size) == 0));
    check_line(&r, NULL, LOG_ARGS_NONE);
    check_process(&r);
    return 0;
}
