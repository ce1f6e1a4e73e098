/* Operations through known functions: `writes_by_hand` makes 7, `writes_by_foot` 11 of them, each by way of `journal`; `flushes`
 * makes 13 fsyncs. It is compiled in many ways, so it keeps to plain calls; those that count are made without the C library's
 * functions, which keep no frame, each version in its own way, unless BY_LIBRARY is defined. Prints "ready", works when told to,
 * prints "done". */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#define KEPT __attribute__((noinline, noclone))
#ifndef BY_LIBRARY
#define write(file, text, size) syscall(SYS_write, file, text, size)
#define fsync(file) syscall(SYS_fsync, file)
#endif

static int file;
static volatile int calls; /* what comes behind a call, so that none is a jump */

KEPT void journal(const char *text)
{
	if (write(file, text, 7) != 7)
		exit(3);
	calls++;
}

KEPT void writes_by_hand(void)
{
	for (int i = 0; i < 7; i++)
		journal("by hand");
	calls++;
}

KEPT void writes_by_foot(void)
{
	for (int i = 0; i < 11; i++)
		journal("by foot");
	calls++;
}

KEPT void flushes(void)
{
	for (int i = 0; i < 13; i++)
		if (fsync(file))
			exit(4);
	calls++;
}

KEPT void work(void)
{
	writes_by_hand();
	writes_by_foot();
	flushes();
	calls++;
}

int main(int count, char **arguments)
{
	if (count < 2)
		return 2;
	file = open(arguments[1], O_CREAT | O_RDWR, 0600);
	setbuf(stdout, 0);
	puts("ready");
	if (getchar() != '\n')
		return 5;
	work();
	puts("done");
	return getchar() == '\n' ? 0 : 5;
}
