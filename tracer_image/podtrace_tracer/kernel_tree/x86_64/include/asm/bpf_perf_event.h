/* SPDX-License-Identifier: GPL-2.0-only */
/* The registers that a program sees at a perf event: on x86-64, all of the kernel's. */
#ifndef PODTRACE_ASM_BPF_PERF_EVENT_H
#define PODTRACE_ASM_BPF_PERF_EVENT_H

#include <podtrace/btf.h>

#ifdef HAVE_pt_regs
typedef struct pt_regs bpf_user_pt_regs_t;
#else
typedef struct {
	__u64 words[21];
} bpf_user_pt_regs_t;
#endif

#endif
