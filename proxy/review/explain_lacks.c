/* SPDX-License-Identifier: MIT
 * One row for each lack: its name, its noun, and who writes what the event has and the rule wants.
 */
#include "review/explain_lacks.h"

#include <string.h>

#include "review/diff_paths.h"
#include "review/explain_who.h"
#include "rules/address.h"
#include "rules/matcher.h"
#include "rules/path.h"
#include "rules/process.h"
#include "rules/selector.h"

enum { SHOWN_MAX = 200 }; /* bytes of a list of arguments */

static void put_ip(struct buffer *out, uint32_t ip)
{
    buffer_printf(out, "%u.%u.%u.%u", ip >> 24, ip >> 16 & 255, ip >> 8 & 255, ip & 255);
}

static void put_host(struct buffer *out, const struct host_pattern *h)
{
    buffer_add_string(out, h->subdomains ? "*." : "");
    if (h->glob)
        buffer_printf(out, "%s.", h->glob);
    buffer_add(out, h->suffix, h->suffix_len);
}

static void put_block(struct buffer *out, const struct rule *r)
{
    put_ip(out, rule_is(r, SET_ADDRESS) ? r->ip : r->url.ip);
    if (rule_is(r, SET_ADDRESS) && r->mask != UINT32_MAX)
        buffer_printf(out, "/%d", __builtin_popcount(r->mask));
}

static void put_ports(struct buffer *out, const struct port_list *ports)
{
    if (ports->any)
        buffer_add_char(out, '*');
    for (size_t i = 0; i < ports->n && !ports->any; i++) {
        buffer_printf(out, "%s%u", i ? "|" : "", ports->ranges[i].low);
        if (ports->ranges[i].high != ports->ranges[i].low)
            buffer_printf(out, "-%u", ports->ranges[i].high);
    }
}

static const char *traffic_of(const struct event *e)
{
    switch (e->stage) {
    case EVENT_TLS:
        return "TLS";
    case EVENT_REQUEST:
        return e->https ? "a request over https" : "a request over http";
    case EVENT_DNS:
        return "a look-up";
    default:
        return e->http ? "plain HTTP" : "a connection to an address";
    }
}

static void say_stage(struct lack_words *w, const struct explain_rule *x, const struct event *e)
{
    buffer_add_string(&w->has, traffic_of(e));
    if (rule_is(x->rule, SET_DNS)) {
        buffer_add_string(&w->wants, "a look-up");
        buffer_add_string(&w->text, "the rule lets the name be looked up, and nothing more");
        return;
    }
    buffer_add_string(&w->wants, x->rule->url.https ? "https" : "http");
    buffer_printf(&w->text, "it is %s, and the rule is about %s", w->has.data, w->wants.data);
}

/* One label more or less is what people trip over. */
static void add_hint(struct lack_words *w, const struct rule *r, const char *name)
{
    size_t len = strlen(name), suffix = r->host.suffix_len;
    const struct host_pattern *h = &r->host;
    bool below = len > suffix + 1 && name[len - suffix - 1] == '.' &&
                 memcmp(name + len - suffix, h->suffix, suffix) == 0;
    if (!h->subdomains && !h->glob && below)
        buffer_printf(&w->text, "; a name does not include those below it, *.%s would", h->suffix);
    else if (h->subdomains && !h->glob && strcmp(name, h->suffix) == 0)
        buffer_printf(&w->text, "; *.%s does not include %s itself", h->suffix, h->suffix);
}

static void say_name(struct lack_words *w, const struct explain_rule *x, const struct event *e)
{
    const struct rule *r = x->rule;
    for (size_t i = 0; i < e->n_names && !e->host; i++)
        buffer_printf(&w->has, "%s%s", i ? ", " : "", e->names[i]);
    if (e->host)
        buffer_add_string(&w->has, e->host);
    w->known = w->has.len > 0;
    if (rule_goes_by_address(r)) {
        put_block(&w->wants, r);
        buffer_printf(&w->text, "it goes to a name, %s, and the rule to the address %s itself",
                      w->known ? w->has.data : "", w->wants.data);
        return;
    }
    put_host(&w->wants, &r->host);
    if (!w->known) {
        buffer_printf(&w->text, "no name is known for the address, so no rule about %s applies",
                      w->wants.data);
        return;
    }
    buffer_printf(&w->text, "the name is %s, not %s", w->has.data, w->wants.data);
    if (e->host)
        add_hint(w, r, e->host);
}

static void say_address(struct lack_words *w, const struct explain_rule *x, const struct event *e)
{
    put_block(&w->wants, x->rule);
    if (e->has_dst)
        put_ip(&w->has, e->dst_ip);
    w->known = e->has_dst;
    if (w->known)
        buffer_printf(&w->text, "the address is %s, not %s%s", w->has.data,
                      strchr(w->wants.data ? w->wants.data : "", '/') ? "in " : "", w->wants.data);
    else
        buffer_add_string(&w->text, "the address is not known");
}

