/* SPDX-License-Identifier: MIT
 * Differences between policies. What is told is true: each example is judged so by both policies,
 * and by the second matcher, which was written from the page. What is not told is not there: random
 * events that two policies judge differently are looked for. */
#include <errno.h>

#include "base/buffer.h"
#include "review/diff.h"
#include "review/diff_find.h"
#include "review/event_words.h"
#include "unit/oracle_aim.h"
#include "unit/oracle_match.h"
#include "unit/review_run.h"
#include "unit/rules_help.h"

enum { PAIRS = 1500, EVENTS_A_PAIR = 300 };

struct one {
    struct make_policy made;
    struct oracle_policy oracle;
    struct policy *policy;
};

static struct one before, after;
static size_t n_examples, n_inexact;

/* Reads an example back, and asks it. */
static void check_example(const struct diff_change *c, const struct policy *a,
                          const struct policy *b, const struct one *x, const struct one *y)
{
    struct event_words words;
    struct said said = {0};
    const struct policy_options options = {.diagnose = said_add, .diagnose_context = &said};
    struct reporter r = {.options = &options, .file = "e", .line = 1, .raw = c->example};
    if (!event_words_parse(&r, (struct span){c->example, strlen(c->example), 0}, &words))
        fail_msg("'%s': %s", c->example, said.text);
    struct verdict v = policy_match(a, &words.event), w = policy_match(b, &words.event);
    if (v.action != c->before.action || w.action != c->after.action || v.line != c->before.line ||
        w.line != c->after.line || v.passthrough != c->before.passthrough ||
        w.insecure != c->after.insecure)
        fail_msg("'%s' is judged otherwise: %d %zu, %d %zu", c->example, v.action, v.line, w.action,
                 w.line);
    if (v.action == w.action && v.passthrough == w.passthrough && v.insecure == w.insecure &&
        v.websocket == w.websocket)
        fail_msg("'%s' makes no difference", c->example);
    /* The page, and so the second matcher, has no event of HTTP that is not read yet. */
    if (x && !words.event.http &&
        (oracle_match(&x->oracle, &words.event).action != v.action ||
         oracle_match(&y->oracle, &words.event).action != w.action))
        fail_msg("'%s' is judged otherwise by the second matcher", c->example);
    n_examples++;
    event_words_release(&words);
}

struct told {
    const struct policy *before, *after;
    const struct one *x, *y;
    struct buffer text; /* a line each */
};

static void on_change(void *context, const struct diff_change *c)
{
    static const char *const names[] = {"deny", "allow", "inspect"};
    struct told *t = context;
    check_example(c, t->before, t->after, t->x, t->y);
    buffer_printf(&t->text, "%s>%s %s | %s%s%s\n", names[c->before.action], names[c->after.action],
                  c->example, c->target, c->who[0] ? " " : "", c->who);
}

static struct policy *parse_lines(const char *lines)
{
    char text[1024];
    snprintf(text, sizeof(text), "%s", lines);
    lines_split(text);
    struct policy *p = parse_text(text, NULL);
    if (!p)
        fail_msg("'%s' is refused", lines);
    return p;
}

