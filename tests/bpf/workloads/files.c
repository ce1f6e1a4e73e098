/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every way to read, write, flush, open, rename and remove regular files, each a prime number of times, and what must not be counted
 * beside it. Usage: files DIRECTORY... (one of each file system that is to be tried).
 */
#include "load.h"

#include <linux/fs.h>
#include <linux/openat2.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/uio.h>

#define TIMES(n) for (int turn = 0; turn < (n); turn++)

static char block[65536];

static void writes(int fd)
{
    struct iovec parts[3] = {{block, 11}, {block, 13}, {block, 17}};
    TIMES(23) transfer(FILES_WRITE, write(fd, block, 4099));
    TIMES(19) transfer(FILES_WRITE, pwrite(fd, block, 1009, 7 * turn));
    TIMES(17) transfer(FILES_WRITE, writev(fd, parts, 3));
    TIMES(13) transfer(FILES_WRITE, pwritev(fd, parts, 2, 101));
    TIMES(11) transfer(FILES_WRITE, syscall(SYS_pwritev2, fd, parts, 3, 211, 0, 0)); /* which not every C library has */
    TIMES(3) transfer(FILES_WRITE, write(fd, block, 0));
}

static void reads(int fd)
{
    struct iovec parts[3] = {{block, 11}, {block + 64, 13}, {block + 128, 17}};
    lseek(fd, 0, SEEK_SET);
    TIMES(29) transfer(FILES_READ, read(fd, block, 1013));
    TIMES(23) transfer(FILES_READ, pread(fd, block, 521, 3 * turn));
    TIMES(19) transfer(FILES_READ, readv(fd, parts, 3));
    TIMES(17) transfer(FILES_READ, preadv(fd, parts, 2, 5));
    TIMES(13) transfer(FILES_READ, syscall(SYS_preadv2, fd, parts, 3, 7, 0, 0));
    lseek(fd, 0, SEEK_END);
    TIMES(7) transfer(FILES_READ, read(fd, block, 4096)); /* 0 bytes */
}

static void flushes(int fd)
{
    TIMES(5) record(FILES_FSYNC, fsync(fd));
    TIMES(3) record(FILES_FSYNC, fdatasync(fd));
    TIMES(2) record(FILES_FSYNC, sync_file_range(fd, 0, 4096, SYNC_FILE_RANGE_WRITE));
}

static void record_copy(long result)
{
    transfer(FILES_READ, result);
    transfer(FILES_WRITE, result);
}

static void copies(int from, int to)
{
    off_t offset;
    int ends[2];
    must(pipe(ends), "pipe");
    TIMES(7) { offset = 0; record_copy(sendfile(to, from, &offset, 1511)); }
    TIMES(5)
    {
        loff_t in = 0, out = 4096 * turn;
        record_copy(copy_file_range(from, &in, to, &out, 769, 0));
    }
    TIMES(11)
    {
        loff_t in = 0, out = 64;
        transfer(FILES_READ, splice(from, &in, ends[1], NULL, 1031, 0));
        transfer(FILES_WRITE, splice(ends[0], NULL, to, &out, 1031, 0));
    }
    TIMES(3) { offset = 0; transfer(FILES_READ, sendfile(ends[1], from, &offset, 257)); }
    load_close(ends[0]);
    load_close(ends[1]);
}

static void errors(int fd, const char *path)
{
    struct rlimit unlimited, small;
    getrlimit(RLIMIT_FSIZE, &unlimited);
    small = (struct rlimit){.rlim_cur = 1 << 20, .rlim_max = unlimited.rlim_max};
    setrlimit(RLIMIT_FSIZE, &small);
    TIMES(5) transfer(FILES_WRITE, pwrite(fd, block, 100, 2 << 20)); /* EFBIG */
    setrlimit(RLIMIT_FSIZE, &unlimited);
    TIMES(3) transfer(FILES_READ, pread(fd, block, 10, -1));                /* EINVAL */
    TIMES(7) transfer(FILES_READ, syscall(SYS_pread64, fd, 1L, 100L, 0L)); /* EFAULT */
    int read_only = load_open(path, O_RDONLY, 0);
    TIMES(2) transfer(FILES_WRITE, write(read_only, block, 10)); /* EBADF: no topic's */
    load_close(read_only);
    TIMES(3) transfer(FILES_READ, read(read_only, block, 10));
    TIMES(3) load_close(read_only);
}

/* Descriptors that are no regular files: none of these calls is an operation of files, their opens and closes are. */
static void other_kinds(const char *directory)
{
    int ends[2], folder = load_open(directory, O_RDONLY | O_DIRECTORY, 0), null = load_open("/dev/null", O_RDWR, 0);
    must(pipe(ends), "pipe");
    TIMES(3)
    {
        read(folder, block, 10);
        fsync(folder);
        read(null, block, 10);
        write(null, block, 10);
        write(ends[1], block, 10);
        read(ends[0], block, 10);
    }
    load_close(folder);
    load_close(null);
    load_close(ends[0]);
    load_close(ends[1]);
}

