/* SPDX-License-Identifier: GPL-2.0-only */
/* The registers are described by the kernel's own BTF. */
#include <podtrace/btf.h>

struct pt_regs;
