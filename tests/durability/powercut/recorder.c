/* recorder.c - write down what a process does to the files below one directory, and what it sends.
 *
 * Loaded with LD_PRELOAD.  Every hooked call makes its system call and writes its record under one mutex, so the
 * order of the records is the order of the effects.  A send is recorded before it is made: whoever receives an
 * acknowledgement may act on it at once.  Records go straight to the log's descriptor, so SIGKILL loses none.
 * Only the first process of LD_PRELOAD records; its children run free.
 *
 *   METANODE_RECORD        the log (created, appended to)
 *   METANODE_RECORD_ROOT   absolute, without links: calls on files outside are not recorded
 *
 * A record is `struct head` and two byte strings (paths, or path and data).  recording.py reads it.
 * System calls are made directly: a hook must not depend on the symbol it replaces.  (opendir and closedir make
 * theirs inside the C library: directories listed by name are not recorded, which changes nothing on a disk.) */

#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#if __SIZEOF_POINTER__ != 8
#error "64-bit offsets in one register are assumed"
#endif

enum op { OPEN = 1, CLOSE, DUP, WRITE, TRUNCATE, RENAME, UNLINK, LINK, MKDIR, RMDIR, SYNC, SEND, ALARM, EXTEND, FAILED };

struct head {
    uint32_t total;          /* bytes of the record, head included */
    uint16_t op;
    uint16_t flag;           /* OPEN: 1 created, 2 truncated, 4 directory; SYNC: 0 fsync, 1 fdatasync */
    int32_t fd, fd2;
    uint64_t a, b;           /* OPEN: inode, -; WRITE, EXTEND: offset, -; TRUNCATE: size */
    uint32_t first, second;  /* lengths of the two strings */
};

#define FDS 65536
#define SEND_MAX 65536

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char root[PATH_MAX];
static size_t root_len;
static int log_fd = -1;
static pid_t owner;
static unsigned char watched[FDS];  /* 1 file, 2 file mapped by several processes (its name ends in -shm) */

static void emit(int op, int flag, int fd, int fd2, uint64_t a, uint64_t b,
                 const void *first, size_t n, const void *second, size_t m)
{
    struct head h = { (uint32_t)(sizeof h + n + m), (uint16_t)op, (uint16_t)flag, fd, fd2, a, b, (uint32_t)n, (uint32_t)m };
    struct iovec parts[3] = { { &h, sizeof h }, { (void *)first, n }, { (void *)second, m } };
    int kept = errno;
    if (syscall(SYS_writev, log_fd, parts, 3) != (long)h.total) {
        static const char text[] = "recorder: the log cannot be written\n";
        syscall(SYS_write, 2, text, sizeof text - 1);
        _exit(99);
    }
    errno = kept;
}

static void alarm_of(const char *what, const char *path)
{
    emit(ALARM, 0, -1, -1, 0, 0, what, strlen(what), path, path ? strlen(path) : 0);
}

static int active(void) { return log_fd >= 0 && getpid() == owner; }
static int is_watched(int fd) { return fd >= 0 && fd < FDS && watched[fd]; }
static void enter(void) { pthread_mutex_lock(&lock); }
static void leave(void) { int kept = errno; pthread_mutex_unlock(&lock); errno = kept; }

__attribute__((constructor)) static void start(void)
{
    const char *path = getenv("METANODE_RECORD"), *below = getenv("METANODE_RECORD_ROOT");
    int fd;
    unsetenv("LD_PRELOAD");
    if (path == NULL || below == NULL || strlen(below) >= sizeof root)
        return;
    strcpy(root, below);
    root_len = strlen(root);
    fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (fd < 0)
        return;
    log_fd = fcntl(fd, F_DUPFD_CLOEXEC, 900);  /* out of the way of code that counts on low numbers */
    syscall(SYS_close, fd);
    owner = getpid();
}

/* Write the absolute form of a path to `out`; return whether it lies below the root. */
static int resolve(int dir, const char *path, char out[PATH_MAX])
{
    char base[PATH_MAX], link[64];
    ssize_t n = 0;
    if (path == NULL)
        return 0;
    if (path[0] == '/') {
        if (strlen(path) >= PATH_MAX)
            return 0;
        strcpy(out, path);
    } else {
        snprintf(link, sizeof link, dir == AT_FDCWD ? "/proc/self/cwd" : "/proc/self/fd/%d", dir);
        n = readlink(link, base, sizeof base - 1);
        if (n < 0 || (size_t)n + strlen(path) + 2 > PATH_MAX)
            return 0;
        base[n] = 0;
        strcpy(out, base);
        out[n] = '/';
        strcpy(out + n + 1, path);
    }
    return strncmp(out, root, root_len) == 0 && (out[root_len] == '/' || out[root_len] == 0);
}

