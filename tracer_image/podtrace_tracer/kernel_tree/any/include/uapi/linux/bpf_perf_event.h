/* SPDX-License-Identifier: GPL-2.0-only */
/* What a program attached to a perf event is handed. */
#ifndef PODTRACE_BPF_PERF_EVENT_H
#define PODTRACE_BPF_PERF_EVENT_H

#include <asm/bpf_perf_event.h>

struct bpf_perf_event_data {
	bpf_user_pt_regs_t regs;
	__u64 sample_period;
	__u64 addr;
};

#endif
