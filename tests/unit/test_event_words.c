/* SPDX-License-Identifier: MIT
 * Events in one line of words: what they mean, what is said of those that mean nothing, and that
 * what is written is read again. */
#include <sys/mman.h>
#include <unistd.h>

#include "review/event_words.h"
#include "unit/rules_help.h"

struct read_words {
    struct event_words words;
    struct said said;
    bool good;
};

static void read_text(struct read_words *w, const char *text, size_t len)
{
    *w = (struct read_words){0};
    const struct policy_options options = {.diagnose = said_add, .diagnose_context = &w->said};
    struct reporter r = {.options = &options, .file = "t", .line = 1, .raw = text};
    w->good = event_words_parse(&r, (struct span){text, len, 0}, &w->words);
}

/* In the words of rules_help.h, whose reader is another one. */
static bool same_event(const struct event *a, const struct event *b)
{
    const struct event_process *p = a->process, *q = b->process;
    bool same = a->stage == b->stage && a->proto == b->proto && a->has_dst == b->has_dst &&
                (!a->has_dst || a->dst_ip == b->dst_ip) && a->dst_port == b->dst_port &&
                a->unknown_bytes == b->unknown_bytes && a->https == b->https &&
                a->resolver_is_self == b->resolver_is_self && !a->host == !b->host &&
                (!a->host || strcmp(a->host, b->host) == 0) && !a->path == !b->path &&
                (!a->path || strcmp(a->path, b->path) == 0) && !a->method == !b->method &&
                (!a->method || strcmp(a->method, b->method) == 0) && a->n_names == b->n_names &&
                !p == !q;
    for (size_t i = 0; same && i < a->n_names; i++)
        same = strcmp(a->names[i], b->names[i]) == 0;
    if (!same || !p)
        return same;
    same = p->known == q->known && p->n_args == q->n_args && p->n_parents == q->n_parents;
    for (size_t i = 0; same && i < p->n_args; i++)
        same = strcmp(p->args[i], q->args[i]) == 0;
    return same;
}

