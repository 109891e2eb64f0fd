/* SPDX-License-Identifier: MIT
 * SHA-256 by OpenSSL. A digest that cannot be computed would be a lie in every record that leans
 * on it, so a failure of the library ends the process instead of being passed on. */
#include "tls/digest.h"

#include <stdlib.h>

#include <openssl/evp.h>

struct digest {
    EVP_MD_CTX *context;
};

/* Naming the algorithm makes the library look for it, which costs more than a short digest: once
 * is enough, NULL is the one from before. */
static void digest_start(struct digest *d, const EVP_MD *algorithm)
{
    if (EVP_DigestInit_ex(d->context, algorithm, NULL) != 1)
        abort();
}

struct digest *digest_new(void)
{
    struct digest *d = calloc(1, sizeof(*d));
    if (!d)
        return NULL;
    d->context = EVP_MD_CTX_new();
    if (!d->context) {
        free(d);
        return NULL;
    }
    digest_start(d, EVP_sha256());
    return d;
}

void digest_free(struct digest *d)
{
    if (!d)
        return;
    EVP_MD_CTX_free(d->context);
    free(d);
}

void digest_add(struct digest *d, const void *data, size_t len)
{
    if (len && EVP_DigestUpdate(d->context, data, len) != 1)
        abort();
}

void digest_end(struct digest *d, uint8_t out[SHA256_LEN])
{
    unsigned len = 0;
    if (EVP_DigestFinal_ex(d->context, out, &len) != 1 || len != SHA256_LEN)
        abort();
    digest_start(d, NULL);
}

void digest_hex(const uint8_t digest[SHA256_LEN], char hex[SHA256_HEX + 1])
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < SHA256_LEN; i++) {
        hex[2 * i] = digits[digest[i] >> 4];
        hex[2 * i + 1] = digits[digest[i] & 15];
    }
    hex[SHA256_HEX] = '\0';
}
