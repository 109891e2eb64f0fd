/* SPDX-License-Identifier: MIT
 * Words of selectors, read as facts. One table has their names; what differs is how a value is
 * checked, and that arguments and ancestors are lists. */
#include "review/event_facts.h"

#include <string.h>

#include "rules/address.h"

enum { USER_UNKNOWN = -1 }; /* no uid of this machine */

typedef bool take_value(struct event_facts *f, struct reporter *r, struct span value,
                        const char *text);

static take_value take_path, take_arg, take_parent, take_digest, take_user, take_cgroup,
    take_container, take_number, take_text;

/* of: where a text goes in struct event_process; SIZE_MAX: the value's own function knows. */
static const struct entry {
    const char *name;
    unsigned fact;
    take_value *take;
    size_t of;
} entries[] = {
    {"exe", FACT_EXE, take_path, offsetof(struct event_process, exe)},
    {"arg", FACT_ARGS, take_arg, SIZE_MAX},
    {"parent", FACT_PARENTS, take_parent, SIZE_MAX},
    {"sha256", FACT_SHA256, take_digest, offsetof(struct event_process, sha256)},
    {"user", FACT_USER, take_user, SIZE_MAX},
    {"cgroup", FACT_CGROUP, take_cgroup, SIZE_MAX},
    {"container", FACT_CONTAINER, take_container, SIZE_MAX},
    {"image", FACT_IMAGE, take_text, offsetof(struct event_process, image)},
    {"pod", FACT_POD, take_text, offsetof(struct event_process, pod)},
    {"mntns", FACT_MNTNS, take_number, offsetof(struct event_process, mntns)},
    {"netns", FACT_NETNS, take_number, offsetof(struct event_process, netns)},
    {"step", FACT_STEP, take_text, offsetof(struct event_process, step)},
    {"action", FACT_ACTION, take_text, offsetof(struct event_process, action)},
};

static bool take_text(struct event_facts *f, struct reporter *r, struct span value,
                      const char *text)
{
    (void)f, (void)r, (void)value, (void)text;
    return true;
}

static bool take_path(struct event_facts *f, struct reporter *r, struct span value,
                      const char *text)
{
    (void)f;
    if (text[0] == '/')
        return true;
    reporter_error(r, value.at, "'%.*s' is no absolute path; write one such as /usr/bin/curl",
                   SPAN(value));
    return false;
}

static bool take_arg(struct event_facts *f, struct reporter *r, struct span value, const char *text)
{
    (void)r, (void)value;
    f->args[f->process->n_args++] = text;
    return true;
}

static bool take_parent(struct event_facts *f, struct reporter *r, struct span value,
                        const char *text)
{
    f->parents[f->process->n_parents++] = text;
    return take_path(f, r, value, text);
}

static bool take_digest(struct event_facts *f, struct reporter *r, struct span value,
                        const char *text)
{
    (void)f;
    if (strlen(text) == 64 && strspn(text, "0123456789abcdef") == 64)
        return true;
    reporter_error(r, value.at,
                   "sha256= takes a digest; write its 64 hexadecimal digits, in small "
                   "letters");
    return false;
}

/* root and 0 are one user on every machine; of others a name and a number are not told apart. */
static bool take_user(struct event_facts *f, struct reporter *r, struct span value,
                      const char *text)
{
    struct event_process *p = f->process;
    p->uid = (uint32_t)USER_UNKNOWN;
    p->user = text;
    if (strcmp(text, "root") == 0)
        p->uid = 0;
    if (strspn(text, "0123456789") < strlen(text))
        return true;
    p->user = NULL;
    if (!decimal_parse(text, strlen(text), UINT32_MAX, &p->uid)) {
        reporter_error(r, value.at, "'%.*s' is no user; write a name or a number", SPAN(value));
        return false;
    }
    if (p->uid == 0)
        p->user = "root";
    return true;
}

