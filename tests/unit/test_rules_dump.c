/* SPDX-License-Identifier: MIT
 * A dump is what tools read in place of the policy, so it must say everything: written back as
 * policy text, it has to give the same dump and the same verdicts. The policies are random. */
#include <errno.h>
#include <jansson.h>

#include "base/buffer.h"
#include "review/dump_rules.h"
#include "rules/rule.h"
#include "unit/oracle_aim.h"
#include "unit/rules_help.h"

enum { POLICIES = 5000, EVENTS_A_POLICY = 6, FILES = 2 * ORACLE_RULES };

struct back_file {
    char name[24];
    struct buffer text;
};

/* A policy written from a dump. One name of a selector stands once in a line; where a dump has two
 * (an include line added one), the rule moves to a file of its own and is included likewise. */
struct back {
    bool folded; /* path rules are written as URLs, the base in front, instead of below a header */
    struct buffer text;
    struct back_file files[FILES];
    size_t n_files;
};

static struct make_policy made;
static struct oracle_policy oracle;
static struct back back;
static size_t n_rules, n_verdicts[3];

/* What dumps had in them: all of it must have come. */
static struct {
    const char *what;
    size_t times;
} seen[] = {
    {"action allow", 0},
    {"action deny", 0},
    {"type host", 0},
    {"type ip", 0},
    {"type wildcard_host", 0},
    {"type cidr", 0},
    {"type url", 0},
    {"type path", 0},
    {"type dns_host", 0},
    {"type dns_wildcard_host", 0},
    {"port one", 0},
    {"port several", 0},
    {"port range", 0},
    {"port *", 0},
    {"port null", 0},
    {"protocol tcp", 0},
    {"protocol udp", 0},
    {"protocol *", 0},
    {"protocol null", 0},
    {"methods one", 0},
    {"methods several", 0},
    {"methods *", 0},
    {"methods null", 0},
    {"method GET", 0},
    {"method HEAD", 0},
    {"method POST", 0},
    {"method PUT", 0},
    {"method DELETE", 0},
    {"method PATCH", 0},
    {"method OPTIONS", 0},
    {"url_base null", 0},
    {"url_base URL", 0},
    {"keyword passthrough", 0},
    {"keyword insecure", 0},
    {"keyword private", 0},
    {"keyword websocket", 0},
    {"keyword expected", 0},
    {"attr exe", 0},
    {"attr arg", 0},
    {"attr arg[0]", 0},
    {"attr arg[1]", 0},
    {"attr parent", 0},
    {"attr sha256", 0},
    {"attr user", 0},
    {"attr cgroup", 0},
    {"attr container", 0},
    {"attr image", 0},
    {"attr pod", 0},
    {"attr mntns", 0},
    {"attr netns", 0},
    {"attr step", 0},
    {"attr action", 0},
    {"value literal", 0},
    {"value plain", 0},
    {"value with blanks", 0},
    {"arg twice", 0},
    {"selector of an include beside its like", 0},
};

static void saw(const char *format, ...) PRINTF(1, 2);
static void saw(const char *format, ...)
{
    char what[128];
    va_list list;
    va_start(list, format);
    vsnprintf(what, sizeof(what), format, list);
    va_end(list);
    for (size_t i = 0; i < ARRAY_SIZE(seen); i++) {
        if (strcmp(seen[i].what, what) == 0) {
            seen[i].times++;
            return;
        }
    }
    fail_msg("a dump has '%s', which this test does not know", what);
}

/* NULL where the member is null. */
static const char *text_of(json_t *object, const char *name)
{
    json_t *value = json_object_get(object, name);
    assert_true(json_is_string(value) || json_is_null(value));
    return json_string_value(value);
}

static void see_list(const char *what, json_t *list)
{
    json_t *one;
    size_t i;
    if (!json_is_array(list)) {
        assert_true(json_is_string(list) || json_is_null(list));
        saw("%s %s", what, json_is_null(list) ? "null" : json_string_value(list));
        return;
    }
    saw("%s %s", what, json_array_size(list) == 1 ? "one" : "several");
    json_array_foreach(list, i, one)
    {
        if (json_is_array(one))
            saw("%s range", what);
        else if (json_is_string(one))
            saw("method %s", json_string_value(one));
    }
}

