/* SPDX-License-Identifier: MIT
 * The compiled matcher against the plain one, on policies in which many rules are about one name or
 * address, so that lists are long and guards are needed; and its parts against plainer ones.
 *
 *     EGRESS_PAIRS=N   how many pairs (a million)
 *     EGRESS_SEED=N    where the random numbers begin */
#include "rules/glob.h"
#include "rules/sort.h"
#include "unit/oracle_event.h"
#include "unit/plain_match.h"
#include "unit/report.h"

enum { RULES = 500, EVENTS = 250, TEXT = 24, ROOM = RULES * 400 };

static size_t setting(const char *name, size_t otherwise)
{
    const char *value = getenv(name);
    return value ? strtoull(value, NULL, 10) : otherwise;
}

/* Few letters, so that patterns match often, and share the pieces that guards are made of. */
static const char *word(struct make_random *r, const char *letters, size_t max, char *out)
{
    size_t n = 1 + make_below(r, max), count = strlen(letters);
    for (size_t i = 0; i < n; i++) {
        out[i] = letters[make_below(r, count)];
        if (i > 0 && out[i] == '*' && out[i - 1] == '*')
            out[i] = 'a';
    }
    out[n] = '\0';
    return out;
}

static void write_selectors(struct make_random *r, char *line)
{
    static const char *const names[] = {"exe=/",  "arg=",  "arg[1]=",   "parent=/",
                                        "image=", "step=", "container="};
    char text[TEXT + 1];
    for (size_t n = make_below(r, 3); n > 0; n--) {
        const char *name = MAKE_PICK(r, names);
        bool wild = make_once(r, 2);
        if (strstr(line, name) && strcmp(name, "arg=") != 0)
            continue;
        make_say(line, " %s%s", name, word(r, wild ? "ab*" : "abc", wild ? 14 : 6, text));
    }
    if (make_once(r, 5))
        make_say(line, " cgroup=%s", make_once(r, 2) ? "@docker" : "@host");
}

static void write_host(struct make_random *r, char *line)
{
    static const char *const hosts[] = {"x.org", "a.x.org",   "*.x.org",
                                        "*.org", "*.b.x.org", "y.net"};
    static const char *const below[] = {"x.org", "x.org", "x.org", "aba.x.org"};
    char text[TEXT + 1];
    if (make_once(r, 2))
        make_say(line, "%s", MAKE_PICK(r, hosts));
    else
        make_say(line, "%sa%sb*.%s", make_once(r, 3) ? "*." : "", word(r, "ab*b", 7, text),
                 MAKE_PICK(r, below));
}

static const char *const literals[] = {"1.2.3.4", "0.127.1.7"};

static void write_rule(struct make_random *r, char *line)
{
    static const char *const ports[] = {"", "", ":443", ":80|443", ":1-500", ":*", ":53/udp"};
    char text[TEXT + 1];
    bool veto = make_once(r, 8);
    make_say(line, "%s", veto ? "deny " : "");
    switch (make_below(r, 6)) {
    case 0: /* blocks that lie in each other, and beside */
        make_say(line, "%u.%u.%u.%u/%u", (unsigned)make_below(r, 3),
                 (unsigned)make_below(r, 3) * 127, (unsigned)make_below(r, 3),
                 (unsigned)make_below(r, 256), (unsigned)make_below(r, 33));
        make_say(line, "%s", make_once(r, 2) ? MAKE_PICK(r, ports) : "");
        if (make_once(r, 3))
            make_say(line, ":%u", 1 + (unsigned)make_below(r, 500));
        if (strchr(line, ':') != strrchr(line, ':'))
            *strrchr(line, ':') = '\0';
        break;
    case 1:
    case 2:
        write_host(r, line);
        make_say(line, "%s", MAKE_PICK(r, ports));
        break;
    case 3:
        make_say(line, "dns:");
        write_host(r, line);
        break;
    default:
        make_say(line, "https://");
        if (make_once(r, 6))
            make_say(line, "%s", MAKE_PICK(r, literals));
        else
            write_host(r, line);
        make_say(line, "/%s", word(r, "ab/*c", 14, text));
    }
    if (!veto && !strstr(line, "dns:") && make_once(r, 8))
        make_say(line, " insecure");
    if (!veto && strstr(line, "org") && !strstr(line, "dns:") && make_once(r, 8))
        make_say(line, " private");
    write_selectors(r, line);
}

