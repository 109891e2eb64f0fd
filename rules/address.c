/* SPDX-License-Identifier: MIT
 * IPv4 addresses: how they are written, and which of them a name must not lie at. */
#include "rules/address.h"

#include "rules/policy.h"

#define IP(a, b, c, d) ((uint32_t)(a) << 24 | (uint32_t)(b) << 16 | (uint32_t)(c) << 8 | (d))

bool decimal_parse(const char *text, size_t len, uint32_t max, uint32_t *number)
{
    uint64_t value = 0;
    if (len == 0 || (len > 1 && text[0] == '0'))
        return false;
    for (size_t i = 0; i < len; i++) {
        if (text[i] < '0' || text[i] > '9')
            return false;
        value = value * 10 + (uint64_t)(text[i] - '0');
        if (value > max)
            return false;
    }
    *number = (uint32_t)value;
    return true;
}

bool address_parse(const char *text, size_t len, uint32_t *ip)
{
    uint32_t value = 0;
    size_t start = 0;
    unsigned octets = 0;
    for (size_t i = 0; i <= len; i++) {
        if (i < len && text[i] != '.')
            continue;
        uint32_t octet;
        if (octets == 4 || !decimal_parse(text + start, i - start, 255, &octet))
            return false;
        value = value << 8 | octet;
        octets++;
        start = i + 1;
    }
    *ip = value;
    return octets == 4;
}

bool address_looks_like(const char *text, size_t len)
{
    bool dot = false;
    for (size_t i = 0; i < len; i++) {
        if (text[i] == '.')
            dot = true;
        else if (text[i] < '0' || text[i] > '9')
            return false;
    }
    return dot;
}

uint32_t address_mask(unsigned prefix)
{
    return prefix == 0 ? 0 : UINT32_MAX << (32 - prefix);
}

static const struct {
    uint32_t ip;
    unsigned prefix;
} private_blocks[] = {
    {IP(0, 0, 0, 0), 8},       /* this network */
    {IP(10, 0, 0, 0), 8},      /* private */
    {IP(100, 64, 0, 0), 10},   /* shared by carriers */
    {IP(127, 0, 0, 0), 8},     /* loopback */
    {IP(169, 254, 0, 0), 16},  /* link-local */
    {IP(172, 16, 0, 0), 12},   /* private */
    {IP(192, 0, 0, 0), 24},    /* protocol assignments */
    {IP(192, 0, 2, 0), 24},    /* documentation */
    {IP(192, 88, 99, 0), 24},  /* 6to4 relays, withdrawn */
    {IP(192, 168, 0, 0), 16},  /* private */
    {IP(198, 18, 0, 0), 15},   /* benchmarks */
    {IP(198, 51, 100, 0), 24}, /* documentation */
    {IP(203, 0, 113, 0), 24},  /* documentation */
    {IP(224, 0, 0, 0), 3},     /* multicast, reserved, broadcast */
};

bool address_is_private(uint32_t ip)
{
    for (size_t i = 0; i < ARRAY_SIZE(private_blocks); i++)
        if ((ip & address_mask(private_blocks[i].prefix)) == private_blocks[i].ip)
            return true;
    return false;
}

bool address_private_block(size_t i, uint32_t *low, uint32_t *high)
{
    if (i >= ARRAY_SIZE(private_blocks))
        return false;
    *low = private_blocks[i].ip;
    *high = private_blocks[i].ip | ~address_mask(private_blocks[i].prefix);
    return true;
}

bool address_is_metadata(uint32_t ip)
{
    return ip == IP(169, 254, 169, 254) || ip == IP(168, 63, 129, 16);
}