static void see_value(json_t *selector)
{
    saw("value %s", json_is_true(json_object_get(selector, "literal")) ? "literal" : "plain");
    if (strchr(text_of(selector, "value"), ' '))
        saw("value with blanks");
}

static void see(json_t *rule)
{
    const char *name;
    json_t *value, *one;
    size_t i;
    saw("action %s", text_of(rule, "action"));
    saw("type %s", text_of(rule, "type"));
    saw("protocol %s", text_of(rule, "protocol") ? text_of(rule, "protocol") : "null");
    saw("url_base %s", text_of(rule, "url_base") ? "URL" : "null");
    see_list("port", json_object_get(rule, "port"));
    see_list("methods", json_object_get(rule, "methods"));
    json_object_foreach(rule, name, value)
    {
        if (json_is_true(value))
            saw("keyword %s", name);
    }
    json_object_foreach(json_object_get(rule, "attrs"), name, value)
    {
        saw("attr %s", name);
        if (json_is_object(value))
            see_value(value);
        else if (json_array_size(value) > 1)
            saw("%s",
                strcmp(name, "arg") == 0 ? "arg twice" : "selector of an include beside its like");
        json_array_foreach(value, i, one) see_value(one);
    }
}

/* The dump, a list of objects without the place, which is of no account here. */
static json_t *dump(const struct policy *p)
{
    CLEANUP_BUFFER struct buffer line = {0};
    json_t *list = json_array();
    for (size_t i = 0; i < policy_rule_count(p); i++) {
        json_error_t error;
        buffer_clear(&line);
        dump_rule(policy_rule(p, i), 1, &line);
        assert_false(buffer_failed(&line));
        assert_null(memchr(line.data, '\n', line.len));
        json_t *rule = json_loadb(line.data, line.len, JSON_REJECT_DUPLICATES, &error);
        if (!rule)
            fail_msg("no JSON: %s: %s", error.text, line.data);
        assert_int_equal(json_object_del(rule, "file"), 0);
        assert_int_equal(json_object_del(rule, "line"), 0);
        json_array_append_new(list, rule);
    }
    return list;
}

static void write_methods(json_t *rule, struct buffer *out)
{
    json_t *methods = json_object_get(rule, "methods"), *one;
    size_t i;
    if (json_is_null(methods))
        return;
    if (json_is_string(methods))
        buffer_add_string(out, json_string_value(methods));
    json_array_foreach(methods, i, one)
        buffer_printf(out, "%s%s", i > 0 ? "|" : "", json_string_value(one));
    buffer_add_char(out, ' ');
}

/* A URL has its port in it. `dns:*` would be a name to look up, and a veto needs no `:*`. */
static void write_ports(json_t *rule, struct buffer *out)
{
    json_t *ports = json_object_get(rule, "port"), *one;
    const char *protocol = text_of(rule, "protocol");
    bool bare =
        strcmp(text_of(rule, "action"), "deny") == 0 && strcmp(text_of(rule, "target"), "dns") == 0;
    size_t i;
    if (json_is_null(ports) || !json_is_null(json_object_get(rule, "methods")))
        return;
    if (json_is_string(ports) && !bare)
        buffer_printf(out, ":%s", json_string_value(ports));
    json_array_foreach(ports, i, one)
    {
        json_t *low = json_is_array(one) ? json_array_get(one, 0) : one;
        buffer_printf(out, "%c%" JSON_INTEGER_FORMAT, i > 0 ? '|' : ':', json_integer_value(low));
        if (json_is_array(one))
            buffer_printf(out, "-%" JSON_INTEGER_FORMAT,
                          json_integer_value(json_array_get(one, 1)));
    }
    if (strcmp(protocol, "*") != 0)
        buffer_printf(out, "/%s", protocol);
}

static void write_selector(const char *name, json_t *selector, struct buffer *out)
{
    const char *value = text_of(selector, "value"), *quote = "";
    if (json_is_true(json_object_get(selector, "literal")))
        quote = "\"";
    else if (strpbrk(value, " \t") || value[0] == '"')
        quote = "`";
    buffer_printf(out, " %s=%s%s%s", name, quote, value, quote);
}