/* Half of the policies are of the other generator's rules, which know the whole language. */
static size_t write_policy(struct make_random *r, char *text)
{
    const struct make_above above = {0};
    size_t n = 1 + make_below(r, make_once(r, 3) ? RULES : make_once(r, 2) ? 150 : 40), len = 0;
    bool broad = make_once(r, 2);
    r->few = make_once(r, 2);
    for (size_t i = 0; i < n; i++) {
        char line[MAKE_LINE] = "";
        if (broad)
            make_rule(r, &above, line);
        else
            write_rule(r, line);
        len += (size_t)snprintf(text + len, ROOM - len, "%s\n", line);
    }
    return n;
}

struct judged {
    struct make_event m;
    char words[8][TEXT + 2];
    char path[512];
};

static void write_process(struct make_random *r, struct judged *j)
{
    struct event_process *p = &j->m.p;
    for (size_t i = 0; i < ARRAY_SIZE(j->words); i++) {
        j->words[i][0] = '/';
        word(r, "abc", 6, j->words[i] + 1);
    }
    p->exe = j->words[0];
    for (size_t i = 0; i < p->n_args; i++)
        j->m.args[i] = j->words[1 + i % 2] + 1;
    for (size_t i = 0; i < p->n_parents; i++)
        j->m.parents[i] = j->words[3];
    p->image = j->words[4] + 1;
    p->step = j->words[5] + 1;
    p->container_name = j->words[6] + 1;
    p->container_id = j->words[7] + 1;
    if (make_once(r, 3)) /* as the cgroup tells it */
        p->known = (p->known & ~(unsigned)FACT_CONTAINER) | FACT_CONTAINER_ID;
}

static void write_event(struct make_random *r, struct judged *j)
{
    static const char *const hosts[] = {"x.org",         "a.x.org",      "abab.x.org",
                                        "aabb.x.org",    "a.b.x.org",    "b.aba.x.org",
                                        "abb.aba.x.org", "abbbab.x.org", "y.net"};
    struct event *e = &j->m.e;
    make_event(r, &j->m);
    if (make_once(r, 4))
        return;
    if (e->process)
        write_process(r, j);
    if (e->host)
        e->host = MAKE_PICK(r, hosts);
    for (size_t i = 0; i < e->n_names; i++)
        j->m.names[i] = MAKE_PICK(r, hosts);
    if (make_once(r, 2))
        e->dst_ip = (uint32_t)(make_below(r, 3) << 24 | make_below(r, 3) * 127 << 16 |
                               make_below(r, 3) << 8 | make_below(r, 256));
    if (e->host && make_once(r, 5)) { /* which may lead somewhere else than it says */
        e->host = MAKE_PICK(r, literals);
        e->dst_ip = make_ip(MAKE_PICK(r, literals));
    }
    if (make_once(r, 4))
        e->dst_port = (uint16_t)(1 + make_below(r, 500));
    e->http = e->stage == EVENT_ADDRESS && make_once(r, 4);
    if (e->stage == EVENT_REQUEST && make_once(r, 2)) {
        j->path[0] = '/';
        word(r, "ab/c", make_once(r, 8) ? 400 : 14, j->path + 1);
        e->path = j->path;
        e->https = true;
    }
}

static const char *differs(const struct verdict *a, const struct verdict *b)
{
    if (a->action != b->action)
        return "action";
    if (a->reason != b->reason)
        return "reason";
    if (a->file != b->file || a->line != b->line || a->rule != b->rule)
        return "deciding line";
    if (a->name != b->name)
        return "name";
    if (a->passthrough != b->passthrough || a->insecure != b->insecure ||
        a->websocket != b->websocket || a->private != b->private || a->expected != b->expected)
        return "keywords";
    if (a->by_address != b->by_address)
        return "by_address";
    if (!a->zone != !b->zone || (a->zone && strcmp(a->zone, b->zone) != 0))
        return "zone";
    return a->unattributed != b->unattributed ? "unattributed" : NULL;
}

