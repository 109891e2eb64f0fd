/* SPDX-License-Identifier: MIT
 * Names that the compiler checks. */
#pragma once

#define NODISCARD     __attribute__((warn_unused_result))
#define PRINTF(f, a)  __attribute__((format(printf, f, a)))
#define NONNULL(...)  __attribute__((nonnull(__VA_ARGS__)))
#define CLEANUP(func) __attribute__((cleanup(func)))
#define UNUSED        __attribute__((unused))

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define MIN(a, b)     ((a) < (b) ? (a) : (b))
#define MAX(a, b)     ((a) > (b) ? (a) : (b))

/* Takes the value and leaves the empty one behind, so that a cleanup attribute lets go of it. */
#define STEAL(pointer)                                                                             \
    __extension__({                                                                                \
        __typeof__(pointer) stolen_ = (pointer);                                                   \
        (pointer) = NULL;                                                                          \
        stolen_;                                                                                   \
    })