/* Those of one line: the rule's own where place is 0, else those of the include lines above it,
 * from the outermost. */
static void write_selectors(json_t *rule, size_t place, struct buffer *out)
{
    const char *name;
    json_t *value, *one;
    size_t i;
    json_object_foreach(json_object_get(rule, "attrs"), name, value)
    {
        if (json_is_object(value) && place == 0)
            write_selector(name, value, out);
        json_array_foreach(value, i, one) if (place == (strcmp(name, "arg") == 0 ? 0 : i))
            write_selector(name, one, out);
    }
}

static void write_line(json_t *rule, bool folded, struct buffer *out)
{
    const char *name, *base = text_of(rule, "url_base");
    json_t *value;
    buffer_printf(out, "[%s]\n", base && !folded ? base : "");
    if (strcmp(text_of(rule, "action"), "deny") == 0)
        buffer_add_string(out, "deny ");
    write_methods(rule, out);
    buffer_printf(out, "%s%s", base && folded ? base : "", text_of(rule, "target"));
    write_ports(rule, out);
    json_object_foreach(rule, name, value)
    {
        if (json_is_true(value))
            buffer_printf(out, " %s", name);
    }
    write_selectors(rule, 0, out);
    buffer_add_char(out, '\n');
}

static void write_rule(struct back *b, json_t *rule)
{
    struct buffer *out = &b->text;
    const char *name;
    json_t *value;
    size_t lines = 1;
    json_object_foreach(json_object_get(rule, "attrs"), name, value)
    {
        if (strcmp(name, "arg") != 0)
            lines = MAX(lines, json_array_size(value));
    }
    for (size_t place = 1; place < lines; place++) {
        assert_true(b->n_files < FILES);
        struct back_file *file = &b->files[b->n_files];
        snprintf(file->name, sizeof(file->name), "%zu.rules", b->n_files++);
        buffer_clear(&file->text);
        buffer_printf(out, "include %s", file->name);
        write_selectors(rule, place, out);
        buffer_add_char(out, '\n');
        out = &file->text;
    }
    write_line(rule, b->folded, out);
}

static int load_back(void *context, const char *from, const char *what, bool preset,
                     struct policy_source *source)
{
    const struct back *b = context;
    size_t i = strtoul(what, NULL, 10);
    (void)from;
    if (preset || i >= b->n_files)
        return -ENOENT;
    const struct back_file *file = &b->files[i];
    assert_false(buffer_failed(&file->text));
    *source = (struct policy_source){file->name, file->text.data, file->text.len};
    return 0;
}

static int load_made(void *context, const char *from, const char *what, bool preset,
                     struct policy_source *source)
{
    const struct make_policy *m = context;
    (void)from;
    for (size_t f = 1; f < MAKE_FILES; f++) {
        if (strcmp(make_file_names[f] + preset, what) != 0)
            continue;
        *source = (struct policy_source){make_file_names[f], m->text[f], strlen(m->text[f])};
        return 0;
    }
    return -ENOENT;
}

static void show_back(void)
{
    printf("written back:\n%s", back.text.data ? back.text.data : "");
    for (size_t i = 0; i < back.n_files; i++)
        printf("%s:\n%s", back.files[i].name, back.files[i].text.data);
}

/* open: the placeholders have no value, and nothing can be judged. */
static struct policy *parse_with(const struct policy_source *source, bool open,
                                 struct policy_options options)
{
    struct said said = {.errors_only = true};
    options.owner = open ? NULL : make_owner;
    options.repo = open ? NULL : make_repo;
    options.diagnose = said_add;
    options.diagnose_context = &said;
    struct policy *p = policy_parse(source, 1, &options);
    if (!p) {
        show_back();
        fail_msg("%s is refused: %s", source->name, said.text);
    }
    return p;
}

static struct policy *parse_made(bool open)
{
    const struct policy_source source = {make_file_names[0], made.text[0], strlen(made.text[0])};
    return parse_with(
        &source, open,
        (struct policy_options){.context = made.context, .load = load_made, .load_context = &made});
}

