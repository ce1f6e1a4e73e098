/* SPDX-License-Identifier: GPL-2.0 */
/* Where the data of a call stands in its program's memory, and the address beside it. */

/* System call number -> SHAPE_ constant, filled by the tracer for this architecture. */
BPF_ARRAY(syscall_shapes, u32, SYSCALL_NUMBERS);

/* What the kernel's struct iovec says. */
struct piece {
	u64 base;
	u64 size;
};

static __always_inline u32 shape_of_call(struct pt_regs *regs)
{
	u32 number = SYSCALL_NUMBER(regs), *shape = number < SYSCALL_NUMBERS ? syscall_shapes.lookup(&number) : 0;
	return shape ? *shape : 0;
}

/* The place of the address that a send names; 0 if it names none. */
static __always_inline const char *destination_of_call(struct pt_regs *regs, u32 shape, u32 message)
{
	u64 name = 0;
	if (shape == SHAPE_ADDRESSED) {
		name = SYSCALL_ARG4(regs);
		/* Keeps clang from making one load of this and of what the helper puts on the stack. */
		asm volatile("" : "+r"(name));
	} else if (shape == SHAPE_HEADER || shape == SHAPE_HEADERS) {
		read_user(&name, sizeof(name),
			  (const char *)SYSCALL_ARG1(regs) + message * MESSAGES_DISTANCE + MESSAGE_NAME);
	}
	return (const char *)name;
}