static int ends_with_shm(const char *path)
{
    size_t n = strlen(path);
    return n > 4 && strcmp(path + n - 4, "-shm") == 0;
}

static int do_open(int dir, const char *path, int flags, mode_t mode)
{
    char full[PATH_MAX];
    struct stat before, after;
    int fd, existed;
    if (!active() || !resolve(dir, path, full))
        return (int)syscall(SYS_openat, dir, path, flags, mode);
    enter();
    existed = stat(full, &before) == 0;
    fd = (int)syscall(SYS_openat, dir, path, flags, mode);
    if (fd >= 0 && fstat(fd, &after) == 0) {
        int flag = (existed ? 0 : 1) | ((flags & O_TRUNC) && existed ? 2 : 0) | (S_ISDIR(after.st_mode) ? 4 : 0);
        if (fd >= FDS || (flags & O_TMPFILE) == O_TMPFILE)
            alarm_of("open", full);
        else
            watched[fd] = ends_with_shm(full) ? 2 : 1;
        emit(OPEN, flag, fd, -1, after.st_ino, 0, full, strlen(full), NULL, 0);
    }
    leave();
    return fd;
}

#define MODE_ARGUMENT                               \
    mode_t mode = 0;                                \
    if (flags & (O_CREAT | O_TMPFILE)) {            \
        va_list rest;                               \
        va_start(rest, flags);                      \
        mode = (mode_t)va_arg(rest, int);           \
        va_end(rest);                               \
    }

int open(const char *path, int flags, ...) { MODE_ARGUMENT return do_open(AT_FDCWD, path, flags, mode); }
int open64(const char *path, int flags, ...) { MODE_ARGUMENT return do_open(AT_FDCWD, path, flags, mode); }
int openat(int dir, const char *path, int flags, ...) { MODE_ARGUMENT return do_open(dir, path, flags, mode); }
int openat64(int dir, const char *path, int flags, ...) { MODE_ARGUMENT return do_open(dir, path, flags, mode); }
int creat(const char *path, mode_t mode) { return do_open(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode); }
int creat64(const char *path, mode_t mode) { return do_open(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode); }

int close(int fd)
{
    int status;
    if (!active() || !is_watched(fd))
        return (int)syscall(SYS_close, fd);
    enter();
    watched[fd] = 0;  /* before the call: the number may be another thread's a moment later */
    status = (int)syscall(SYS_close, fd);
    emit(CLOSE, 0, fd, -1, 0, 0, NULL, 0, NULL, 0);
    leave();
    return status;
}

/* Closes its descriptor inside the C library, where no hook of ours is passed. */
int closedir(DIR *stream)
{
    int (*next)(DIR *) = (int (*)(DIR *))dlsym(RTLD_NEXT, "closedir");
    int status, fd = dirfd(stream);
    if (!active() || !is_watched(fd))
        return next(stream);
    enter();
    watched[fd] = 0;
    status = next(stream);
    emit(CLOSE, 0, fd, -1, 0, 0, NULL, 0, NULL, 0);
    leave();
    return status;
}

/* A descriptor that is the copy of another, or that replaces one without a close of its own. */
static int copied(int fd, int fd2)
{
    if (fd2 < 0)
        return fd2;
    if (is_watched(fd2)) {
        watched[fd2] = 0;
        emit(CLOSE, 0, fd2, -1, 0, 0, NULL, 0, NULL, 0);
    }
    if (is_watched(fd)) {
        if (fd2 >= FDS)
            alarm_of("dup", NULL);
        else
            watched[fd2] = watched[fd];
        emit(DUP, 0, fd, fd2, 0, 0, NULL, 0, NULL, 0);
    }
    return fd2;
}

#define COPYING(call)                                   \
    int made;                                           \
    if (!active())                                      \
        return (int)(call);                             \
    enter();                                            \
    made = copied(fd, (int)(call));                     \
    leave();                                            \
    return made;

int dup(int fd) { COPYING(syscall(SYS_dup, fd)) }
int dup3(int fd, int fd2, int flags) { COPYING(syscall(SYS_dup3, fd, fd2, flags)) }
int dup2(int fd, int fd2)
{
    if (fd == fd2)
        return fcntl(fd, F_GETFD) < 0 ? -1 : fd2;
    COPYING(syscall(SYS_dup3, fd, fd2, 0))
}