static void say_private(struct lack_words *w, const struct explain_rule *x, const struct event *e)
{
    (void)x;
    put_ip(&w->has, e->dst_ip);
    if (address_is_metadata(e->dst_ip)) {
        buffer_add_string(&w->wants, "an address rule");
        buffer_printf(&w->text,
                      "the name lies at %s, a metadata service, which only a rule about that "
                      "address opens",
                      w->has.data);
        return;
    }
    buffer_add_string(&w->wants, "a public address");
    buffer_printf(&w->text,
                  "the name lies at %s, a private address, and the rule does not say "
                  "`private`",
                  w->has.data);
}

static void say_bytes(struct lack_words *w, const struct explain_rule *x, const struct event *e)
{
    (void)x;
    buffer_add_string(&w->has, "unknown");
    buffer_add_string(&w->wants, "a known protocol");
    buffer_printf(&w->text,
                  "the client's first bytes are no protocol that is known, and at port %u only a "
                  "rule about the address lets such pass",
                  e->dst_port);
}

static void say_proto(struct lack_words *w, const struct explain_rule *x, const struct event *e)
{
    buffer_add_string(&w->has, e->proto == PROTO_TCP ? "tcp" : "udp");
    buffer_add_string(&w->wants, x->rule->protos & RULE_TCP ? "tcp" : "udp");
    buffer_printf(&w->text, "the protocol is %s, not %s", w->has.data, w->wants.data);
}

static void say_port(struct lack_words *w, const struct explain_rule *x, const struct event *e)
{
    buffer_printf(&w->has, "%u", e->dst_port);
    put_ports(&w->wants, &x->rule->ports);
    buffer_printf(&w->text, "the port is %s, not %s", w->has.data, w->wants.data);
}

static void say_method(struct lack_words *w, const struct explain_rule *x, const struct event *e)
{
    buffer_add_string(&w->has, e->method ? e->method : "");
    w->known = e->method != NULL;
    diff_methods_write(x->rule->methods, &w->wants);
    buffer_printf(&w->text, "the method is %s, not %s", w->known ? e->method : "not known",
                  w->wants.data);
}

static void say_path(struct lack_words *w, const struct explain_rule *x, const struct event *e)
{
    char normal[RULE_PATH_MAX];
    size_t len;
    const char *path = e->path ? e->path : "";
    buffer_add_string(&w->has, path);
    buffer_add_string(&w->wants, x->rule->path);
    w->known = e->path != NULL;
    if (rule_path_normalize(path, strlen(path), normal, sizeof(normal), &len) < 0)
        buffer_printf(&w->text,
                      "the path %s climbs out or hides what it means, so no rule about a URL "
                      "lets it pass",
                      path);
    else
        buffer_printf(&w->text, "the path is %s, not %s", path, x->rule->path);
}

static void put_list(struct buffer *out, const char *const *list, size_t n)
{
    size_t begin = out->len;
    for (size_t i = 0; i < n; i++) {
        if (out->len - begin > SHOWN_MAX) {
            buffer_add_string(out, " …");
            return;
        }
        buffer_printf(out, "%s%s", i ? " " : "", list[i]);
    }
}

static void put_text(struct buffer *out, const char *text)
{
    buffer_add_string(out, text ? text : "none");
}

/* What is known of the process there. */
static void put_fact(struct buffer *out, enum lack lack, const struct event_process *p)
{
    const char *const texts[] = {
        [LACK_EXE] = p->exe,
        [LACK_SHA256] = p->sha256,
        [LACK_CGROUP] = p->cgroup,
        [LACK_CONTAINER] = p->container_name ? p->container_name : p->container_id,
        [LACK_IMAGE] = p->image,
        [LACK_POD] = p->pod,
        [LACK_STEP] = p->step,
        [LACK_ACTION] = p->action,
        [LACK_FOREIGN] = NULL,
    };
    if (lack == LACK_ARGS)
        put_list(out, p->args, p->n_args);
    else if (lack == LACK_PARENTS)
        put_list(out, p->parents, p->n_parents);
    else if (lack == LACK_MNTNS || lack == LACK_NETNS)
        buffer_printf(out, "%u", lack == LACK_MNTNS ? p->mntns : p->netns);
    else if (lack == LACK_USER && !p->user)
        buffer_printf(out, "%u", p->uid);
    else if (lack == LACK_USER)
        buffer_add_string(out, p->user);
    else
        put_text(out, texts[lack]);
    if (lack == LACK_ARGS && p->args_cut)
        buffer_add_string(out, " …");
}

