/* SPDX-License-Identifier: MIT
 * What verify finds, by what was done to the file: a log is written by the real writer, its lines
 * are edited, and file, line and kind of each finding are compared. */
#include "unit/report.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "audit/chain.h"
#include "audit/log.h"
#include "audit/record_line.h"
#include "review/verify.h"

#define LINES_MAX 16

static char directory[] = "/tmp/egress-verify-XXXXXX";
static char path[128], second[128], out_path[128];

struct lines {
    char *line[LINES_MAX]; /* owned, without newline */
    size_t n;
    char head[LOG_HASH_HEX + 32]; /* SEQ:HASH of the newest */
};

static void write_log(const char *events, struct lines *l)
{
    static const struct {
        char letter;
        enum record_event event;
    } words[] = {{'s', RECORD_START}, {'c', RECORD_CONNECT}, {'e', RECORD_STOP}};
    struct log *log = NULL;
    struct error error = {0};
    char hash[LOG_HASH_HEX + 1], text[4096];
    const struct log_options o = {.path = path, .group = (gid_t)-1};
    unlink(path);
    *l = (struct lines){0};
    assert_int_equal(log_open(&o, &log, &error), 0);
    for (const char *at = events; *at; at++)
        for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
            struct record r = {.event = words[i].event, .host = text_of("a.example")};
            if (*at == words[i].letter)
                assert_int_equal(log_append(log, &r, NULL), 0);
        }
    uint64_t seq = log_head(log, hash);
    snprintf(l->head, sizeof(l->head), "%lu:%s", (unsigned long)seq, hash);
    log_close(log);
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    while (fgets(text, sizeof(text), f)) {
        text[strcspn(text, "\n")] = '\0';
        assert_true(l->n < LINES_MAX);
        l->line[l->n++] = strdup(text);
    }
    fclose(f);
}

static void free_lines(struct lines *l)
{
    for (size_t i = 0; i < l->n; i++)
        free(l->line[i]);
    l->n = 0;
}

static void save(const char *to, const struct lines *l, size_t from, size_t n)
{
    FILE *f = fopen(to, "w");
    assert_non_null(f);
    for (size_t i = from; i < from + n; i++)
        fprintf(f, "%s\n", l->line[i]);
    assert_int_equal(fclose(f), 0);
}