static struct policy *parse_back(json_t *rules, bool folded, bool open)
{
    json_t *rule;
    size_t i;
    back.folded = folded;
    back.n_files = 0;
    buffer_clear(&back.text);
    json_array_foreach(rules, i, rule) write_rule(&back, rule);
    assert_false(buffer_failed(&back.text));
    const struct policy_source source = {"back.rules", back.text.len ? back.text.data : "",
                                         back.text.len};
    return parse_with(&source, open,
                      (struct policy_options){.load = load_back, .load_context = &back});
}

/* What must come of a rule that was written back: itself, but for a path that became a URL. */
static json_t *wanted(json_t *rule, bool folded)
{
    json_t *want = json_deep_copy(rule);
    const char *base = text_of(rule, "url_base");
    if (base && folded) {
        json_object_set_new(want, "type", json_string("url"));
        json_object_set_new(want, "target", json_sprintf("%s%s", base, text_of(rule, "target")));
        json_object_set_new(want, "url_base", json_null());
    }
    return want;
}

/* Beside the dumps, as one that leaves something out in both would agree with itself. */
static bool same_meaning(const struct rule *a, const struct rule *b)
{
    bool same = a->keywords == b->keywords && a->methods == b->methods && a->protos == b->protos &&
                a->port_limited == b->port_limited && a->ports.any == b->ports.any &&
                a->ports.n == b->ports.n && a->ip == b->ip && a->mask == b->mask &&
                a->n_selectors == b->n_selectors;
    for (size_t i = 0; same && i < a->ports.n; i++)
        same = a->ports.ranges[i].low == b->ports.ranges[i].low &&
               a->ports.ranges[i].high == b->ports.ranges[i].high;
    if (!same || !a->path || !b->path)
        return same && !a->path == !b->path;
    return strcmp(a->path, b->path) == 0 && a->url.https == b->url.https &&
           a->url.port == b->url.port && a->url.ip == b->url.ip;
}

static void compare_meaning(const struct policy *a, const struct policy *b)
{
    assert_int_equal(policy_rule_count(a), policy_rule_count(b));
    for (size_t i = 0; i < policy_rule_count(a); i++) {
        const struct rule *ra = policy_rule(a, i), *rb = policy_rule(b, i);
        if (same_meaning(ra, rb))
            continue;
        show_back();
        fail_msg("'%s' came back as '%s', which is another rule", ra->text, rb->text);
    }
}

static void compare(json_t *rules, const struct policy *again, bool folded)
{
    json_auto_t *got = dump(again);
    json_t *rule;
    size_t i;
    json_array_foreach(rules, i, rule)
    {
        json_auto_t *want = wanted(rule, folded);
        if (json_equal(want, json_array_get(got, i)))
            continue;
        show_back();
        json_dumpf(want, stdout, 0);
        printf(" is wanted, there is\n");
        json_dumpf(json_array_get(got, i), stdout, JSON_ENCODE_ANY);
        printf("\n");
        fail_msg("rule %zu differs", i);
    }
    assert_int_equal(json_array_size(got), json_array_size(rules));
}

/* Whether both verdicts are of the same rule; in b no two rules stand at one place. */
static bool same_rule(const struct policy *a, const struct verdict *va, const struct policy *b,
                      const struct verdict *vb)
{
    for (size_t i = 0; vb->file && i < policy_rule_count(b); i++) {
        const struct rule *ra = policy_rule(a, i), *rb = policy_rule(b, i);
        if (rb->line == vb->line && strcmp(rb->file, vb->file) == 0)
            return va->file && ra->line == va->line && strcmp(ra->file, va->file) == 0;
    }
    return !va->file && !vb->file;
}

static void judge(struct make_random *random, const struct policy *a, const struct policy *b)
{
    static struct make_event event;
    for (size_t i = 0; i < EVENTS_A_POLICY; i++) {
        char text_a[128], text_b[128];
        make_event(random, &event);
        if (!make_once(random, 4))
            aim_event(random, &oracle, &event);
        struct verdict va = policy_match(a, &event.e), vb = policy_match(b, &event.e);
        bool same = same_rule(a, &va, b, &vb) && va.name == vb.name;
        va.line = vb.line = 0;
        verdict_text(&va, text_a, sizeof(text_a));
        verdict_text(&vb, text_b, sizeof(text_b));
        n_verdicts[va.action]++;
        if (same && strcmp(text_a, text_b) == 0)
            continue;
        show_back();
        make_show_event(&event);
        fail_msg("want '%s' by %s, got '%s' by %s", text_a, va.rule ? va.rule : "none", text_b,
                 vb.rule ? vb.rule : "none");
    }
}

