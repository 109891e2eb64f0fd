/* SPDX-License-Identifier: MIT
 * Which container engine a cgroup belongs to. Only whole path components count: whoever may name
 * a directory `my-docker-abc.scope-x` must not become a container, or stop being one. */
#include "rules/cgroup.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct component {
    const char *text;
    size_t len;
};

static struct component component_next(const char **rest)
{
    *rest += strspn(*rest, "/");
    struct component c = {*rest, strcspn(*rest, "/")};
    *rest += c.len;
    return c;
}

static bool is(struct component c, const char *text)
{
    return c.len == strlen(text) && memcmp(c.text, text, c.len) == 0;
}

/* Takes prefix and suffix off; false where they are not there. */
static bool strip(struct component *c, const char *prefix, const char *suffix)
{
    size_t before = strlen(prefix), after = strlen(suffix);
    if (c->len < before + after || memcmp(c->text, prefix, before) != 0 ||
        memcmp(c->text + c->len - after, suffix, after) != 0)
        return false;
    c->text += before;
    c->len -= before + after;
    return true;
}

static bool is_id(struct component c)
{
    for (size_t i = 0; i < c.len; i++)
        if (!((c.text[i] >= '0' && c.text[i] <= '9') || (c.text[i] >= 'a' && c.text[i] <= 'z')))
            return false;
    return c.len >= 6;
}

static bool is_scope_of(struct component c, const char *prefix)
{
    return strip(&c, prefix, ".scope") && is_id(c);
}

static unsigned classify_component(struct component c, const char *rest)
{
    struct component next = component_next(&rest);
    if (is(c, "docker") && is(next, "buildkit"))
        next = component_next(&rest);
    if (is_scope_of(c, "docker-") || is(c, "docker.service") || (is(c, "docker") && is_id(next)))
        return CGROUP_DOCKER;
    if (is_scope_of(c, "libpod-") || is(c, "libpod_parent"))
        return CGROUP_PODMAN;
    if (next.len > 0 && (is(c, "kubepods") || is(c, "kubepods.slice") ||
                         (strip(&c, "", "-kubepods.slice") && c.len > 0)))
        return CGROUP_KUBERNETES;
    return 0;
}

unsigned cgroup_classify(const char *path)
{
    unsigned classes = 0;
    for (struct component c = component_next(&path); c.len > 0; c = component_next(&path)) {
        struct component below = c;
        classes |= classify_component(c, path);
        if (strip(&below, "user@", ".service")) {
            /* Whatever lies below, that user may have made and named. */
            if (path[strspn(path, "/")] != '\0')
                classes |= CGROUP_ROOTLESS;
            break;
        }
    }
    return classes ? classes : CGROUP_HOST;
}

static bool is_whole_id(struct component c)
{
    return c.len == CGROUP_ID_LEN && strspn(c.text, "0123456789abcdef") >= CGROUP_ID_LEN;
}

/* The id in one component, or NULL. `bare`: an id alone may stand there. */
static const char *id_in(struct component c, bool bare)
{
    static const char *const prefixes[] = {"docker-", "libpod-", "cri-containerd-", "crio-"};
    if (bare && is_whole_id(c))
        return c.text;
    strip(&c, "", ".scope");
    for (size_t i = 0; i < ARRAY_SIZE(prefixes); i++) {
        struct component id = c;
        if (strip(&id, prefixes[i], "") && is_whole_id(id))
            return id.text;
    }
    return NULL;
}

const char *cgroup_container_id(const char *path)
{
    bool bare = false, in_pods = false;
    for (struct component c = component_next(&path); c.len > 0; c = component_next(&path)) {
        struct component rest = c;
        const char *id = id_in(c, bare);
        if (id || strip(&rest, "user@", ""))
            return id;
        in_pods = in_pods || strip(&rest, "kubepods", "");
        bare = in_pods || is(c, "docker") || is(c, "libpod_parent");
    }
    return NULL;
}
