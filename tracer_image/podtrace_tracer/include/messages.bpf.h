/* SPDX-License-Identifier: GPL-2.0 */
/* Messages as programs hand them to sendmsg and recvmsg, in arrays to sendmmsg and recvmmsg. */

/* Offsets in struct msghdr. */
#define MESSAGE_NAME 0
#define MESSAGE_VECTOR 16
#define MESSAGE_PIECES 24
#define MESSAGE_CONTROL 32
/* struct mmsghdr is a struct msghdr, behind it the length that the kernel leaves there. */
#define MESSAGES_LENGTH 56
#define MESSAGES_DISTANCE 64
