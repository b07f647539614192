/* What the files of the C program of the crash loop share. */
#ifndef TELPHER_CRASH_WORKER_H
#define TELPHER_CRASH_WORKER_H

#include <stdatomic.h>
#include <stdint.h>

#include <telpher.h>

enum { BODY_SIZE_MAX = 80000, LINE_SIZE = 2048, WINDOW = 8, TURNS = 60, IDLE = 30 };
enum { MOMENT_MS = 100, TIMEOUT_MS = 20000, NUMBER_SIZE = 64, JOBS_MAX = 3 };

/* A queue or a stream. */
typedef struct {
    const char *name;
    uint32_t durability;
} named;

extern telpher_hub hub;
extern const char *own_name;
/* Standard input has ended: so do the roles. */
extern atomic_bool ends;

/* Adds a line to the history. */
void say(const char *format, ...);
/* Says what no program may meet, and ends. */
_Noreturn void fault(const char *what, const char *words);
/* A function must have started. */
void started(const char *what, telpher_status status);
/* The next event of an id. */
telpher_event next(const char *what, telpher_id id);
/* A number below `below`, which follows from the seed. */
uint64_t draw(uint64_t *state, uint64_t below);
/* How an operation ended: its status, and whether it may have been done. */
const char *ending(const telpher_event *event);

void declare_streams(void);
/* The roles `append` and `read`. */
void append(uint64_t *chance);
void read_logs(uint64_t *chance);

#endif