static void diagnose(void *context, const struct diagnostic *d)
{
    if (d->kind == DIAGNOSTIC_ERROR)
        printf("%s:%zu: %s\n%s\n", d->file, d->line, d->text, (const char *)context);
}

struct counts {
    size_t pairs, denied, allowed, inspected, guarded;
    size_t zones, zones_below; /* the wildcard is not the deciding line's */
};

static bool is_of_line(const struct policy *p, const struct verdict *v)
{
    for (size_t i = 0; i < policy_rule_count(p); i++)
        if (policy_rule(p, i)->line == v->line)
            return strcmp(policy_rule(p, i)->host.suffix, v->zone) == 0;
    return false;
}

static void one_policy(uint64_t seed, struct counts *c)
{
    static char text[ROOM];
    struct make_random r = {.state = seed};
    write_policy(&r, text);
    const struct policy_source source = {"x.rules", text, strlen(text)};
    const struct policy_options options = {.owner = make_owner,
                                           .repo = make_repo,
                                           .diagnose = seed % 8 == 0 ? diagnose : NULL,
                                           .diagnose_context = text};
    struct policy *p = policy_parse(&source, 1, &options);
    if (!p)
        fail_msg("seed %llu: refused\n%s", (unsigned long long)seed, text);
    c->guarded += p->matcher.n_guards > 0;
    for (size_t i = 0; i < EVENTS; i++, c->pairs++) {
        struct judged j;
        write_event(&r, &j);
        struct verdict got = policy_match(p, &j.m.e), want = plain_match(p, &j.m.e);
        const char *what = differs(&got, &want);
        c->denied += want.action == VERDICT_DENY;
        c->allowed += want.action == VERDICT_ALLOW;
        c->inspected += want.action == VERDICT_INSPECT;
        c->zones += want.zone != NULL;
        c->zones_below += want.zone && !is_of_line(p, &want);
        if (!what)
            continue;
        make_show_event(&j.m);
        fail_msg("seed %llu event %zu: they differ in %s: %d by %zu '%s', plain %d by %zu '%s'\n%s",
                 (unsigned long long)seed, i, what, got.action, got.line, got.rule ? got.rule : "",
                 want.action, want.line, want.rule ? want.rule : "", text);
    }
    policy_unref(p);
}

static void compiled_and_plain_agree(void **state)
{
    (void)state;
    struct counts c = {0};
    uint64_t seed = setting("EGRESS_SEED", 1);
    size_t pairs = setting("EGRESS_PAIRS", 1000000), policies = 0;
    for (; c.pairs < pairs; policies++)
        one_policy(seed++, &c);
    printf("  %zu pairs: %zu denied, %zu allowed, %zu to inspect; guards in %zu of %zu policies\n",
           c.pairs, c.denied, c.allowed, c.inspected, c.guarded, policies);
    printf("  %zu zones, %zu of them of another line than the deciding one\n", c.zones,
           c.zones_below);
    assert_true(c.denied > c.pairs / 100 && c.allowed > c.pairs / 100);
    assert_true(c.inspected > c.pairs / 100);
    assert_true(c.guarded > policies / 4);
    assert_true(c.zones > c.pairs / 1000 && c.zones_below > c.pairs / 10000);
}

/* As a page on globs would say it. */
static bool plain_glob(const char *pattern, const char *text)
{
    if (*pattern == '*')
        return plain_glob(pattern + 1, text) || (*text && plain_glob(pattern, text + 1));
    if (!*pattern || !*text)
        return *pattern == *text;
    return *pattern == *text && plain_glob(pattern + 1, text + 1);
}

