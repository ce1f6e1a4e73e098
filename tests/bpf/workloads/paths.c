/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files whose names are the point: their paths are printed as a container sees them, with what was done under each.
 * Usage: paths many DIRECTORY COUNT | names DIRECTORY | view DIRECTORY | long DIRECTORY
 */
#include "load.h"

#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>

static char block[4096];
static const char *comma = "";

static void expect(const char *path, int operations, int bytes, int opened)
{
    detail("%s[\"%s\",%d,%d,%d]", comma, path, operations, bytes, opened);
    comma = ",";
}

static void unlink_counted(const char *path)
{
    record(FILES_UNLINK, unlinkat(AT_FDCWD, path, 0));
}

/* Each turn frees its inode, so that the next file is likely to get the same one. */
static void many(const char *directory, int count)
{
    for (int turn = 0; turn < count; turn++) {
        char path[512];
        snprintf(path, sizeof(path), "%s/part-%d.tmp", directory, turn);
        int size = 1 + turn % 97, fd = load_open(path, O_RDWR | O_CREAT | O_EXCL, 0600);
        transfer(FILES_WRITE, write(fd, block, (size_t)size));
        transfer(FILES_READ, pread(fd, block, (size_t)size, 0));
        load_close(fd);
        unlink_counted(path);
        expect(path, 2, 2 * size, 1);
    }
}

static void names(const char *directory)
{
    char first[512], second[512], removed[600], odd[600];
    snprintf(first, sizeof(first), "%s/first", directory);
    snprintf(second, sizeof(second), "%s/second", directory);
    int fd = load_open(first, O_RDWR | O_CREAT, 0600);
    for (int turn = 0; turn < 7; turn++)
        transfer(FILES_WRITE, write(fd, block, 101));
    record(FILES_RENAME, renameat2(AT_FDCWD, first, AT_FDCWD, second, 0));
    for (int turn = 0; turn < 11; turn++)
        transfer(FILES_WRITE, write(fd, block, 103));
    unlink_counted(second);
    for (int turn = 0; turn < 13; turn++)
        transfer(FILES_WRITE, write(fd, block, 107));
    load_close(fd);
    expect(first, 7, 707, 1);
    expect(second, 11, 1133, 0);
    snprintf(removed, sizeof(removed), "%s (deleted)", second);
    expect(removed, 13, 1391, 0);

    int memory = memfd_create("scratch", 0);
    for (int turn = 0; turn < 5; turn++)
        transfer(FILES_WRITE, write(memory, block, 109));
    load_close(memory);
    expect("memfd:scratch", 5, 545, 0);

    snprintf(odd, sizeof(odd), "%s/with space, 'quotes' and \xc3\xbcmlaut", directory);
    fd = load_open(odd, O_RDWR | O_CREAT, 0600);
    transfer(FILES_WRITE, write(fd, block, 113));
    load_close(fd);
    unlink_counted(odd);
    expect(odd, 1, 113, 1);
}

static void one_write(const char *path, const char *shown)
{
    int fd = load_open(path, O_RDWR | O_CREAT, 0600);
    for (int turn = 0; turn < 3; turn++)
        transfer(FILES_WRITE, write(fd, block, 127));
    load_close(fd);
    expect(shown, 3, 381, 1);
}

/* A mount namespace of its own, a bind mount, a mounted tmpfs, and at last another root: what a container runtime does. */
static void view(const char *directory)
{
    char target[512], file[600];
    must(unshare(CLONE_NEWNS), "unshare");
    must(mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL), "mount private");
    snprintf(target, sizeof(target), "%s/mounted", directory);
    must(mkdir(target, 0700), "mkdir");
    must(mount("/dev/shm", target, NULL, MS_BIND, NULL), "bind mount");
    snprintf(file, sizeof(file), "%s/podtrace-bound", target);
    one_write(file, file);
    unlink_counted(file);

    must(mount("none", target, "tmpfs", 0, NULL), "mount tmpfs");
    snprintf(file, sizeof(file), "%s/inside", target);
    one_write(file, file);

    must(mkdir(strcat(target, "/etc"), 0700), "mkdir");
    snprintf(target, sizeof(target), "%s/mounted", directory);
    must(mount(target, target, NULL, MS_BIND, NULL), "bind mount onto itself");
    must(chdir(target), "chdir");
    must(syscall(SYS_pivot_root, ".", "."), "pivot_root");
    must(umount2(".", MNT_DETACH), "umount");
    must(chdir("/"), "chdir");
    one_write("/etc/config", "/etc/config");
    one_write("/top", "/top");
}

/* 20 directories deep is usual; 60 deep with long names is longer than a record may hold. */
static void long_paths(const char *directory)
{
    char path[4096], name[64];
    snprintf(path, sizeof(path), "%s", directory);
    for (int depth = 0; depth < 60; depth++) {
        snprintf(name, sizeof(name), "/directory-number-%02d-with-a-long-name", depth);
        strcat(path, name);
        must(mkdir(path, 0700), "mkdir");
        if (depth != 9 && depth != 19 && depth != 59)
            continue;
        unsigned long end = strlen(path);
        strcat(path, "/file");
        one_write(path, path);
        path[end] = 0;
    }
}

int main(int argc, char **argv)
{
    must(argc >= 3 ? 0 : -1, "usage: paths many|names|view|long DIRECTORY [COUNT]");
    load_prepare();
    load_start();
    detail(",\"files\":[");
    if (!strcmp(argv[1], "many"))
        many(argv[2], atoi(argv[3]));
    else if (!strcmp(argv[1], "names"))
        names(argv[2]);
    else if (!strcmp(argv[1], "view"))
        view(argv[2]);
    else
        long_paths(argv[2]);
    detail("]");
    load_print();
    return 0;
}