static int do_fcntl(int fd, int command, long argument)
{
    if (command == F_DUPFD || command == F_DUPFD_CLOEXEC) {
        COPYING(syscall(SYS_fcntl, fd, command, argument))
    }
    return (int)syscall(SYS_fcntl, fd, command, argument);
}

#define LONG_ARGUMENT                               \
    va_list rest;                                   \
    long argument;                                  \
    va_start(rest, command);                        \
    argument = va_arg(rest, long);                  \
    va_end(rest);

int fcntl(int fd, int command, ...) { LONG_ARGUMENT return do_fcntl(fd, command, argument); }
int fcntl64(int fd, int command, ...) { LONG_ARGUMENT return do_fcntl(fd, command, argument); }

static void wrote(int fd, uint64_t offset, const void *data, ssize_t n)
{
    if (n > 0 && watched[fd] != 2)
        emit(WRITE, 0, fd, -1, offset, 0, NULL, 0, data, (size_t)n);
}

static uint64_t position(int fd, ssize_t written) { return (uint64_t)(lseek(fd, 0, SEEK_CUR) - (written > 0 ? written : 0)); }

ssize_t write(int fd, const void *data, size_t size)
{
    ssize_t n;
    if (!is_watched(fd) || !active())
        return syscall(SYS_write, fd, data, size);
    enter();
    n = syscall(SYS_write, fd, data, size);
    wrote(fd, position(fd, n), data, n);
    leave();
    return n;
}

static ssize_t do_pwrite(int fd, const void *data, size_t size, off64_t offset)
{
    ssize_t n;
    if (!is_watched(fd) || !active())
        return syscall(SYS_pwrite64, fd, data, size, offset);
    enter();
    n = syscall(SYS_pwrite64, fd, data, size, offset);
    wrote(fd, (uint64_t)offset, data, n);
    leave();
    return n;
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t offset) { return do_pwrite(fd, data, size, offset); }
ssize_t pwrite64(int fd, const void *data, size_t size, off64_t offset) { return do_pwrite(fd, data, size, offset); }

/* What the kernel copied into a file without showing us the bytes: read it back. */
static void wrote_range(int fd, uint64_t offset, ssize_t n)
{
    char name[64], *data;
    int reader;
    if (n <= 0)
        return;
    snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
    reader = (int)syscall(SYS_openat, AT_FDCWD, name, O_RDONLY | O_CLOEXEC);
    data = malloc((size_t)n);
    if (reader < 0 || data == NULL || syscall(SYS_pread64, reader, data, (size_t)n, offset) != n)
        alarm_of("copy", NULL);
    else
        wrote(fd, offset, data, n);
    free(data);
    if (reader >= 0)
        syscall(SYS_close, reader);
}

static ssize_t do_writev(int fd, const struct iovec *parts, int count, off64_t offset, int flags, int positioned)
{
    ssize_t n;
    long call = positioned ? SYS_pwritev2 : SYS_writev;
    if (!is_watched(fd) || !active())
        return syscall(call, fd, parts, (long)count, offset, 0L, (long)flags);
    enter();
    n = syscall(call, fd, parts, (long)count, offset, 0L, (long)flags);
    wrote_range(fd, positioned && offset >= 0 ? (uint64_t)offset : position(fd, n), n);
    leave();
    return n;
}

ssize_t writev(int fd, const struct iovec *parts, int count) { return do_writev(fd, parts, count, 0, 0, 0); }
ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t at) { return do_writev(fd, parts, count, at, 0, 1); }
ssize_t pwritev64(int fd, const struct iovec *parts, int count, off64_t at) { return do_writev(fd, parts, count, at, 0, 1); }
ssize_t pwritev2(int fd, const struct iovec *parts, int count, off_t at, int flags) { return do_writev(fd, parts, count, at, flags, 1); }
ssize_t pwritev64v2(int fd, const struct iovec *parts, int count, off64_t at, int flags) { return do_writev(fd, parts, count, at, flags, 1); }

static ssize_t do_sendfile(int out, int in, off64_t *offset, size_t size)
{
    ssize_t n;
    if (!is_watched(out) || !active())
        return syscall(SYS_sendfile, out, in, offset, size);
    enter();
    n = syscall(SYS_sendfile, out, in, offset, size);
    wrote_range(out, position(out, n), n);
    leave();
    return n;
}

ssize_t sendfile(int out, int in, off_t *offset, size_t size) { return do_sendfile(out, in, offset, size); }
ssize_t sendfile64(int out, int in, off64_t *offset, size_t size) { return do_sendfile(out, in, offset, size); }