static void globs_match_as_written(void **state)
{
    (void)state;
    struct make_random r = {.state = 7};
    char pattern[TEXT + 1], text[TEXT + 1];
    size_t matched = 0;
    for (size_t i = 0; i < 200000; i++) {
        word(&r, "ab*", 9, pattern);
        word(&r, "ab", 11, text);
        if (make_once(&r, 30))
            text[0] = '\0';
        bool want = plain_glob(pattern, text);
        matched += want;
        if (glob_matches(pattern, strlen(pattern), text, strlen(text)) != want)
            fail_msg("'%s' and '%s': want %d", pattern, text, want);
    }
    assert_true(matched > 10000);
    assert_true(glob_matches("", 0, "", 0));
    assert_true(glob_matches("**", 2, "ab", 2));
    assert_false(glob_matches("", 0, "a", 1));
}

static void sorting_keeps_the_order_of_equals(void **state)
{
    (void)state;
    struct make_random r = {.state = 3};
    static uint64_t numbers[3000], scratch[3000];
    for (size_t n = 0; n < ARRAY_SIZE(numbers); n += n < 70 ? 1 : 977) {
        for (size_t i = 0; i < n; i++)
            numbers[i] = (make_next(&r) >> (make_once(&r, 2) ? 0 : 40)) << 25 | i;
        sort_numbers(numbers, scratch, n, 25);
        for (size_t i = 1; i < n; i++)
            assert_true(numbers[i - 1] < numbers[i]);
    }
}

static uint32_t mask_of(unsigned bits)
{
    return bits ? UINT32_MAX << (32 - bits) : 0;
}

/* The blocks around an address, from the smallest, against all that there are. */
static void check_address(const struct prefix_table *t, const struct prefix_key *keys,
                          const uint32_t *nodes, size_t n, uint32_t ip)
{
    size_t around = 0;
    int last = 33;
    for (const struct prefix_node *node = prefix_table_find(t, ip); node;
         node = prefix_table_up(t, node)) {
        assert_true(node->bits < last);
        last = node->bits;
        size_t keyed = 0;
        for (size_t i = 0; i < n; i++)
            keyed += &t->nodes[nodes[i]] == node && keys[i].bits == node->bits &&
                     (ip & mask_of(node->bits)) == keys[i].ip;
        assert_true(keyed > 0);
        around += keyed;
    }
    for (size_t i = 0; i < n; i++)
        around -= (ip & mask_of(keys[i].bits)) == keys[i].ip;
    assert_int_equal(around, 0);
}

static void addresses_find_every_block_around(void **state)
{
    (void)state;
    struct make_random r = {.state = 11};
    static const uint32_t edges[] = {0, 1, 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff};
    for (size_t round = 0; round < 300; round++) {
        struct prefix_key keys[120];
        uint32_t nodes[120];
        struct prefix_table t;
        size_t n = make_below(&r, ARRAY_SIZE(keys) + 1);
        for (size_t i = 0; i < n; i++) {
            uint32_t ip = make_once(&r, 2) ? MAKE_PICK(&r, edges) : (uint32_t)make_next(&r);
            keys[i].bits = (uint8_t)make_below(&r, 33);
            keys[i].ip = (round % 2 ? ip & 0xff0000ff : ip) & mask_of(keys[i].bits);
        }
        assert_int_equal(prefix_table_build(&t, keys, n, nodes), 0);
        for (size_t i = 0; i < ARRAY_SIZE(edges); i++)
            check_address(&t, keys, nodes, n, edges[i]);
        for (size_t i = 0; i < n; i++) {
            uint32_t end = keys[i].ip | ~mask_of(keys[i].bits);
            const uint32_t near[] = {keys[i].ip, keys[i].ip - 1, end, end + 1,
                                     (uint32_t)make_next(&r)};
            for (size_t k = 0; k < ARRAY_SIZE(near); k++)
                check_address(&t, keys, nodes, n, near[k]);
        }
        prefix_table_release(&t);
    }
}

int main(void)
{
    static const struct unit_test tests[] = {
        REPORT("-", globs_match_as_written),
        REPORT("-", sorting_keeps_the_order_of_equals),
        REPORT("-", addresses_find_every_block_around),
        REPORT("-", compiled_and_plain_agree),
    };
    return unit_run(tests, ARRAY_SIZE(tests));
}
