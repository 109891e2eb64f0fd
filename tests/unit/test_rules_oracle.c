/* SPDX-License-Identifier: MIT
 * Two matchers, one page. The second one (oracle_*.h) was written from POLICY-LANGUAGE.md alone,
 * apart from rules/; here both judge the same random pairs of a policy and an event. Where they
 * differ the policy is cut down to the lines that matter, and everything is printed.
 *
 *     EGRESS_PAIRS=N   how many pairs (a million; tests/long takes ten, from another seed)
 *     EGRESS_SEED=N    where the random numbers begin */
#include <errno.h>
#include <strings.h>

#include "rules/policy.h"
#include "unit/oracle_aim.h"
#include "unit/oracle_match.h"
#include "unit/oracle_table.h"
#include "unit/report.h"

enum { EVENTS_A_POLICY = 25, SHOWN = 5 };

struct pair {
    struct make_policy made;
    struct oracle_policy oracle;
    struct make_event event;
    bool parsed;
    bool loud; /* say what the parser says */
};

static struct pair pair;

static size_t setting(const char *name, size_t otherwise)
{
    const char *value = getenv(name);
    return value == NULL ? otherwise : strtoull(value, NULL, 10);
}

static int load(void *context, const char *from, const char *what, bool preset,
                struct policy_source *source)
{
    const struct make_policy *made = context;
    (void)from;
    for (size_t f = 1; f < MAKE_FILES; f++) {
        bool is_preset = make_file_names[f][0] == '@';
        if (is_preset != preset || strcmp(make_file_names[f] + is_preset, what) != 0)
            continue;
        *source = (struct policy_source){make_file_names[f], made->text[f], strlen(made->text[f])};
        return 0;
    }
    return -ENOENT;
}

static void diagnose(void *context, const struct diagnostic *d)
{
    const struct pair *p = context;
    if (p->loud && d->kind == DIAGNOSTIC_ERROR)
        printf("%s:%zu:%zu: error: %s\n", d->file, d->line, d->column, d->text);
}

static struct policy *parse(struct pair *p)
{
    const struct policy_source source = {make_file_names[0], p->made.text[0],
                                         strlen(p->made.text[0])};
    const struct policy_options options = {
        .context = p->made.context,
        .owner = make_owner,
        .repo = make_repo,
        .load = load,
        .load_context = &p->made,
        .diagnose = diagnose,
        .diagnose_context = p,
    };
    return policy_parse(&source, 1, &options);
}

static void parse_again(struct pair *p)
{
    struct oracle_file files[MAKE_FILES];
    for (size_t f = 0; f < MAKE_FILES; f++)
        files[f] = (struct oracle_file){make_file_names[f], make_file_names[f], p->made.text[f]};
    const struct oracle_input in = {files, MAKE_FILES, p->made.context, make_owner, make_repo};
    oracle_read(&in, &p->oracle);
}

static bool flag_differs(enum oracle_flag wanted, bool is)
{
    return wanted != ORACLE_FREE && (wanted == ORACLE_ON) != is;
}

/* What the first verdict has other than the second; NULL when nothing. */
static const char *differs(const struct policy *policy, const struct pair *p,
                           const struct oracle_verdict *o, const struct verdict *v)
{
    uint16_t port = p->event.e.dst_port;
    if (policy_may_allow_port(policy, port) != oracle_may_allow_port(&p->oracle, port))
        return "policy_may_allow_port";
    if (v->action != o->action)
        return "action";
    if (v->reason != o->reason)
        return "reason";
    if ((v->file == NULL) != (o->by == NULL))
        return "deciding line";
    if (o->by != NULL && (strcmp(v->file, o->by->file) != 0 || v->line != o->by->line))
        return "deciding line";
    if (o->by != NULL && strcmp(v->rule, o->by->text) != 0)
        return "text of the rule";
    if (v->passthrough != o->passthrough)
        return "passthrough";
    if (v->expected != o->expected)
        return "expected";
    if (flag_differs(o->insecure, v->insecure))
        return "insecure";
    if (flag_differs(o->websocket, v->websocket))
        return "websocket";
    if (flag_differs(o->private, v->private))
        return "private";
    if (flag_differs(o->by_address, v->by_address))
        return "by_address";
    if (!o->zone != !v->zone || (o->zone != NULL && strcasecmp(o->zone, v->zone) != 0))
        return "zone";
    return flag_differs(o->unattributed, v->unattributed) ? "unattributed" : NULL;
}

/* Parses the lines as they are now and judges the event; what differs, or NULL. */
static const char *retry(struct pair *p)
{
    make_join(&p->made);
    struct policy *policy = parse(p);
    if (policy == NULL)
        return NULL;
    parse_again(p);
    struct verdict v = policy_match(policy, &p->event.e);
    struct oracle_verdict o = oracle_match(&p->oracle, &p->event.e);
    const char *what = differs(policy, p, &o, &v);
    policy_unref(policy);
    return what;
}

