/* SPDX-License-Identifier: MIT
 * The JSON writer against bytes that would break or forge a line. */
#include "unit/report.h"

#include <jansson.h>
#include <string.h>

#include "audit/json.h"

#define BYTES(literal) literal, sizeof(literal) - 1

static void test_json_strings(void **state)
{
    (void)state;
    static const struct {
        const char *in;
        size_t len;
        const char *out;
    } cases[] = {
        {BYTES(""), "{\"f\":\"\"}"},
        {BYTES("plain"), "{\"f\":\"plain\"}"},
        {BYTES("a\"b\\c"), "{\"f\":\"a\\\"b\\\\c\"}"},
        {BYTES("a\nb\r\t\b\f"), "{\"f\":\"a\\nb\\r\\t\\b\\f\"}"},
        {BYTES("\0\x01\x1b[2J\x7f"), "{\"f\":\"\\u0000\\u0001\\u001b[2J\\u007f\"}"},
        {BYTES("\xc2\x9b"), "{\"f\":\"\\u009b\"}"},
        {BYTES("\xe2\x80\xa8\xe2\x80\xa9"), "{\"f\":\"\\u2028\\u2029\"}"},
        {BYTES("\xe2\x80\xae"), "{\"f\":\"\\u202e\"}"},
        {BYTES("gr\xc3\xbc\xc3\x9f \xf0\x9f\x99\x82"),
         "{\"f\":\"gr\xc3\xbc\xc3\x9f \xf0\x9f\x99\x82\"}"},
        {BYTES("\xff"), "{\"f\":\"\xef\xbf\xbd\",\"f_raw\":\"/w==\"}"},
        {BYTES("a\xc3"), "{\"f\":\"a\xef\xbf\xbd\",\"f_raw\":\"YcM=\"}"},
        {BYTES("ab\xc0"), "{\"f\":\"ab\xef\xbf\xbd\",\"f_raw\":\"YWLA\"}"},
        {BYTES("\xc0\xaf"), "{\"f\":\"\xef\xbf\xbd\xef\xbf\xbd\",\"f_raw\":\"wK8=\"}"},
        {BYTES("\xed\xa0\x80"),
         "{\"f\":\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\",\"f_raw\":\"7aCA\"}"},
        {BYTES("\xf4\x90\x80\x80"), "{\"f\":\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\","
                                    "\"f_raw\":\"9JCAgA==\"}"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        CLEANUP_BUFFER struct buffer b = {0};
        buffer_add_char(&b, '{');
        json_put_text(&b, "f", cases[i].in, cases[i].len);
        buffer_add_char(&b, '}');
        assert_string_equal(b.data, cases[i].out);
    }
}

/* Every string of two bytes: what comes out is JSON, on one line, and says the same. */
static void test_json_all_pairs(void **state)
{
    (void)state;
    CLEANUP_BUFFER struct buffer b = {0};
    for (unsigned pair = 0; pair < 65536; pair++) {
        char in[2] = {(char)(pair >> 8), (char)(pair & 255)};
        buffer_clear(&b);
        buffer_add_char(&b, '[');
        bool valid = json_put_string(&b, in, sizeof(in));
        buffer_add_char(&b, ']');
        json_t *list = json_loadb(b.data, b.len, JSON_ALLOW_NUL, NULL);
        assert_non_null(list);
        assert_null(memchr(b.data, '\n', b.len));
        json_t *s = json_array_get(list, 0);
        if (valid) {
            assert_int_equal(json_string_length(s), sizeof(in));
            assert_memory_equal(json_string_value(s), in, sizeof(in));
        }
        json_decref(list);
    }
}

static void test_json_numbers(void **state)
{
    (void)state;
    CLEANUP_BUFFER struct buffer b = {0};
    buffer_add_char(&b, '{');
    json_put_number(&b, "a", 0);
    json_put_number(&b, "b", UINT64_MAX);
    json_put_bool(&b, "c", false);
    buffer_add_char(&b, '}');
    assert_string_equal(b.data, "{\"a\":0,\"b\":9223372036854775807,\"c\":false}");
}

int main(void)
{
    static const struct unit_test tests[] = {
        REPORT("-", test_json_strings),
        REPORT("-", test_json_all_pairs),
        REPORT("-", test_json_numbers),
    };
    return unit_run(tests, ARRAY_SIZE(tests));
}