static const struct {
    const char *before, *after, *told;
} changes[] = {
    {"", "", ""},
    {"x.org", "# a\nx.org # b", ""},
    {"x.org | y.org", "y.org | x.org", ""},
    {"x.org | x.org exe=/a", "x.org", ""},
    {"x.org:80 | x.org:443", "x.org:443|80", ""},
    {"https://x.org/* | x.org", "x.org", ""},
    {"[exe=/a] | x.org", "x.org exe=/a", ""},
    {"10.0.0.0/8 | 10.1.0.0/16", "10.0.0.0/8", ""},
    {"", "x.org", "deny>allow dns x.org | x.org\ndeny>allow tcp x.org:443 | x.org\n"},
    {"x.org", "x.org exe=/a",
     "allow>deny dns x.org | x.org anyone but exe=/a\n"
     "allow>deny tcp x.org:443 | x.org anyone but exe=/a\n"},
    {"x.org", "x.org | deny x.org:443 user=7",
     "allow>deny tcp x.org:443 user=7 | x.org user=7\n"
     "allow>deny tcp x.org:443 | x.org a process of which nothing is known\n"},
    {"*.x.org", "*.x.org | deny a.x.org expected",
     "allow>deny dns a.x.org | a.x.org\nallow>deny tcp a.x.org:443 | a.x.org\n"},
    {"1.2.3.0/24", "1.2.3.0/25", "allow>deny tcp 1.2.3.128:443 | 1.2.3.128/25\n"},
    {"8.8.8.8:53/udp", "8.8.8.8:53/udp | 8.8.8.8:53", "deny>allow tcp 8.8.8.8:53 | 8.8.8.8\n"},
    {"https://x.org/a", "https://x.org/a/*", "deny>allow https://x.org/a/any-other | x.org\n"},
    {"https://x.org/a", "* https://x.org/a", "deny>allow POST https://x.org/a | x.org\n"},
    {"x.org", "x.org passthrough", "allow>allow tcp x.org:443 | x.org\n"},
    {"x.org", "x.org insecure", "allow>allow tcp x.org:443 | x.org\n"},
    {"x.org", "x.org private", "deny>allow tcp 10.0.0.0:443 host=x.org | x.org\n"},
    {"x.org | 1.2.3.4:80", "x.org | 1.2.3.4:80 | deny 1.2.3.4",
     "allow>deny tcp 1.2.3.4:80 | 1.2.3.4\nallow>deny tcp 1.2.3.4:443 host=x.org | x.org\n"},
    /* One veto against many blocks is told once. */
    {"1.1.1.1 | 2.2.2.2 | 3.3.3.3:22", "1.1.1.1 | 2.2.2.2 | 3.3.3.3:22 | deny x.org",
     "allow>deny tcp 1.1.1.1:443 host=x.org | x.org\n"},
    {"x.org:8443", "x.org:8443 | https://y.org:8443/a",
     "allow>deny tcp x.org:8443 first_bytes=unknown | x.org\n"
     "deny>allow dns y.org | y.org\ndeny>allow https://y.org:8443/a | y.org\n"},
    {"dns:x.org", "x.org", "deny>allow tcp x.org:443 | x.org\n"},
    {"https://x.org/a", "https://x.org/a websocket", "allow>allow https://x.org/a | x.org\n"},
    {"https://x.org/a | https://x.org/a websocket", "https://x.org/a websocket", ""},
    {"x.org | deny x.org", "x.org | deny x.org:*", ""},
    /* What a wildcard is filled with is no other rule's by chance. */
    {"ax.x.org", "a*.x.org",
     "deny>allow dns aq7.x.org | a*.x.org\ndeny>allow tcp aq7.x.org:443 | a*.x.org\n"},
    {"ax*.x.org", "a*.x.org",
     "deny>allow dns aq7.x.org | a*.x.org\ndeny>allow tcp aq7.x.org:443 | a*.x.org\n"},
    {"any.dx.x.org", "*.d*.x.org",
     "deny>allow dns x.dx.x.org | *.d*.x.org\ndeny>allow tcp x.dx.x.org:443 | *.d*.x.org\n"},
    {"any.x.org | *.any.x.org", "*.x.org",
     "deny>allow dns other.x.org | *.x.org\ndeny>allow tcp other.x.org:443 | *.x.org\n"},
    {"*.dx.x.org", "*.d*.x.org",
     "deny>allow dns q7.dq7.x.org | *.d*.x.org\ndeny>allow tcp q7.dq7.x.org:443 | "
     "*.d*.x.org\n"},
    {"https://x.org/any-other | https://x.org/any-other/any-other | https://x.org/",
     "https://x.org/*", "deny>allow https://x.org/x/x | x.org\n"},
    {"dns:x.org arg=--x", "dns:x.org arg=--*",
     "deny>allow dns x.org arg=any-other arg=--q7 | x.org no arg=--x, arg=--*\n"},
    {"dns:x.org exe=/usr/bin/x | dns:x.org exe=/any-other", "dns:x.org exe=/*",
     "deny>allow dns x.org exe=/x | x.org exe=/*\n"
     "deny>allow dns x.org exe=/x | x.org any other exe\n"},
    {"dns:x.org exe=/usr/bin/any-other", "dns:x.org exe=/usr/bin/*",
     "deny>allow dns x.org exe=/usr/bin/x | x.org exe=/usr/bin/*\n"},
    {"https://1.2.3.4/a", "https://1.2.3.4/b",
     "allow>deny https://1.2.3.4/a | 1.2.3.4\ndeny>allow https://1.2.3.4/b | 1.2.3.4\n"},
};

