/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * libbcc includes this file before all else, and takes a directory for a kernel's source tree because the file is there.
 * The options named here are those that bcc's own headers ask about.
 */
#ifndef PODTRACE_KCONFIG_H
#define PODTRACE_KCONFIG_H

#define CONFIG_64BIT 1
#define CONFIG_BPF_SYSCALL 1
#define CONFIG_ARCH_HAS_SYSCALL_WRAPPER 1

#include <linux/types.h>

#endif
