/*
 * Loaded before the C library: the n-th system call on the files below one folder fails once. Armed from the program itself, by asking for
 * access to /failing-io/KIND/N/FOLDER; /failing-io/off disarms, and says by its answer whether a call was failed.
 *
 * KIND is full (writes: ENOSPC), io (all but locks: EIO), busy (locks: EAGAIN).
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

enum { WRITES = 1, SYNCS = 2, READS = 4, LOCKS = 8 };

static long countdown = 0;
static int failed = 0, classes = 0, answer = 0;
static char folder[PATH_MAX];

static int hits(int class, const char *path) {
	if (countdown == 0 || !(classes & class) || strncmp(path, folder, strlen(folder)) != 0) return 0;
	if (--countdown != 0) return 0;
	failed = 1;
	errno = answer;
	return 1;
}

static int hits_fd(int class, int fd) {
	char link[64], path[PATH_MAX];
	if (countdown == 0 || !(classes & class)) return 0;
	snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
	ssize_t length = readlink(link, path, sizeof path - 1);
	if (length < 0) return 0;
	path[length] = 0;
	/* What readers share in memory is no disk. */
	if (length > 4 && strcmp(path + length - 4, "-shm") == 0 && !(class & LOCKS)) return 0;
	return hits(class, path);
}

#define REAL(name) __typeof__(&name) real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

int access(const char *path, int mode) {
	REAL(access);
	if (strncmp(path, "/failing-io/", 12) != 0) return real(path, mode);
	if (strcmp(path + 12, "off") == 0) {
		countdown = 0;
		if (failed) return 0;
		errno = ENOENT;
		return -1;
	}
	char kind[16];
	if (sscanf(path + 12, "%15[^/]/%ld%s", kind, &countdown, folder) != 3) abort();
	classes = strcmp(kind, "full") == 0 ? WRITES : strcmp(kind, "busy") == 0 ? LOCKS : WRITES | SYNCS | READS;
	answer = strcmp(kind, "full") == 0 ? ENOSPC : strcmp(kind, "busy") == 0 ? EAGAIN : EIO;
	failed = 0;
	return 0;
}

ssize_t pwrite64(int fd, const void *bytes, size_t count, off64_t offset) {
	REAL(pwrite64);
	return hits_fd(WRITES, fd) ? -1 : real(fd, bytes, count, offset);
}

ssize_t pwrite(int fd, const void *bytes, size_t count, off_t offset) {
	REAL(pwrite);
	return hits_fd(WRITES, fd) ? -1 : real(fd, bytes, count, offset);
}

ssize_t write(int fd, const void *bytes, size_t count) {
	REAL(write);
	return hits_fd(WRITES, fd) ? -1 : real(fd, bytes, count);
}

ssize_t pread64(int fd, void *bytes, size_t count, off64_t offset) {
	REAL(pread64);
	return hits_fd(READS, fd) ? -1 : real(fd, bytes, count, offset);
}

ssize_t pread(int fd, void *bytes, size_t count, off_t offset) {
	REAL(pread);
	return hits_fd(READS, fd) ? -1 : real(fd, bytes, count, offset);
}

int fsync(int fd) {
	REAL(fsync);
	return hits_fd(SYNCS, fd) ? -1 : real(fd);
}

int fdatasync(int fd) {
	REAL(fdatasync);
	return hits_fd(SYNCS, fd) ? -1 : real(fd);
}

int ftruncate64(int fd, off64_t size) {
	REAL(ftruncate64);
	return hits_fd(WRITES, fd) ? -1 : real(fd, size);
}

int ftruncate(int fd, off_t size) {
	REAL(ftruncate);
	return hits_fd(WRITES, fd) ? -1 : real(fd, size);
}

/* Letting go of a lock is never refused. */
static int locks(int command, const void *argument) {
	return (command == F_SETLK || command == F_SETLKW) && ((const struct flock *)argument)->l_type != F_UNLCK;
}

int fcntl64(int fd, int command, ...) {
	REAL(fcntl64);
	va_list list;
	va_start(list, command);
	void *argument = va_arg(list, void *);
	va_end(list);
	return locks(command, argument) && hits_fd(LOCKS, fd) ? -1 : real(fd, command, argument);
}

int fcntl(int fd, int command, ...) {
	REAL(fcntl);
	va_list list;
	va_start(list, command);
	void *argument = va_arg(list, void *);
	va_end(list);
	return locks(command, argument) && hits_fd(LOCKS, fd) ? -1 : real(fd, command, argument);
}
