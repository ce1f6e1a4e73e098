/* SPDX-License-Identifier: GPL-2.0-only */
/* The one function of this header that bcc's headers use, for constants known while compiling. */
#ifndef PODTRACE_LOG2_H
#define PODTRACE_LOG2_H

#define roundup_pow_of_two(n) ((n) <= 1 ? 1UL : 1UL << (64 - __builtin_clzl((unsigned long)(n)-1)))

#endif