/* Those of the rule's selectors that are about this fact and are not met. */
static void put_selectors(struct lack_words *w, const struct explain_rule *x, enum lack lack,
                          const struct event *e)
{
    const struct rule *r = x->rule;
    struct subject subject = {e->process, 0};
    for (size_t i = 0; i < r->n_selectors; i++) {
        const struct selector *s = &r->selectors[i];
        if (explain_who_lack(s->kind) != lack ||
            (lack != LACK_FOREIGN && selectors_suit(s, 1, &subject) == TRUTH_YES))
            continue;
        buffer_printf(&w->wants, "%s%s", w->wants.len ? " " : "", selector_name(s->kind));
        if (s->kind == SELECTOR_ARG_AT)
            buffer_printf(&w->wants, "[%u]", s->index);
        buffer_printf(&w->wants, s->literal ? "=\"%s\"" : "=%s", s->value);
    }
}

static void say_who(struct lack_words *w, const struct explain_rule *x, enum lack lack,
                    const struct event *e)
{
    const unsigned facts = explain_who_facts(lack);
    const struct event_process *p = e->process;
    put_selectors(w, x, lack, e);
    /* Of ancestors and containers a part may be known, which is not enough to say no. */
    w->known = p && (p->known & facts & ~(unsigned)FACT_CONTAINER_ID);
    if (p && w->known)
        put_fact(&w->has, lack, p);
    if (!p)
        buffer_printf(&w->text, "nothing is known of the process, so no allow line with %s applies",
                      w->wants.data);
    else if (!w->known)
        buffer_printf(&w->text, "%s not known, so no allow line with %s applies", lack_noun(lack),
                      w->wants.data);
    else if (lack == LACK_ARGS || lack == LACK_PARENTS)
        buffer_printf(&w->text, "%s %s, and the rule wants %s", lack_noun(lack), w->has.data,
                      w->wants.data);
    else
        buffer_printf(&w->text, "%s %s, not %s", lack_noun(lack), w->has.data,
                      w->wants.data ? strchr(w->wants.data, '=') + 1 : "");
    if (lack == LACK_ARGS && p && p->args_cut)
        buffer_add_string(&w->text, " (there were more, which were not kept)");
}

static void say_foreign(struct lack_words *w, const struct explain_rule *x, const struct event *e)
{
    (void)x, (void)e;
    buffer_add_string(&w->has, "a mount namespace of a user's own");
    buffer_add_string(&w->wants, "the machine's files, or a container that an engine vouches for");
    buffer_add_string(&w->text,
                      "the process has a mount namespace of its user's own, where exe=, parent= "
                      "and sha256= count only beside a container");
}

static const struct {
    const char *name, *noun;
    void (*say)(struct lack_words *w, const struct explain_rule *x, const struct event *e);
} rows[LACK_COUNT] = {
    [LACK_STAGE] = {"traffic", NULL, say_stage},
    [LACK_NAME] = {"name", NULL, say_name},
    [LACK_ADDRESS] = {"address", NULL, say_address},
    [LACK_PRIVATE] = {"private", NULL, say_private},
    [LACK_BYTES] = {"first_bytes", NULL, say_bytes},
    [LACK_PROTO] = {"protocol", NULL, say_proto},
    [LACK_PORT] = {"port", NULL, say_port},
    [LACK_METHOD] = {"method", NULL, say_method},
    [LACK_PATH] = {"path", NULL, say_path},
    [LACK_EXE] = {"exe", "the program is", NULL},
    [LACK_ARGS] = {"arg", "the arguments are", NULL},
    [LACK_PARENTS] = {"parent", "the ancestors are", NULL},
    [LACK_SHA256] = {"sha256", "the program's digest is", NULL},
    [LACK_USER] = {"user", "the user is", NULL},
    [LACK_CGROUP] = {"cgroup", "the cgroup is", NULL},
    [LACK_CONTAINER] = {"container", "the container is", NULL},
    [LACK_IMAGE] = {"image", "the image is", NULL},
    [LACK_POD] = {"pod", "the pod is", NULL},
    [LACK_MNTNS] = {"mntns", "the mount namespace is", NULL},
    [LACK_NETNS] = {"netns", "the network namespace is", NULL},
    [LACK_STEP] = {"step", "the step is", NULL},
    [LACK_ACTION] = {"action", "the action is", NULL},
    [LACK_FOREIGN] = {"mount_namespace", NULL, say_foreign},
};

const char *lack_noun(enum lack lack)
{
    return rows[lack].noun;
}

const char *lack_name(enum lack lack)
{
    return rows[lack].name;
}

void lack_words_init(struct lack_words *w, const struct explain_rule *x, enum lack lack,
                     const struct event *e)
{
    *w = (struct lack_words){.name = rows[lack].name, .known = true};
    /* Never NULL, so that they can be printed. */
    buffer_add_string(&w->has, "");
    buffer_add_string(&w->wants, "");
    if (rows[lack].say)
        rows[lack].say(w, x, e);
    else
        say_who(w, x, lack, e);
}

void lack_words_release(struct lack_words *w)
{
    buffer_release(&w->has);
    buffer_release(&w->wants);
    buffer_release(&w->text);
}