static void read_for_aim(void)
{
    struct oracle_file files[MAKE_FILES];
    for (size_t f = 0; f < MAKE_FILES; f++)
        files[f] = (struct oracle_file){make_file_names[f], make_file_names[f], made.text[f]};
    const struct oracle_input in = {files, MAKE_FILES, made.context, make_owner, make_repo};
    oracle_read(&in, &oracle);
}

static void one_policy(uint64_t seed)
{
    struct make_random random = {.state = seed};
    make_write(&random, &made);
    bool open = make_once(&random, 10);
    struct policy *p = parse_made(open);
    json_auto_t *rules = dump(p);
    json_t *rule;
    size_t i;
    json_array_foreach(rules, i, rule) see(rule);
    n_rules += json_array_size(rules);
    read_for_aim();
    for (int folded = 0; folded < 2; folded++) {
        struct policy *again = parse_back(rules, folded, open);
        compare(rules, again, folded);
        compare_meaning(p, again);
        if (!open)
            judge(&random, p, again);
        policy_unref(again);
    }
    policy_unref(p);
}

static void dumps_say_everything(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= POLICIES; seed++)
        one_policy(seed);
    printf("  %d policies, %zu rules, %zu allowed, %zu denied, %zu inspected\n", POLICIES, n_rules,
           n_verdicts[VERDICT_ALLOW], n_verdicts[VERDICT_DENY], n_verdicts[VERDICT_INSPECT]);
    for (size_t i = 0; i < ARRAY_SIZE(n_verdicts); i++)
        assert_true(n_verdicts[i] > 0);
}

/* Comes after the random policies, whose dumps it counts. */
static void dumps_had_every_form(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(seen); i++)
        if (seen[i].times == 0)
            fail_msg("no dump had '%s'", seen[i].what);
}

/* What random policies have not: names that are words of the language, and quotes in values. */
static void odd_lines(void **state)
{
    (void)state;
    static const char text[] =
        "dns\ndns:53|80-90\ndeny dns\ndeny dns/tcp\ndns:dns\nget\ndeny GET:80\ndeny:443\n"
        "deny deny:22\ninclude:443\ninsecure:443 insecure\ndeny private:*\nx.org:1-65535\n"
        "x.org:7-7|7\nHTTPS://X.Org:443/%7e*\n"
        "GET|HEAD|POST|PUT|DELETE|PATCH|OPTIONS https://x.org/\n* https://x.org/x;b=c\n"
        "x.org arg=#x arg=\"a # `b\" arg=`a \"b #` arg=a`b\"c arg=`\"` arg=a=\"b\n"
        "x.org arg=\\ arg=\"\\\" arg=\"\t\" arg=`*\t` arg='x' arg=] arg[65535]={none}\n"
        "x.org sha256=AB* user=\"7\" cgroup=\"/a*\" exe=`/a*` pod=* "
        "step=\xe2\x80\xa8\xf0\x9f\x98\x80\n"
        "[https://{owner}.x.org:8443/{repo}/ arg=`{owner} *`]\nPATCH /{repo}//./a/*\n";
    const struct policy_source source = {"odd", text, strlen(text)};
    for (int open = 0; open < 2; open++) {
        struct policy *p = parse_with(&source, open, (struct policy_options){0});
        json_auto_t *rules = dump(p);
        for (int folded = 0; folded < 2; folded++) {
            struct policy *again = parse_back(rules, folded, open);
            compare(rules, again, folded);
            compare_meaning(p, again);
            policy_unref(again);
        }
        policy_unref(p);
    }
}

static void clean_up(void)
{
    buffer_release(&back.text);
    for (size_t i = 0; i < FILES; i++)
        buffer_release(&back.files[i].text);
}

int main(void)
{
    static const struct unit_test tests[] = {
        REPORT("-", dumps_say_everything),
        REPORT("-", dumps_had_every_form),
        REPORT("-", odd_lines),
    };
    int failed = unit_run(tests, ARRAY_SIZE(tests));
    clean_up();
    return failed;
}
