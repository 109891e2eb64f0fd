/* SPDX-License-Identifier: MIT
 * Fixed headers: what is read of a good packet, and that every lie about a length is refused. */
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "intercept/queue.h"
#include "unit/report.h"

/* 192.0.0.2 to 9.9.9.9; the lines of the table say what else. */
#define HEADER(first, total_hi, total_lo, frag_hi, frag_lo, proto)                                 \
    first "\x00" total_hi total_lo "\x00\x01" frag_hi frag_lo "\x40" proto "\x00\x00"              \
          "\xc0\x00\x00\x02\x09\x09\x09\x09"
#define UDP  "\x0f\xa0\x00\x7b\x00\x0c\x00\x00time"
#define ECHO "\x08\x00\x00\x00\x00\x00\x00\x01"

struct line {
    const char *name;
    const char *bytes;
    size_t len;
    int code;
    struct packet want;
};

#define LINE(name, bytes, code, ...)                                                               \
    {                                                                                              \
        name, bytes, sizeof(bytes) - 1, code,                                                      \
        {                                                                                          \
            .src_ip = 0xc0000002, .dst_ip = 0x09090909, __VA_ARGS__                                \
        }                                                                                          \
    }
#define BAD(name, bytes)                                                                           \
    {                                                                                              \
        name, bytes, sizeof(bytes) - 1, -EBADMSG,                                                  \
        {                                                                                          \
            0                                                                                      \
        }                                                                                          \
    }

static const struct line lines[] = {
    LINE("udp", HEADER("E", "\x00", "\x20", "\x00", "\x00", "\x11") UDP, 0, .proto = 17,
         .src_port = 4000, .dst_port = 123, .length = 32),
    LINE("options", HEADER("F", "\x00", "\x24", "\x00", "\x00", "\x11") "\x01\x01\x01\x00" UDP, 0,
         .proto = 17, .src_port = 4000, .dst_port = 123, .length = 36),
    LINE("cut by the queue", HEADER("E", "\x05", "\xdc", "\x40", "\x00", "\x84") "abcd", 0,
         .proto = 132, .length = 1500),
    LINE("udp-lite",
         HEADER("E", "\x00", "\x1c", "\x00", "\x00", "\x88") "\x00\x01\x00\x35\x00\x08..", 0,
         .proto = 136, .src_port = 1, .dst_port = 53, .length = 28),
    LINE("echo", HEADER("E", "\x00", "\x1c", "\x00", "\x00", "\x01") ECHO, 0, .proto = 1,
         .icmp_type = 8, .length = 28),
    LINE("unknown protocol, empty", HEADER("E", "\x00", "\x14", "\x00", "\x00", "\xfd"), 0,
         .proto = 253, .length = 20),
    LINE("tcp has no ports here",
         HEADER("E", "\x00", "\x18", "\x00", "\x00", "\x06") "\x01\x02\x03\x04", 0, .proto = 6,
         .length = 24),
    LINE("first fragment",
         HEADER("E", "\x00", "\x1c", "\x20", "\x00", "\x11") "\x0f\xa0\x00\x7b\x10\x00..", 0,
         .proto = 17, .src_port = 4000, .dst_port = 123, .length = 28),
    LINE("later fragment", HEADER("E", "\x00", "\x20", "\x00", "\x10", "\x11") UDP, 0, .proto = 17,
         .length = 32),
    LINE("later fragment, short", HEADER("E", "\x00", "\x15", "\x20", "\x10", "\x01") "x", 0,
         .proto = 1, .length = 21),
    BAD("empty", ""),
    BAD("version 6", HEADER("e", "\x00", "\x20", "\x00", "\x00", "\x11") UDP),
    BAD("header length 4", HEADER("D", "\x00", "\x20", "\x00", "\x00", "\x11") UDP),
    BAD("header longer than the packet", HEADER("O", "\x00", "\x20", "\x00", "\x00", "\x11") UDP),
    BAD("total under header", HEADER("E", "\x00", "\x13", "\x00", "\x00", "\x11") UDP),
    BAD("more bytes than total", HEADER("E", "\x00", "\x1f", "\x00", "\x00", "\x11") UDP),
    BAD("udp header cut", HEADER("E", "\x00", "\x20", "\x00", "\x00", "\x11") "\x0f\xa0\x00\x7b"),
    BAD("udp says 7",
        HEADER("E", "\x00", "\x1c", "\x00", "\x00", "\x11") "\x0f\xa0\x00\x7b\x00\x07.."),
    BAD("udp says more",
        HEADER("E", "\x00", "\x1c", "\x00", "\x00", "\x11") "\x0f\xa0\x00\x7b\x00\x09.."),
    BAD("icmp header cut",
        HEADER("E", "\x00", "\x1b", "\x00", "\x00", "\x01") "\x08\x00\x00\x00\x00\x00\x00"),
    BAD("fragment past 64 KiB", HEADER("E", "\x00", "\x20", "\x1f", "\xff", "\x11") UDP),
};

static bool same(const struct packet *a, const struct packet *b)
{
    return a->src_ip == b->src_ip && a->dst_ip == b->dst_ip && a->src_port == b->src_port &&
           a->dst_port == b->dst_port && a->proto == b->proto && a->icmp_type == b->icmp_type &&
           a->length == b->length;
}

static void test_table(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
        struct packet got;
        int code = packet_read(lines[i].bytes, lines[i].len, &got);
        if (code != lines[i].code || !same(&got, &lines[i].want))
            fail_msg("%s: %d", lines[i].name, code);
    }
}

/* Every truncation of every packet, right before a page that must not be touched. */
static void test_truncations_at_a_guard_page(void **state)
{
    (void)state;
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    char *memory = mmap(NULL, page * 2, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(memory != MAP_FAILED);
    assert_int_equal(mprotect(memory + page, page, PROT_NONE), 0);
    for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
        for (size_t len = 0; len <= lines[i].len; len++) {
            struct packet got;
            char *place = memory + page - len;
            memcpy(place, lines[i].bytes, len);
            int code = packet_read(place, len, &got);
            assert_true(code == 0 || code == -EBADMSG);
            assert_true(code == 0 ? len >= 20 : !got.src_port && !got.src_ip);
        }
    }
    munmap(memory, page * 2);
}

static void test_nothing_is_nothing(void **state)
{
    (void)state;
    struct packet got;
    assert_int_equal(packet_read(NULL, 0, &got), -EBADMSG);
}

static const struct unit_test tests[] = {
    REPORT("R09", test_table),
    REPORT("R09", test_truncations_at_a_guard_page),
    REPORT("-", test_nothing_is_nothing),
};

int main(void)
{
    return unit_run(tests, ARRAY_SIZE(tests));
}