static void test_meaning(void **state)
{
    (void)state;
    static const struct {
        const char *words, *means;
    } rows[] = {
        {"tls GitHub.com", "tls host=github.com nobody"},
        {"tls github.com:8443", "tls host=github.com 0:8443 nobody"},
        {"tls github.com at 10.0.0.1", "tls host=github.com 10.0.0.1:443 nobody"},
        {"tls 192.0.2.1 seen=a.org seen=b.org", "tls 192.0.2.1:443 seen=a.org seen=b.org nobody"},
        {"tcp 192.0.2.1:22", "tcp 192.0.2.1:22 nobody"},
        {"tcp 192.0.2.1:22 host=a.org", "tcp 192.0.2.1:22 host=a.org nobody"},
        {"tcp a.org:22", "tcp host=a.org 0:22 nobody"},
        {"tcp 192.0.2.1:80 first_bytes=unknown", "tcp 192.0.2.1:80 unknown nobody"},
        {"udp 192.0.2.1:53", "udp 192.0.2.1:53 nobody"},
        {"dns a.org", "dns host=a.org self 0:53 nobody"},
        {"dns _a._b.org at 192.0.2.1", "dns host=_a._b.org 192.0.2.1:53 nobody"},
        {"dns a.org at 192.0.2.1:5353", "dns host=a.org 192.0.2.1:5353 nobody"},
        {"https://a.org/x?y#z", "req url=https://a.org/x nobody"},
        {"POST http://A.org:8080/x/", "req method=POST url=http://a.org:8080/x/ nobody"},
        {"PROPFIND https://a.org", "req method=PROPFIND url=https://a.org/ nobody"},
        {"https://a.org/x at 192.0.2.1", "req url=https://a.org/x 192.0.2.1:443 nobody"},
        {"tls a.org exe=/bin/a arg=a arg=-x user=7 parent=/b",
         "tls host=a.org exe=/bin/a arg=a arg=-x uid=7 parent=/b"},
        {"tls a.org cgroup=@host container=x image=y pod=a/b step=s action=o/r mntns=1 netns=2",
         "tls host=a.org cgroup=/ container=x image=y pod=a/b step=s action=o/r mntns=1 netns=2"},
        {"  tls\ta.org  exe=\"/bin/a\" ", "tls host=a.org exe=/bin/a"},
        {"tls b\xc3\xbc"
         "cher.example",
         "tls host=xn--bcher-kva.example nobody"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct read_words w;
        struct asked asked;
        CLEANUP_BUFFER struct buffer again = {0};
        read_text(&w, rows[i].words, strlen(rows[i].words));
        asked_init(&asked, rows[i].means);
        if (!w.good || !same_event(&w.words.event, &asked.event))
            fail_msg("'%s': %s", rows[i].words, w.good ? "means something else" : w.said.text);
        event_words_write(&w.words.event, &again);
        event_words_release(&w.words);
        read_text(&w, again.data, again.len);
        if (!w.good || !same_event(&w.words.event, &asked.event))
            fail_msg("'%s' is written as '%s'", rows[i].words, again.data);
        event_words_release(&w.words);
    }
}

static void test_facts(void **state)
{
    (void)state;
    static const char text[] = "tls a.org user=root container=0123456789ab cgroup=@docker "
                               "exe=\"/opt/a b*\" arg=`x \"y\"`";
    struct read_words w;
    CLEANUP_BUFFER struct buffer again = {0};
    read_text(&w, text, strlen(text));
    const struct event_process *p = w.words.event.process;
    if (!p)
        fail_msg("%s", w.said.text);
    assert_int_equal(p->uid, 0);
    assert_string_equal(p->user, "root");
    assert_string_equal(p->container_id, "0123456789ab");
    assert_null(p->container_name);
    assert_string_equal(p->exe, "/opt/a b*");
    assert_string_equal(p->args[0], "x \"y\"");
    event_words_write(&w.words.event, &again);
    assert_string_equal(again.data,
                        "tls a.org exe=\"/opt/a b*\" cgroup=/system.slice/docker-0123456789ab.scope"
                        " container=0123456789ab user=root arg=`x \"y\"`");
    event_words_release(&w.words);
    read_text(&w, "tls a.org user=1000", 19);
    assert_int_equal(w.words.event.process->uid, 1000);
    assert_null(w.words.event.process->user);
    event_words_release(&w.words);
    read_text(&w, "tls a.org user=runner", 21);
    assert_int_equal(w.words.event.process->uid, UINT32_MAX);
    event_words_release(&w.words);
}

static void test_literal_urls(void **state)
{
    (void)state;
    struct read_words w;
    CLEANUP_BUFFER struct buffer again = {0};
    static const char text[] = "POST http://192.0.2.1:8080/x";
    read_text(&w, text, strlen(text));
    const struct event *e = &w.words.event;
    assert_true(w.good && e->stage == EVENT_REQUEST && e->has_dst && !e->host);
    assert_int_equal(e->dst_ip, 0xc0000201);
    assert_int_equal(e->dst_port, 8080);
    event_words_write(e, &again);
    assert_string_equal(again.data, text);
    event_words_release(&w.words);
}

static void test_errors(void **state)
{
    (void)state;
    static const struct {
        const char *words, *said;
    } rows[] = {
        {"", "1:1: error: '' is no event; write one such as tls HOST"},
        {"github.com", "1:1: error: 'github.com' is no event; write one such as tls HOST"},
        {"tls", "1:4: error: tls needs a name; write one such as tls github.com"},
        {"tls *.a.org", "1:5: error: '*.a.org' is no name"},
        {"tls a.org:0", "1:5: error: 'a.org:0' needs a port"},
        {"tls a.org:65536", "1:11: error: '65536' is no port"},
        {"tcp a.org", "1:5: error: 'a.org' needs a port; write it behind a colon, such as :22"},
        {"tcp 192.0.2.256:22", "1:5: error: '192.0.2.256' is no IPv4 address"},
        {"udp a.org:53", "1:5: error: 'a.org' is no IPv4 address"},
        {"dns 192.0.2.1", "1:5: error: '192.0.2.1' is no name"},
        {"dns a.org at", "1:11: error: 'at' needs an address"},
        {"dns a.org at b.org", "1:14: error: 'b.org' is no IPv4 address"},
        {"tcp 192.0.2.1:22 at 192.0.2.1", "1:18: error: 'at' stands behind a name"},
        {"https://192.0.2.1/ at 192.0.2.2", "1:20: error: 'at' stands behind a name"},
        {"tls a.org host=b.org", "1:11: error: 'host=b.org' says nothing here"},
        {"tcp 192.0.2.1:1 host=a.org host=b.org", "1:28: error: 'host=b.org' says nothing here"},
        {"tcp 192.0.2.1:1 first_bytes=tls", "1:17: error: 'first_bytes=tls' tells nothing"},
        {"G/T https://a.org/", "1:1: error: 'G/T' is no event"},
        {"ftp://a.org/", "1:1: error: 'ftp://a.org/' does not begin with http:// or https://"},
        {"https://[::1]/", "1:1: error: 'https://[::1]/' has an IPv6 address"},
        {"https://a@b/", "1:1: error: 'https://a@b/' has a user in it"},
        {"tls a.org private", "1:11: error: 'private' says nothing about an event"},
        {"tls a.org exe=curl", "1:15: error: 'curl' is no absolute path"},
        {"tls a.org exe=/usr/bin/*", "1:15: error: an event has one value, not a pattern"},
        {"tls a.org exe=/a exe=/b", "1:18: error: exe= stands twice"},
        {"tls a.org exe=", "1:15: error: the value is empty"},
        {"tls a.org exe=\"/a", "1:15: error: the quote is not closed"},
        {"tls a.org exe=\"/a\"b", "1:15: error: the quote is not closed at the end of the word"},
        {"tls a.org arg[1]=x", "1:11: error: 'arg[1]' asks for one argument"},
        {"tls a.org cgroup=x", "1:18: error: 'x' is no cgroup"},
        {"tls a.org nosuch=x", "1:11: error: 'nosuch' is no fact; write one of exe"},
        {"tls a.org sha256=00", "1:18: error: sha256= takes a digest"},
        {"tls a.org mntns=x", "1:17: error: 'x' is no namespace"},
        {"tls a.org user=99999999999", "1:16: error: '99999999999' is no user"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct read_words w;
        read_text(&w, rows[i].words, strlen(rows[i].words));
        if (w.good || strncmp(w.said.text, "t:", 2) != 0 ||
            strncmp(w.said.text + 2, rows[i].said, strlen(rows[i].said)) != 0)
            fail_msg("'%s': want '%s', got '%s'", rows[i].words, rows[i].said, w.said.text);
        event_words_release(&w.words);
    }
}

/* Every beginning of a text, right in front of a page that cannot be read. */
static void test_truncations(void **state)
{
    (void)state;
    static const char text[] = "POST https://a.org:8443/x/y at 192.0.2.1 seen=b.org exe=\"/a b\" "
                               "arg=`x` user=0 cgroup=@docker container=0123456789ab sha256=0";
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    char *map = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(map != MAP_FAILED);
    assert_int_equal(mprotect(map + page, page, PROT_NONE), 0);
    for (size_t len = 0; len < sizeof(text); len++) {
        struct read_words w;
        memcpy(map + page - len, text, len);
        read_text(&w, map + page - len, len);
        assert_int_equal(w.good, w.said.errors == 0);
        event_words_release(&w.words);
    }
    munmap(map, 2 * page);
}

int main(void)
{
    static const struct unit_test tests[] = {
        REPORT("-", test_meaning), REPORT("-", test_facts),       REPORT("-", test_literal_urls),
        REPORT("-", test_errors),  REPORT("-", test_truncations),
    };
    return unit_run(tests, ARRAY_SIZE(tests));
}
