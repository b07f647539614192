/* What the files of the C program of the crash loop share. */
#ifndef TELPHER_CRASH_WORKER_H
#define TELPHER_CRASH_WORKER_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include <telpher.h>

enum { BODY_SIZE_MAX = 80000, LINE_SIZE = 2048, WINDOW = 8, TURNS = 60, IDLE = 30 };
enum { MOMENT_MS = 100, TIMEOUT_MS = 20000, APPEND_PACE_MS = 10, NUMBER_SIZE = 64, JOBS_MAX = 3 };

/* A message that is held: what verdicts and the history need of it. */
typedef struct {
    uint64_t token, id;
    char number[NUMBER_SIZE];
} job;

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

/* A declaration or a binding must be done. */
void done(const char *what, telpher_id id);
/* A body that begins with its number; returns its size. */
size_t fill(const char *number, size_t size, char *body);
/* The one body that a number has. */
size_t body_of(const char *number, char *body);
/* Takes up to `wanted` messages with one receive each. */
int receive(const char *queue, job *jobs, int wanted);
void settle(const char *queue, const job *held, uint32_t verdict);
/* The number with which a body begins, or faults. */
void number_of(const telpher_event *event, char *number);

void declare_streams(void);
/* What is done with numbers of a letter, at which pace. */
typedef struct {
    char letter;
    int pace_ms;
    telpher_id (*start)(uint64_t *chance, const char *number);
    void (*ended)(const char *number, telpher_id id);
} pacing;
/* Starts one operation after the other, some at once. */
void keep_up(uint64_t *chance, pacing of);
void appended(const char *number, telpher_id id);
/* The roles that streams have. */
void append(uint64_t *chance);
void publish(uint64_t *chance);
void read_logs(uint64_t *chance);
void put(uint64_t *chance);
void look(uint64_t *chance);

#endif
