/* SPDX-License-Identifier: GPL-2.0-only */
/* Empty on purpose: libbcc carries the BPF interface itself and has read it before this. */