const char *event_facts_cgroup(const char *name, size_t len)
{
    static const struct {
        const char *name, *path;
    } classes[] = {
        {"@docker", "/system.slice/docker-0123456789ab.scope"},
        {"@podman", "/machine.slice/libpod-0123456789ab.scope"},
        {"@kubernetes", "/kubepods/pod0"},
        {"@container", "/system.slice/docker-0123456789ab.scope"},
        {"@host", "/"},
        {"@rootless", "/user.slice/user-1000.slice/user@1000.service/app.slice"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(classes); i++)
        if (strlen(classes[i].name) == len && memcmp(classes[i].name, name, len) == 0)
            return classes[i].path;
    return NULL;
}

static bool take_cgroup(struct event_facts *f, struct reporter *r, struct span value,
                        const char *text)
{
    const char *of_class = event_facts_cgroup(text, strlen(text));
    f->process->cgroup = of_class ? of_class : text;
    if (of_class || text[0] == '/')
        return true;
    reporter_error(r, value.at,
                   "'%.*s' is no cgroup; write a path from its / on, or @docker, @podman, "
                   "@kubernetes, @container, @host or @rootless",
                   SPAN(value));
    return false;
}

/* What looks like an id is one. */
static bool take_container(struct event_facts *f, struct reporter *r, struct span value,
                           const char *text)
{
    size_t len = strlen(text);
    (void)r, (void)value;
    if ((len == 12 || len == 64) && strspn(text, "0123456789abcdef") == len)
        f->process->container_id = text;
    else
        f->process->container_name = text;
    return true;
}

static bool take_number(struct event_facts *f, struct reporter *r, struct span value,
                        const char *text)
{
    uint32_t number;
    (void)f;
    if (decimal_parse(text, strlen(text), UINT32_MAX, &number))
        return true;
    reporter_error(r, value.at, "'%.*s' is no namespace; write its inode number", SPAN(value));
    return false;
}

bool event_facts_init(struct event_facts *f, struct arena *arena, struct event_process *process,
                      size_t n_words)
{
    *f = (struct event_facts){.process = process};
    f->args = arena_array(arena, n_words + 1, sizeof(*f->args));
    f->parents = arena_array(arena, n_words + 1, sizeof(*f->parents));
    *process = (struct event_process){.args = f->args, .parents = f->parents};
    return f->args && f->parents;
}

/* Takes the quotes off. Within either kind nothing is special to a fact. */
static bool unquote(struct reporter *r, struct span *value)
{
    char quote = value->len > 0 ? value->text[0] : '\0';
    if (quote == '"' || quote == '`') {
        struct span inner = span_cut(*value, 1, value->len - 1);
        size_t end = span_find(inner, quote);
        if (end + 1 != inner.len) {
            reporter_error(r, value->at,
                           "the quote is not closed at the end of the word; write %c "
                           "there",
                           quote);
            return false;
        }
        *value = span_cut(inner, 0, end);
    } else if (span_find(*value, '*') < value->len) {
        reporter_error(r, value->at,
                       "an event has one value, not a pattern; write it without *, "
                       "or in double quotes where that was meant");
        return false;
    }
    if (value->len > 0)
        return true;
    reporter_error(r, value->at, "the value is empty; write one, or leave the word away");
    return false;
}

static const struct entry *entry_find(struct span name)
{
    for (size_t i = 0; i < ARRAY_SIZE(entries); i++)
        if (span_is(name, entries[i].name))
            return &entries[i];
    return NULL;
}

static void store(struct event_process *p, const struct entry *entry, const char *text)
{
    char *at = (char *)p + entry->of;
    if (entry->take == take_number)
        (void)!decimal_parse(text, strlen(text), UINT32_MAX, (uint32_t *)(void *)at);
    else
        *(const char **)(void *)at = text;
}

bool event_facts_add(struct event_facts *f, struct reporter *r, struct arena *arena,
                     struct span word)
{
    size_t equals = span_find(word, '=');
    struct span name = span_cut(word, 0, equals);
    struct span value = span_cut(word, equals + 1, word.len - equals - 1);
    const struct entry *entry = entry_find(name);
    if (!entry) {
        bool indexed = name.len > 4 && memcmp(name.text, "arg[", 4) == 0;
        reporter_error(r, name.at,
                       indexed ? "'%.*s' asks for one argument; write arg= once for each, in "
                                 "their order from the program on"
                               : "'%.*s' is no fact; write one of exe, arg, parent, sha256, user, "
                                 "cgroup, container, image, pod, mntns, netns, step, action",
                       SPAN(name));
        return false;
    }
    bool list = entry->take == take_arg || entry->take == take_parent;
    if ((f->told & entry->fact) && !list) {
        reporter_error(r, name.at,
                       "%s= stands twice, and an event has one value of it; write it "
                       "once",
                       entry->name);
        return false;
    }
    if (!unquote(r, &value))
        return false;
    const char *text = arena_copy(arena, value.text, value.len);
    if (!text || !entry->take(f, r, value, text))
        return false;
    if (entry->of != SIZE_MAX)
        store(f->process, entry, text);
    f->told |= entry->fact;
    f->process->known = f->told;
    return true;
}

static void put(struct buffer *out, const char *name, const char *text)
{
    bool bare = !strpbrk(text, " \t*") && text[0] != '"' && text[0] != '`';
    char quote = strchr(text, '"') ? '`' : '"';
    if (bare)
        buffer_printf(out, " %s=%s", name, text);
    else
        buffer_printf(out, " %s=%c%s%c", name, quote, text, quote);
}

void event_facts_write(const struct event_process *p, struct buffer *out)
{
    const struct {
        unsigned fact;
        const char *name, *text;
    } texts[] = {
        {FACT_EXE, "exe", p->exe},
        {FACT_SHA256, "sha256", p->sha256},
        {FACT_CGROUP, "cgroup", p->cgroup},
        {FACT_CONTAINER, "container", p->container_id ? p->container_id : p->container_name},
        {FACT_IMAGE, "image", p->image},
        {FACT_POD, "pod", p->pod},
        {FACT_STEP, "step", p->step},
        {FACT_ACTION, "action", p->action},
        {FACT_USER, "user", p->user},
    };
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
        if ((p->known & texts[i].fact) && texts[i].text)
            put(out, texts[i].name, texts[i].text);
    if ((p->known & FACT_USER) && !p->user)
        buffer_printf(out, " user=%u", p->uid);
    if (p->known & FACT_MNTNS)
        buffer_printf(out, " mntns=%u", p->mntns);
    if (p->known & FACT_NETNS)
        buffer_printf(out, " netns=%u", p->netns);
    for (size_t i = 0; (p->known & FACT_ARGS) && i < p->n_args; i++)
        put(out, "arg", p->args[i]);
    for (size_t i = 0; (p->known & FACT_PARENTS) && i < p->n_parents; i++)
        put(out, "parent", p->parents[i]);
}