static void test_changes(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(changes); i++) {
        struct diff_result result;
        struct policy *a = parse_lines(changes[i].before), *b = parse_lines(changes[i].after);
        struct told told = {.before = a, .after = b};
        buffer_add_string(&told.text, "");
        assert_int_equal(diff_find(a, b, on_change, &told, &result), 0);
        if (strcmp(told.text.data, changes[i].told) != 0 || !result.exact)
            fail_msg("'%s' and '%s': %s%s", changes[i].before, changes[i].after,
                     result.exact ? "" : "inexact ", told.text.data);
        buffer_release(&told.text);
        policy_unref(a);
        policy_unref(b);
    }
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

static bool parse_made(struct one *o)
{
    struct oracle_file files[MAKE_FILES];
    const struct policy_source source = {make_file_names[0], o->made.text[0],
                                         strlen(o->made.text[0])};
    const struct policy_options options = {.context = o->made.context,
                                           .owner = make_owner,
                                           .repo = make_repo,
                                           .load = load,
                                           .load_context = &o->made};
    o->policy = policy_parse(&source, 1, &options);
    for (size_t f = 0; f < MAKE_FILES; f++)
        files[f] = (struct oracle_file){make_file_names[f], make_file_names[f], o->made.text[f]};
    const struct oracle_input in = {files, MAKE_FILES, o->made.context, make_owner, make_repo};
    if (o->policy)
        oracle_read(&in, &o->oracle);
    return o->policy != NULL;
}

/* A line less, or one of another policy's instead. */
static void change_lines(struct make_random *r)
{
    static struct make_policy other;
    after.made = before.made;
    make_write(r, &other);
    for (size_t n = 1 + make_below(r, 2); n > 0; n--) {
        size_t f = make_below(r, MAKE_FILES);
        if (after.made.n[f] == 0)
            continue;
        char *line = after.made.line[f][make_below(r, after.made.n[f])];
        if (make_once(r, 2) || other.n[f] == 0)
            line[0] = '\0';
        else
            strcpy(line, other.line[f][make_below(r, other.n[f])]);
    }
    make_join(&after.made);
}

/* Whether an event is of those that a diff speaks about: of its process all is known, or nothing,
 * and one name at a time. */
static bool is_asked(const struct make_event *m)
{
    const struct event *e = &m->e;
    bool who = !e->process || (m->p.known == (1u << 13) - 1 && !m->p.foreign && !m->p.args_cut);
    bool literal = e->host && e->host[0] >= '0' && e->host[0] <= '9';
    return who && e->n_names == 0 && e->stage != EVENT_OTHER && !literal &&
           (e->host || e->has_dst) && (e->proto == PROTO_TCP || e->stage != EVENT_DNS);
}

static void look_for_others(struct make_random *r, const struct diff_result *result)
{
    static struct make_event event;
    /* Only where nothing was told can something be missing. */
    for (int i = 0; i < EVENTS_A_PAIR && result->changes == 0 && result->exact; i++) {
        make_event(r, &event);
        aim_event(r, make_once(r, 2) ? &before.oracle : &after.oracle, &event);
        if (!is_asked(&event))
            continue;
        struct verdict v = policy_match(before.policy, &event.e);
        struct verdict w = policy_match(after.policy, &event.e);
        if (v.action == w.action)
            continue;
        printf("%s\n---\n%s\n", before.made.text[0], after.made.text[0]);
        for (size_t f = 1; f < MAKE_FILES; f++)
            printf("%s:\n%s\n---\n%s\n", make_file_names[f], before.made.text[f],
                   after.made.text[f]);
        make_show_event(&event);
        fail_msg("a difference was not told: %d, %d", v.action, w.action);
    }
}

static void test_random_pairs(void **state)
{
    (void)state;
    const char *seed = getenv("EGRESS_SEED"); /* where the random numbers begin */
    struct make_random r = {.state = seed ? strtoull(seed, NULL, 10) : 3};
    size_t n = 0, same = 0;
    for (int i = 0; i < PAIRS; i++) {
        struct diff_result result;
        make_write(&r, &before.made);
        change_lines(&r);
        bool good = parse_made(&before);
        if (good && parse_made(&after)) {
            struct told told = {before.policy, after.policy, &before, &after, {0}};
            assert_int_equal(diff_find(before.policy, after.policy, on_change, &told, &result), 0);
            look_for_others(&r, &result);
            buffer_release(&told.text);
            n_inexact += !result.exact;
            same += result.changes == 0;
            n++;
            policy_unref(after.policy);
        }
        policy_unref(before.policy);
    }
    printf("  %zu pairs, %zu without a difference, %zu not exact, %zu examples\n", n, same,
           n_inexact, n_examples);
    assert_true(n > PAIRS / 2 && same > n / 20 && n_inexact < n / 2 && n_examples > n);
}