ssize_t copy_file_range(int in, off64_t *in_at, int out, off64_t *out_at, size_t size, unsigned flags)
{
    ssize_t n;
    uint64_t at;
    if (!is_watched(out) || !active())
        return syscall(SYS_copy_file_range, in, in_at, out, out_at, size, flags);
    enter();
    at = out_at ? (uint64_t)*out_at : 0;
    n = syscall(SYS_copy_file_range, in, in_at, out, out_at, size, flags);
    wrote_range(out, out_at ? at : position(out, n), n);
    leave();
    return n;
}

static int do_ftruncate(int fd, off64_t size)
{
    int status;
    if (!is_watched(fd) || !active())
        return (int)syscall(SYS_ftruncate, fd, size);
    enter();
    status = (int)syscall(SYS_ftruncate, fd, size);
    if (status == 0 && watched[fd] != 2)
        emit(TRUNCATE, 0, fd, -1, (uint64_t)size, 0, NULL, 0, NULL, 0);
    leave();
    return status;
}

int ftruncate(int fd, off_t size) { return do_ftruncate(fd, size); }
int ftruncate64(int fd, off64_t size) { return do_ftruncate(fd, size); }

static int do_truncate(const char *path, off64_t size)
{
    int status, fd = do_open(AT_FDCWD, path, O_WRONLY | O_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    status = do_ftruncate(fd, size);
    close(fd);
    return status;
}

int truncate(const char *path, off_t size) { return do_truncate(path, size); }
int truncate64(const char *path, off64_t size) { return do_truncate(path, size); }

static int do_fallocate(int fd, int mode, off64_t offset, off64_t size)
{
    int status;
    if (!is_watched(fd) || !active())
        return (int)syscall(SYS_fallocate, fd, mode, offset, size);
    enter();
    status = (int)syscall(SYS_fallocate, fd, mode, offset, size);
    if (status == 0 && watched[fd] != 2) {
        if (mode == 0)
            emit(EXTEND, 0, fd, -1, (uint64_t)(offset + size), 0, NULL, 0, NULL, 0);
        else if (mode != FALLOC_FL_KEEP_SIZE)
            alarm_of("fallocate", NULL);
    }
    leave();
    return status;
}

int fallocate(int fd, int mode, off_t offset, off_t size) { return do_fallocate(fd, mode, offset, size); }
int fallocate64(int fd, int mode, off64_t offset, off64_t size) { return do_fallocate(fd, mode, offset, size); }
int posix_fallocate(int fd, off_t offset, off_t size) { return do_fallocate(fd, 0, offset, size) == 0 ? 0 : errno; }
int posix_fallocate64(int fd, off64_t offset, off64_t size) { return do_fallocate(fd, 0, offset, size) == 0 ? 0 : errno; }

/* One call on two names; `call` is made whether or not they are ours. */
static int named(int op, int dir, const char *path, int dir2, const char *path2, long call, long flags)
{
    char full[PATH_MAX], full2[PATH_MAX];
    int status, ours, ours2;
    if (!active())
        return (int)syscall(call, (long)dir, path, (long)dir2, path2, flags);
    ours = resolve(dir, path, full);
    ours2 = resolve(dir2, path2, full2);
    enter();
    status = (int)syscall(call, (long)dir, path, (long)dir2, path2, flags);
    if (status == 0 && (ours || ours2)) {
        if (!ours || !ours2 || (op == RENAME && flags & ~1L))
            alarm_of("rename or link across the root, or an exchange", path);
        emit(op, 0, -1, -1, 0, 0, full, strlen(full), full2, strlen(full2));
    }
    leave();
    return status;
}

int rename(const char *a, const char *b) { return named(RENAME, AT_FDCWD, a, AT_FDCWD, b, SYS_renameat2, 0); }
int renameat(int d, const char *a, int e, const char *b) { return named(RENAME, d, a, e, b, SYS_renameat2, 0); }
int renameat2(int d, const char *a, int e, const char *b, unsigned f) { return named(RENAME, d, a, e, b, SYS_renameat2, f); }
int link(const char *a, const char *b) { return named(LINK, AT_FDCWD, a, AT_FDCWD, b, SYS_linkat, 0); }
int linkat(int d, const char *a, int e, const char *b, int f) { return named(LINK, d, a, e, b, SYS_linkat, f); }

static int one_name(int op, int dir, const char *path, long call, long argument)
{
    char full[PATH_MAX];
    int status;
    if (!active() || !resolve(dir, path, full))
        return (int)syscall(call, (long)dir, path, argument);
    enter();
    status = (int)syscall(call, (long)dir, path, argument);
    if (status == 0)
        emit(op, 0, -1, -1, 0, 0, full, strlen(full), NULL, 0);
    leave();
    return status;
}

int unlink(const char *path) { return one_name(UNLINK, AT_FDCWD, path, SYS_unlinkat, 0); }
int rmdir(const char *path) { return one_name(RMDIR, AT_FDCWD, path, SYS_unlinkat, AT_REMOVEDIR); }
int unlinkat(int dir, const char *path, int flags)
{
    return one_name(flags & AT_REMOVEDIR ? RMDIR : UNLINK, dir, path, SYS_unlinkat, flags);
}
int mkdir(const char *path, mode_t mode) { return one_name(MKDIR, AT_FDCWD, path, SYS_mkdirat, mode); }
int mkdirat(int dir, const char *path, mode_t mode) { return one_name(MKDIR, dir, path, SYS_mkdirat, mode); }

int symlinkat(const char *target, int dir, const char *path)
{
    char full[PATH_MAX];
    if (active() && resolve(dir, path, full)) {
        enter();
        alarm_of("symlink", full);
        leave();
    }
    return (int)syscall(SYS_symlinkat, target, dir, path);
}
int symlink(const char *target, const char *path) { return symlinkat(target, AT_FDCWD, path); }

static int syncs_left, sync_failed, all_fail;

/* Let the n-th sync from now on fail, as on a disk that loses what it was given, and with `all` every later one; 0: none. */
void recorder_fail_sync(int n, int all)
{
    enter();
    sync_failed = 0;
    syncs_left = n;
    all_fail = all;
    leave();
}

int recorder_sync_failed(void) { return sync_failed; }

static int do_sync(int fd, long call)
{
    int status;
    struct stat about;
    if (!is_watched(fd) || !active())
        return (int)syscall(call, fd);
    enter();
    if (syncs_left > 0 && --syncs_left == 0) {
        /* SQLite does not look whether the sync of a directory worked: nobody can be told. */
        sync_failed |= call == SYS_fsync || fstat(fd, &about) != 0 || !S_ISDIR(about.st_mode);
        syncs_left = all_fail;
        emit(FAILED, 0, fd, -1, 0, 0, NULL, 0, NULL, 0);
        leave();
        errno = EIO;
        return -1;
    }
    status = (int)syscall(call, fd);
    if (status == 0)
        emit(SYNC, call == SYS_fdatasync, fd, -1, 0, 0, NULL, 0, NULL, 0);
    leave();
    return status;
}

int fsync(int fd) { return do_sync(fd, SYS_fsync); }
int fdatasync(int fd) { return do_sync(fd, SYS_fdatasync); }

static void unmodelled(const char *what)
{
    if (active()) {
        enter();
        alarm_of(what, NULL);
        leave();
    }
}

void sync(void) { unmodelled("sync"); syscall(SYS_sync); }
int syncfs(int fd) { unmodelled("syncfs"); return (int)syscall(SYS_syncfs, fd); }

static void *do_mmap(void *at, size_t size, int protection, int flags, int fd, off64_t offset)
{
    if (is_watched(fd) && watched[fd] != 2 && (protection & PROT_WRITE) && (flags & MAP_SHARED))
        unmodelled("shared writable mapping");
    return (void *)syscall(SYS_mmap, at, size, (long)protection, (long)flags, (long)fd, offset);
}

void *mmap(void *at, size_t size, int protection, int flags, int fd, off_t offset) { return do_mmap(at, size, protection, flags, fd, offset); }
void *mmap64(void *at, size_t size, int protection, int flags, int fd, off64_t offset) { return do_mmap(at, size, protection, flags, fd, offset); }

static void sending(int fd, const void *data, size_t size)
{
    if (!active())
        return;
    enter();
    emit(SEND, 0, fd, -1, size, 0, NULL, 0, data, size < SEND_MAX ? size : SEND_MAX);
    leave();
}

ssize_t send(int fd, const void *data, size_t size, int flags)
{
    sending(fd, data, size);
    return syscall(SYS_sendto, fd, data, size, flags, NULL, 0);
}

ssize_t sendto(int fd, const void *data, size_t size, int flags, const struct sockaddr *to, socklen_t length)
{
    sending(fd, data, size);
    return syscall(SYS_sendto, fd, data, size, flags, to, length);
}

ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
    for (size_t i = 0; i < message->msg_iovlen; i++)
        sending(fd, message->msg_iov[i].iov_base, message->msg_iov[i].iov_len);
    return syscall(SYS_sendmsg, fd, message, flags);
}
