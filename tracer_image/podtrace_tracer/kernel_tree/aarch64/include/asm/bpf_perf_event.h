/* SPDX-License-Identifier: GPL-2.0-only */
/* The registers that a program sees at a perf event: on arm64, the part of the kernel's that user space may know. */
#ifndef PODTRACE_ASM_BPF_PERF_EVENT_H
#define PODTRACE_ASM_BPF_PERF_EVENT_H

#include <podtrace/btf.h>

#ifndef HAVE_user_pt_regs
struct user_pt_regs {
	__u64 regs[31];
	__u64 sp;
	__u64 pc;
	__u64 pstate;
};
#endif

typedef struct user_pt_regs bpf_user_pt_regs_t;

#endif