/* Empties every line without which both still differ in the same thing. */
static void shrink(struct pair *p, const char *what)
{
    char kept[MAKE_LINE];
    for (size_t f = 0; f < MAKE_FILES; f++) {
        for (size_t i = 0; i < p->made.n[f]; i++) {
            strcpy(kept, p->made.line[f][i]);
            p->made.line[f][i][0] = '\0';
            const char *now = retry(p);
            if (now == NULL || strcmp(now, what) != 0)
                strcpy(p->made.line[f][i], kept);
        }
    }
    retry(p);
}

static void show_policy(const struct make_policy *made)
{
    printf("context %s\n", made->context == NULL ? "-" : made->context);
    for (size_t f = 0; f < MAKE_FILES; f++)
        for (size_t i = 0; i < made->n[f]; i++)
            if (made->line[f][i][0] != '\0')
                printf("%s:%zu: %s\n", make_file_names[f], i + 1, made->line[f][i]);
}

static void show_verdicts(struct pair *p)
{
    static const char *const actions[] = {"deny", "allow", "inspect"};
    struct policy *policy = parse(p);
    struct verdict v = policy_match(policy, &p->event.e);
    struct oracle_verdict o = oracle_match(&p->oracle, &p->event.e);
    printf("rules/ %s reason %d %s:%zu '%s' passthrough %d insecure %d websocket %d private %d "
           "expected %d by_address %d unattributed %d\n",
           actions[v.action], v.reason, v.file == NULL ? "-" : v.file, v.line,
           v.file == NULL ? "" : v.rule, v.passthrough, v.insecure, v.websocket, v.private,
           v.expected, v.by_address, v.unattributed);
    printf("oracle %s reason %d %s:%zu '%s' passthrough %d insecure %d websocket %d private %d "
           "expected %d by_address %d unattributed %d (2: either)\n",
           actions[o.action], o.reason, o.by == NULL ? "-" : o.by->file,
           o.by == NULL ? 0 : o.by->line, o.by == NULL ? "" : o.by->text, o.passthrough, o.insecure,
           o.websocket, o.private, o.expected, o.by_address, o.unattributed);
    policy_unref(policy);
}

static void show(struct pair *p, uint64_t seed, const char *what)
{
    printf("\nseed %llu: they differ in: %s\n", (unsigned long long)seed, what);
    shrink(p, what);
    show_policy(&p->made);
    make_show_event(&p->event);
    show_verdicts(p);
}

/* One policy and its events; how many of them differ. */
static size_t one_policy(uint64_t seed, size_t shown, size_t *refused)
{
    struct make_random random = {.state = seed};
    size_t wrong = 0;
    make_write(&random, &pair.made);
    struct policy *policy = parse(&pair);
    if (policy == NULL) {
        pair.loud = true;
        if ((*refused)++ < SHOWN) {
            printf("\nseed %llu: refused\n", (unsigned long long)seed);
            show_policy(&pair.made);
            policy_unref(parse(&pair));
        }
        pair.loud = false;
        return 0;
    }
    parse_again(&pair);
    for (size_t i = 0; i < EVENTS_A_POLICY; i++) {
        make_event(&random, &pair.event);
        if (!make_once(&random, 4))
            aim_event(&random, &pair.oracle, &pair.event);
        struct verdict v = policy_match(policy, &pair.event.e);
        struct oracle_verdict o = oracle_match(&pair.oracle, &pair.event.e);
        const char *what = differs(policy, &pair, &o, &v);
        table_pair(&o, &pair.event.e);
        if (what == NULL)
            continue;
        if (shown + wrong++ < SHOWN) {
            show(&pair, seed, what);
            break; /* the lines are no longer those of the policy */
        }
    }
    policy_unref(policy);
    return wrong;
}

static void two_matchers_agree(void **state)
{
    uint64_t seed = setting("EGRESS_SEED", 1);
    size_t pairs = setting("EGRESS_PAIRS", 1000000), done = 0, wrong = 0, refused = 0;
    (void)state;
    for (; done < pairs; done += EVENTS_A_POLICY, seed++)
        wrong += one_policy(seed, wrong, &refused);
    printf("  %zu pairs, %zu differ, %zu policies refused\n", done, wrong, refused);
    assert_int_equal(refused, 0);
    assert_int_equal(wrong, 0);
}

/* Comes after the pairs, whose table it reads. */
static void pairs_reach_every_part_of_the_language(void **state)
{
    (void)state;
    assert_int_equal(table_print(), 0);
}

int main(void)
{
    static const struct unit_test tests[] = {
        REPORT("-", two_matchers_agree),
        REPORT("-", pairs_reach_every_part_of_the_language),
    };
    return unit_run(tests, sizeof(tests) / sizeof(tests[0]));
}
