/* SPDX-License-Identifier: GPL-2.0-only */
/* Empty on purpose: bcc's headers ask for it, the tracer's programs see no packets. */
