/* Stands between a program and the system's C library, and makes one call fail.
 *
 * It counts the calls that concern files below TELPHER_FAULT_DIR, in a file that the test can read
 * meanwhile (TELPHER_FAULT_COUNT). The call number TELPHER_FAULT_AT fails, or is cut short:
 *
 *     TELPHER_FAULT_MODE   once: only that call; ever: all from it on
 *     TELPHER_FAULT_HOW    a number: fails with that errno; short: half of a read or write is done
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/types.h>
#include <unistd.h>

#define FDS 4096

static _Atomic unsigned char inside[FDS];
static _Atomic unsigned long *count;
static const char *directory;
static unsigned long at;
static int for_ever, how_errno, how_short;

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

__attribute__((constructor)) static void begin(void) {
    static _Atomic unsigned long own;
    const char *text;
    count = &own;
    directory = getenv("TELPHER_FAULT_DIR");
    at = (text = getenv("TELPHER_FAULT_AT")) ? strtoul(text, NULL, 10) : 0;
    for_ever = (text = getenv("TELPHER_FAULT_MODE")) && strcmp(text, "ever") == 0;
    text = getenv("TELPHER_FAULT_HOW");
    how_short = text && strcmp(text, "short") == 0;
    how_errno = text && !how_short ? atoi(text) : EIO;
    if ((text = getenv("TELPHER_FAULT_COUNT"))) {
        int fd = REAL(open)(text, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        if (fd >= 0 && REAL(ftruncate)(fd, sizeof *count) == 0) {
            void *map = mmap(NULL, sizeof *count, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
            if (map != MAP_FAILED) {
                count = map;
            }
        }
        REAL(close)(fd);
    }
}

static int is_below(const char *path) {
    size_t size = directory ? strlen(directory) : 0;
    return size && strncmp(path, directory, size) == 0;
}

static int is_inside(int fd) { return fd >= 0 && fd < FDS && inside[fd]; }

/* Counts a call; true if it is to go wrong. */
static int is_hit(void) {
    unsigned long number = atomic_fetch_add(count, 1) + 1;
    return at && (number == at || (for_ever && number > at));
}

static int fails(void) {
    if (!is_hit() || how_short) {
        return 0;
    }
    errno = how_errno;
    return 1;
}

/* How much of a read or write is done: -1 is none, with errno set. */
static ssize_t part(size_t size) {
    if (!is_hit()) {
        return (ssize_t)size;
    }
    if (how_short) {
        return size > 1 ? (ssize_t)(size / 2) : (ssize_t)size;
    }
    errno = how_errno;
    return -1;
}

static int note(int fd, int below) {
    if (fd >= 0 && fd < FDS) {
        inside[fd] = (unsigned char)below;
    }
    return fd;
}

#define OPEN(name, first, pass) \
    int name(first const char *path, int flags, ...) { \
        va_list rest; \
        va_start(rest, flags); \
        mode_t mode = flags & O_CREAT ? va_arg(rest, mode_t) : 0; \
        va_end(rest); \
        int below = is_below(path); \
        return below && fails() ? -1 : note(REAL(name)(pass path, flags, mode), below); \
    }
#define NOTHING
#define COMMA ,
OPEN(open, NOTHING, NOTHING)
OPEN(open64, NOTHING, NOTHING)
OPEN(openat, int parent COMMA, parent COMMA)
OPEN(openat64, int parent COMMA, parent COMMA)

int close(int fd) { return REAL(close)(note(fd, 0)); }

#define MOVE(name, type, more, pass) \
    ssize_t name(int fd, type data, size_t size more) { \
        ssize_t some = is_inside(fd) ? part(size) : (ssize_t)size; \
        return some < 0 ? -1 : REAL(name)(fd, data, (size_t)some pass); \
    }
MOVE(write, const void *, NOTHING, NOTHING)
MOVE(read, void *, NOTHING, NOTHING)
MOVE(pwrite, const void *, COMMA off_t offset, COMMA offset)
MOVE(pwrite64, const void *, COMMA off64_t offset, COMMA offset)
MOVE(pread, void *, COMMA off_t offset, COMMA offset)
MOVE(pread64, void *, COMMA off64_t offset, COMMA offset)

int fsync(int fd) { return is_inside(fd) && fails() ? -1 : REAL(fsync)(fd); }

int fdatasync(int fd) { return is_inside(fd) && fails() ? -1 : REAL(fdatasync)(fd); }

int ftruncate(int fd, off_t size) {
    return is_inside(fd) && fails() ? -1 : REAL(ftruncate)(fd, size);
}

int fallocate(int fd, int mode, off_t from, off_t size) {
    return is_inside(fd) && fails() ? -1 : REAL(fallocate)(fd, mode, from, size);
}

int ftruncate64(int fd, off64_t size) {
    return is_inside(fd) && fails() ? -1 : REAL(ftruncate64)(fd, size);
}

int rename(const char *from, const char *to) {
    return is_below(from) && fails() ? -1 : REAL(rename)(from, to);
}

int unlink(const char *path) { return is_below(path) && fails() ? -1 : REAL(unlink)(path); }