/* Runs verify with its output in a file and gives both. */
static int run(char *const args[], struct buffer *out)
{
    char *argv[12] = {(char *)"verify"}, chunk[4096];
    int argc = 1;
    for (; args[argc - 1]; argc++)
        argv[argc] = args[argc - 1];
    fflush(NULL);
    int saved = dup(STDOUT_FILENO), errors = dup(STDERR_FILENO);
    int fd = open(out_path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(saved >= 0 && errors >= 0 && fd >= 0);
    dup2(fd, STDOUT_FILENO);
    dup2(fd, STDERR_FILENO);
    int code = verify_main(argc, argv);
    fflush(NULL);
    dup2(saved, STDOUT_FILENO);
    dup2(errors, STDERR_FILENO);
    close(saved);
    close(errors);
    buffer_clear(out);
    buffer_add(out, "", 0);
    lseek(fd, 0, SEEK_SET);
    for (ssize_t n; (n = read(fd, chunk, sizeof(chunk))) > 0;)
        buffer_add(out, chunk, (size_t)n);
    close(fd);
    return code;
}

static char *edit(const char *line, const char *from, const char *to)
{
    const char *at = strstr(line, from);
    char *text = NULL;
    assert_non_null(at);
    assert_true(asprintf(&text, "%.*s%s%s", (int)(at - line), line, to, at + strlen(from)) > 0);
    return text;
}

static void change(struct lines *l, size_t i, const char *from, const char *to)
{
    char *text = edit(l->line[i], from, to);
    free(l->line[i]);
    l->line[i] = text;
}

static void drop(struct lines *l, size_t i)
{
    free(l->line[i]);
    memmove(&l->line[i], &l->line[i + 1], (l->n - i - 1) * sizeof(l->line[0]));
    l->n--;
}

/* What one does who can rewrite everything: every hash from the first line on is made anew. */
static void recompute(struct lines *l)
{
    struct digest *d = digest_new();
    uint8_t hash[SHA256_LEN] = {0};
    char hex[SHA256_HEX + 1];
    for (size_t i = 0; i < l->n; i++) {
        struct line_parts parts;
        char *text = NULL;
        assert_int_equal(record_line_parse(l->line[i], strlen(l->line[i]), &parts), 0);
        chain_hash(d, hash, l->line[i], parts.hashed, hash);
        digest_hex(hash, hex);
        assert_true(asprintf(&text, "%.*s,\"hash\":\"%s\"}", (int)parts.hashed, l->line[i], hex) >
                    0);
        free(l->line[i]);
        l->line[i] = text;
    }
    digest_free(d);
}

enum tampering {
    NOTHING,
    CHANGE,
    CHANGE_REHASH_ONE,
    CHANGE_HASH,
    CHANGE_FIRST,
    REMOVE,
    REMOVE_TWO,
    REMOVE_FIRST,
    SWAP,
    REPEAT,
    CUT_TAIL,
    CUT_RECOMPUTED,
    CHANGE_RECOMPUTED,
    TORN,
    TORN_BETWEEN,
    GARBAGE,
    EMPTY_LINE,
    LONG_LINE,
    DUPLICATE_KEY,
    NOT_JSON,
    EMPTY,
};

static void tear(size_t bytes)
{
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(truncate(path, st.st_size - (off_t)bytes), 0);
}

static char *repeat(size_t n)
{
    char *text = malloc(n + 1);
    assert_non_null(text);
    memset(text, 'x', n);
    text[n] = '\0';
    return text;
}

static void insert(struct lines *l, size_t i, char *text)
{
    assert_true(l->n < LINES_MAX);
    memmove(&l->line[i + 1], &l->line[i], (l->n - i) * sizeof(l->line[0]));
    l->line[i] = text;
    l->n++;
}

/* The hash of line 3 shifted by a digit. */
static void shift_hash(struct lines *l)
{
    change(l, 2, "\"hash\":\"", "\"hash\":\"0");
    size_t len = strlen(l->line[2]);
    memcpy(l->line[2] + len - 3, "\"}", 3);
}

/* Hashes made anew up to line 3; line 4 still says what followed from the old one. */
static void rehash_three(struct lines *l)
{
    struct lines head = {.n = 3};
    change(l, 2, "a.example", "b.example");
    memcpy(head.line, l->line, 3 * sizeof(head.line[0]));
    recompute(&head);
    memcpy(l->line, head.line, 3 * sizeof(head.line[0]));
}

/* Edits that change what lines say. */
static void tamper_text(enum tampering what, struct lines *l)
{
    switch (what) {
    case CHANGE:
        change(l, 2, "a.example", "b.example");
        break;
    case CHANGE_HASH:
        shift_hash(l);
        break;
    case CHANGE_REHASH_ONE:
        rehash_three(l);
        break;
    case CHANGE_FIRST:
        change(l, 0, "a.example", "b.example");
        break;
    case CUT_RECOMPUTED:
        drop(l, l->n - 2);
        change(l, l->n - 1, "\"seq\":6", "\"seq\":5");
        recompute(l);
        break;
    case CHANGE_RECOMPUTED:
        change(l, 2, "a.example", "b.example");
        recompute(l);
        break;
    case DUPLICATE_KEY:
        change(l, 2, ",\"host\"", ",\"host\":\"b.example\",\"host\"");
        recompute(l);
        break;
    case NOT_JSON:
        change(l, 2, ",\"host\"", ",\"host\":\033[31m,\"host\"");
        recompute(l);
        break;
    default:
        break;
    }
}

/* Edits that change which lines there are. */
static void tamper_lines(enum tampering what, struct lines *l)
{
    char *kept = l->line[3];
    switch (what) {
    case REMOVE_TWO:
        drop(l, 3);
        drop(l, 2);
        break;
    case REMOVE:
        drop(l, 2);
        break;
    case REMOVE_FIRST:
        drop(l, 0);
        break;
    case SWAP:
        l->line[3] = l->line[2];
        l->line[2] = kept;
        break;
    case REPEAT:
        insert(l, 4, strdup(kept));
        break;
    case CUT_TAIL:
        drop(l, l->n - 1);
        drop(l, l->n - 1);
        break;
    case TORN_BETWEEN:
        insert(l, 3, strdup("{\"ts\":\"2026-11-22T10:30"));
        break;
    case GARBAGE:
        insert(l, 3, strdup("\033[2Jhello"));
        break;
    case EMPTY_LINE:
        insert(l, 3, strdup(""));
        break;
    case LONG_LINE:
        insert(l, 3, repeat(2 * RECORD_LINE_MAX + 77));
        break;
    case EMPTY:
        while (l->n)
            drop(l, 0);
        break;
    default:
        break;
    }
}

static const struct {
    const char *name;
    enum tampering what;
    bool head;
    int code;
    const char *findings; /* LINE:KIND … */
} cases[] = {
    {"nothing", NOTHING, true, VERIFY_GOOD, ""},
    {"changed", CHANGE, false, VERIFY_BROKEN, "3:changed "},
    {"changed, its hash made anew", CHANGE_REHASH_ONE, false, VERIFY_BROKEN, "4:changed "},
    {"hash changed", CHANGE_HASH, false, VERIFY_BROKEN, "3:changed 4:changed "},
    {"first changed", CHANGE_FIRST, false, VERIFY_BROKEN, "1:changed "},
    {"removed", REMOVE, false, VERIFY_BROKEN, "3:missing "},
    {"two removed", REMOVE_TWO, false, VERIFY_BROKEN, "3:missing "},
    {"first removed", REMOVE_FIRST, false, VERIFY_BROKEN, "1:missing "},
    {"swapped", SWAP, false, VERIFY_BROKEN, "3:missing 4:reordered "},
    {"repeated", REPEAT, false, VERIFY_BROKEN, "5:reordered "},
    {"tail cut", CUT_TAIL, false, VERIFY_NO_STOP, ""},
    {"tail cut, head known", CUT_TAIL, true, VERIFY_BROKEN, "4:cut-off "},
    {"tail cut and made anew", CUT_RECOMPUTED, false, VERIFY_GOOD, ""},
    {"tail cut and made anew, head known", CUT_RECOMPUTED, true, VERIFY_BROKEN, "5:cut-off "},
    {"all made anew", CHANGE_RECOMPUTED, false, VERIFY_GOOD, ""},
    {"all made anew, head known", CHANGE_RECOMPUTED, true, VERIFY_BROKEN, "6:changed "},
    {"torn at the end", TORN, false, VERIFY_BROKEN, "6:torn "},
    {"torn between", TORN_BETWEEN, true, VERIFY_BROKEN, "4:torn "},
    {"garbage", GARBAGE, true, VERIFY_BROKEN, "4:form "},
    {"empty line", EMPTY_LINE, true, VERIFY_BROKEN, "4:form "},
    {"long line", LONG_LINE, true, VERIFY_BROKEN, "4:form "},
    {"duplicate key", DUPLICATE_KEY, false, VERIFY_BROKEN, "3:form "},
    {"not JSON", NOT_JSON, false, VERIFY_BROKEN, "3:form "},
    {"empty", EMPTY, false, VERIFY_BROKEN, "0:cut-off "},
};

/* `LINE:KIND ` of each finding of the JSON, without a JSON reader: the order of the members is
 * ours and fixed. */
static void findings_of(const char *json, struct buffer *out)
{
    buffer_clear(out);
    buffer_add(out, "", 0);
    for (const char *at = json; (at = strstr(at, "\"line\":")) != NULL; at++) {
        char kind[32] = "";
        unsigned long line = strtoul(at + 7, NULL, 10);
        const char *word = strstr(at, "\"kind\":\"");
        assert_non_null(word);
        sscanf(word + 8, "%31[^\"]", kind);
        buffer_printf(out, "%lu:%s ", line, kind);
    }
}

static void test_verify_tampering(void **state)
{
    (void)state;
    CLEANUP_BUFFER struct buffer out = {0}, found = {0};
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct lines l;
        write_log("scccce", &l);
        tamper_text(cases[i].what, &l);
        tamper_lines(cases[i].what, &l);
        save(path, &l, 0, l.n);
        if (cases[i].what == TORN)
            tear(20);
        char *args[] = {path, (char *)"--json", cases[i].head ? (char *)"--head" : NULL, l.head,
                        NULL};
        int code = run(args, &out);
        findings_of(out.data, &found);
        if (code != cases[i].code || strcmp(found.data, cases[i].findings) != 0)
            print_error("%s: %s", cases[i].name, out.data);
        assert_string_equal(found.data, cases[i].findings);
        assert_int_equal(code, cases[i].code);
        free_lines(&l);
    }
}