static void opens(const char *path, const char *missing)
{
    struct open_how how = {.flags = O_RDONLY}, wrong = {.flags = O_RDONLY, .resolve = ~0ULL};
    TIMES(7) load_close((int)record(FILES_OPEN, syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof(how))));
    TIMES(2) record(FILES_OPEN, syscall(SYS_openat2, AT_FDCWD, path, &wrong, sizeof(wrong))); /* EINVAL */
#ifdef SYS_open
    TIMES(5) load_close((int)record(FILES_OPEN, syscall(SYS_open, path, O_RDONLY)));
    TIMES(3) record(FILES_OPEN, syscall(SYS_open, missing, O_RDONLY));
#endif
#ifdef SYS_creat
    TIMES(3) load_close((int)record(FILES_OPEN, syscall(SYS_creat, path, 0600)));
#endif
    TIMES(13) load_open(missing, O_RDONLY, 0);                 /* ENOENT */
    TIMES(5) load_open(path, O_RDWR | O_CREAT | O_EXCL, 0600); /* EEXIST */
    TIMES(3) load_open("/", O_RDWR, 0);                        /* EISDIR */
    TIMES(2) load_open(path, O_RDONLY | O_DIRECTORY, 0);       /* ENOTDIR */
}

static void names(const char *directory, const char *path)
{
    char other[4096], missing[4096];
    snprintf(other, sizeof(other), "%s/other", directory);
    snprintf(missing, sizeof(missing), "%s/missing", directory);
#ifdef SYS_rename
    TIMES(3)
    {
        record(FILES_RENAME, syscall(SYS_rename, path, other));
        record(FILES_RENAME, syscall(SYS_rename, other, path));
    }
    TIMES(5) record(FILES_RENAME, syscall(SYS_rename, missing, other));
#endif
    record(FILES_RENAME, renameat(AT_FDCWD, path, AT_FDCWD, other));
    record(FILES_RENAME, syscall(SYS_renameat2, AT_FDCWD, other, AT_FDCWD, path, RENAME_NOREPLACE));
    TIMES(2) record(FILES_RENAME, syscall(SYS_renameat2, AT_FDCWD, path, AT_FDCWD, path, RENAME_NOREPLACE)); /* EEXIST */
    TIMES(3)
    {
        load_close(load_open(other, O_RDWR | O_CREAT, 0600));
        record(FILES_UNLINK, unlinkat(AT_FDCWD, other, 0));
    }
#ifdef SYS_unlink
    TIMES(7) record(FILES_UNLINK, syscall(SYS_unlink, missing));
    record(FILES_UNLINK, syscall(SYS_unlink, path));
#else
    record(FILES_UNLINK, unlinkat(AT_FDCWD, path, 0));
#endif
}

static void *reader(void *argument)
{
    char own[64];
    TIMES(211) transfer(FILES_READ, pread(*(int *)argument, own, sizeof(own), turn));
    return NULL;
}

static void threads(int fd)
{
    pthread_t ids[5];
    for (int i = 0; i < 5; i++) {
        must(-pthread_create(&ids[i], NULL, reader, &fd), "pthread_create");
        add(&load->tallies[PROCESSES_FORK_THREAD].count, 1);
    }
    for (int i = 0; i < 5; i++)
        pthread_join(ids[i], NULL);
}

static void whole_file(const char *path)
{
    int fd = load_open(path, O_RDONLY, 0);
    while (fd >= 0 && transfer(FILES_READ, read(fd, block, 1024)) > 0)
        ;
    load_close(fd);
}

static void directory_load(const char *directory)
{
    char path[4096], second[4096], missing[4096];
    snprintf(path, sizeof(path), "%s/file", directory);
    snprintf(second, sizeof(second), "%s/second", directory);
    snprintf(missing, sizeof(missing), "%s/missing", directory);
    int fd = load_open(path, O_RDWR | O_CREAT | O_TRUNC, 0600), to = load_open(second, O_RDWR | O_CREAT | O_TRUNC, 0600);
    writes(fd);
    reads(fd);
    flushes(fd);
    copies(fd, to);
    errors(fd, path);
    threads(fd);
    opens(path, missing);
    names(directory, path);
    TIMES(3) transfer(FILES_READ, pread(fd, block, 100, 0)); /* the file has no name any more */
    load_close(fd);
    load_close(to);
    record(FILES_UNLINK, unlinkat(AT_FDCWD, second, 0));
    other_kinds(directory);
}

int main(int argc, char **argv)
{
    load_prepare();
    signal(SIGXFSZ, SIG_IGN);
    load_start();
    for (int i = 1; i < argc; i++)
        directory_load(argv[i]);
    int memory = memfd_create("scratch", 0);
    writes(memory);
    reads(memory);
    flushes(memory);
    load_close(memory);
    whole_file("/proc/self/status");
    whole_file("/proc/cpuinfo");
    whole_file("/sys/kernel/mm/transparent_hugepage/enabled");
    load_print();
    return 0;
}