static void test_itself(void **state)
{
    (void)state;
    struct make_random r = {.state = 5};
    for (int i = 0; i < PAIRS / 5; i++) {
        struct diff_result result;
        make_write(&r, &before.made);
        after.made = before.made;
        assert_true(parse_made(&before) && parse_made(&after));
        struct told told = {before.policy, after.policy, &before, &after, {0}};
        assert_int_equal(diff_find(before.policy, after.policy, on_change, &told, &result), 0);
        assert_true(result.changes == 0 && result.exact);
        policy_unref(before.policy);
        policy_unref(after.policy);
    }
}

static void test_command(void **state)
{
    (void)state;
    CLEANUP_BUFFER struct buffer out = {0}, err = {0};
    review_write("o.rules", "x.org\n*.y.org\n");
    review_write("n.rules", "x.org exe=/a # narrow\n*.y.org\n");
    assert_int_equal(review_run(diff_main, "diff o.rules n.rules", "", &out, &err), DIFF_CHANGED);
    assert_string_equal(out.data,
                        "- denied now: the look-up of x.org, by anyone but exe=/a\n"
                        "    before: allow by o.rules:1 `x.org`\n    now:    deny, no rule\n"
                        "    as in:  dns x.org\n"
                        "- denied now: TLS, TCP to x.org:443, by anyone but exe=/a\n"
                        "    before: allow by o.rules:1 `x.org`\n    now:    deny, no rule\n"
                        "    as in:  tcp x.org:443\n");
    assert_int_equal(review_run(diff_main, "diff --json o.rules n.rules", "", &out, &err),
                     DIFF_CHANGED);
    const char *json =
        "{\"changes\":[\n{\"change\":\"denied\",\"kinds\":[\"dns\"],\"target\":\"x.org\",\"at\":"
        "null,\"port\":null,\"scheme\":null,\"methods\":null,\"path\":null,\"who\":\"anyone but "
        "exe=/a\",\"before\":{\"verdict\":\"allow\",\"file\":\"o.rules\",\"line\":1,\"rule\":"
        "\"x.org\",\"passthrough\":false,\"insecure\":false},\"after\":{\"verdict\":\"deny\","
        "\"file\":null,\"line\":null,\"rule\":null,\"passthrough\":false,\"insecure\":false},"
        "\"example\":\"dns x.org\"},\n";
    assert_memory_equal(out.data, json, strlen(json));
    assert_non_null(strstr(out.data, "\n],\"same\":false,\"exact\":true}\n"));
    assert_int_equal(review_run(diff_main, "diff o.rules -", "*.y.org\nx.org", &out, &err),
                     DIFF_SAME);
    assert_string_equal(out.data, "no difference\n");
    assert_int_equal(review_run(diff_main, "diff --json @npm @npm", "", &out, &err), DIFF_SAME);
    assert_string_equal(out.data, "{\"changes\":[],\"same\":true,\"exact\":true}\n");
    assert_int_equal(review_run(diff_main, "diff o.rules -", "github.*", &out, &err), DIFF_BAD);
    assert_non_null(strstr(err.data, "<stdin>:1:8: error: "));
    assert_int_equal(review_run(diff_main, "diff o.rules nosuch", "", &out, &err), DIFF_BAD);
    assert_int_equal(review_run(diff_main, "diff o.rules -", "{owner}.org", &out, &err), DIFF_BAD);
    assert_int_equal(review_run(diff_main, "diff o.rules", "", &out, &err), DIFF_BAD);
    assert_int_equal(review_run(diff_main, "diff --help", "", &out, &err), DIFF_SAME);
    /* More wildcards than are followed is said, and is not equality. */
    review_write("o.rules", "a*b*.x.org\n*c*.x.org\n");
    review_write("n.rules", "a*b*.x.org\n*c*.x.org\ndeny dns:q.z\n");
    assert_int_equal(review_run(diff_main, "diff o.rules n.rules", "", &out, &err), DIFF_CHANGED);
    assert_non_null(strstr(out.data, "? there may be other differences"));
    assert_int_equal(unlink("o.rules") + unlink("n.rules"), 0);
    assert_int_equal(chdir("/") == 0 ? rmdir(review_directory) : -1, 0);
}

int main(void)
{
    static const struct unit_test tests[] = {
        REPORT("-", test_changes),
        REPORT("-", test_random_pairs),
        REPORT("-", test_itself),
        REPORT("-", test_command),
    };
    return review_enter(NULL) < 0 || unit_run(tests, ARRAY_SIZE(tests));
}