/* Every byte of a log, changed one at a time, is noticed. */
static void test_verify_every_byte(void **state)
{
    (void)state;
    CLEANUP_BUFFER struct buffer out = {0};
    struct lines l;
    write_log("sce", &l);
    char *args[] = {path, (char *)"--quiet", NULL};
    for (size_t i = 0; i < l.n; i++)
        for (size_t at = 0; l.line[i][at]; at++) {
            l.line[i][at] ^= 1;
            save(path, &l, 0, l.n);
            l.line[i][at] ^= 1;
            assert_int_equal(run(args, &out), VERIFY_BROKEN);
            assert_string_equal(out.data, "");
        }
    free_lines(&l);
}

static void test_verify_runs(void **state)
{
    (void)state;
    CLEANUP_BUFFER struct buffer out = {0};
    static const struct {
        const char *events;
        int code;
        const char *says;
    } runs[] = {
        {"se", VERIFY_GOOD, "2 records, 1 run,"},
        {"scesce", VERIFY_GOOD, "6 records, 2 runs"},
        {"scsce", VERIFY_NO_STOP, "an earlier run has no stop record"},
        {"scesc", VERIFY_NO_STOP, "the last run has no stop record"},
        {"ce", VERIFY_BROKEN, "does not begin with a start record"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(runs); i++) {
        struct lines l;
        write_log(runs[i].events, &l);
        char *args[] = {path, NULL};
        assert_int_equal(run(args, &out), runs[i].code);
        assert_non_null(strstr(out.data, runs[i].says));
        free_lines(&l);
    }
}

static void test_verify_files(void **state)
{
    (void)state;
    CLEANUP_BUFFER struct buffer out = {0};
    struct lines l;
    write_log("scesce", &l);
    for (size_t cut = 1; cut < l.n; cut++) {
        save(path, &l, 0, cut);
        save(second, &l, cut, l.n - cut);
        char *good[] = {path, second, (char *)"--head", l.head, NULL};
        assert_int_equal(run(good, &out), VERIFY_GOOD);
        char *swapped[] = {second, path, NULL};
        assert_int_equal(run(swapped, &out), VERIFY_BROKEN);
        char *half[] = {second, NULL};
        assert_int_equal(run(half, &out), VERIFY_BROKEN);
        assert_non_null(strstr(out.data, ":1: record"));
        assert_non_null(strstr(out.data, second));
    }
    free_lines(&l);
}

static void test_verify_usage(void **state)
{
    (void)state;
    CLEANUP_BUFFER struct buffer out = {0};
    struct lines l;
    write_log("se", &l);
    static const struct {
        const char *args[4];
        int code;
        const char *says;
    } usages[] = {
        {{"--help"}, VERIFY_GOOD, "Exit status"},
        {{NULL}, VERIFY_USAGE, "needs a log"},
        {{"--what", path}, VERIFY_USAGE, "usage:"},
        {{path, "--head", "x"}, VERIFY_USAGE, "SEQ:HASH"},
        {{path, "--head", "0:00"}, VERIFY_USAGE, "SEQ:HASH"},
        {{"/nonexistent/log"}, VERIFY_USAGE, "'/nonexistent/log': No such file"},
        {{directory}, VERIFY_USAGE, "Is a directory"},
        {{path, "--quiet"}, VERIFY_GOOD, ""},
    };
    for (size_t i = 0; i < ARRAY_SIZE(usages); i++) {
        char *args[5] = {0};
        for (size_t k = 0; k < 4; k++)
            args[k] = (char *)usages[i].args[k];
        assert_int_equal(run(args, &out), usages[i].code);
        assert_non_null(strstr(out.data, usages[i].says));
    }
    free_lines(&l);
}

int main(void)
{
    static const struct unit_test tests[] = {
        REPORT("-", test_verify_tampering), REPORT("-", test_verify_every_byte),
        REPORT("-", test_verify_runs),      REPORT("-", test_verify_files),
        REPORT("-", test_verify_usage),
    };
    if (!mkdtemp(directory))
        return 1;
    snprintf(path, sizeof(path), "%s/log.jsonl", directory);
    snprintf(second, sizeof(second), "%s/second.jsonl", directory);
    snprintf(out_path, sizeof(out_path), "%s/out", directory);
    int failed = unit_run(tests, ARRAY_SIZE(tests));
    unlink(path);
    unlink(second);
    unlink(out_path);
    rmdir(directory);
    return failed;
}
