/* SPDX-License-Identifier: MIT
 * Events in words from anywhere: read, or refused with a sentence whose place is within the text;
 * what is read is judged, and what is written of it is read again to the same verdict. */
#include <assert.h>
#include <string.h>

#include "review/event_words.h"

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

struct told {
    size_t size, errors;
};

static void on_diagnostic(void *context, const struct diagnostic *d)
{
    struct told *told = context;
    told->errors++;
    assert(d->column >= 1 && d->column <= told->size + 1 && d->text[0]);
}

static bool read_event(const char *text, size_t len, struct event_words *words)
{
    struct told told = {.size = len};
    const struct policy_options options = {.diagnose = on_diagnostic, .diagnose_context = &told};
    struct reporter r = {.options = &options, .file = "t", .line = 1, .raw = text};
    bool good = event_words_parse(&r, (struct span){text, len, 0}, words);
    assert(good == (told.errors == 0));
    return good;
}

static bool sayable(const struct event_process *p)
{
    for (size_t i = 0; p && i < p->n_args; i++)
        if (strpbrk(p->args[i], "\"`"))
            return false;
    const char *texts[] = {p ? p->exe : NULL,  p ? p->container_name : NULL, p ? p->image : NULL,
                           p ? p->pod : NULL,  p ? p->step : NULL,           p ? p->action : NULL,
                           p ? p->user : NULL, p ? p->cgroup : NULL};
    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
        if (texts[i] && strpbrk(texts[i], "\"`"))
            return false;
    for (size_t i = 0; p && i < p->n_parents; i++)
        if (strpbrk(p->parents[i], "\"`"))
            return false;
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct event_words words, again;
    struct policy_options none = {0};
    struct reporter r = {.options = &none, .file = "t", .raw = (const char *)data};
    const struct span text = {(const char *)data, size, 0};
    /* As a line of a policy comes: whoever calls has looked at its bytes. */
    if (size > 4096 || memchr(data, '\n', size) || !line_check(&r, text) ||
        !line_check_content(&r, text))
        return 0;
    bool good = read_event((const char *)data, size, &words);
    if (good && sayable(words.event.process)) {
        CLEANUP_BUFFER struct buffer out = {0};
        event_words_write(&words.event, &out);
        assert(read_event(out.data, out.len, &again));
        struct verdict v = policy_match(policy(), &words.event);
        struct verdict w = policy_match(policy(), &again.event);
        assert(v.action == w.action && v.line == w.line && v.unattributed == w.unattributed);
        event_words_release(&again);
    }
    event_words_release(&words);
    return 0;
}
