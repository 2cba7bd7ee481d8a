/* probes.c - all probes of the shim in one program, for processors on which no Python runs, and for emulators.
 *
 *     probes CHALLENGE ROUNDS
 *
 * CHALLENGE is 64 hexadecimal digits.  Each probe gets one line: number, status, steps, bytes, repetitions per sample,
 * the result, `right` or `wrong` by recomputation here, and the samples in nanoseconds.  Probes take turns, so that a
 * burst of other work spoils one round of all and not all rounds of one.
 */
#include "probes.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    PROBES = MN_CHASE_LAST - MN_INT_ADD + 1,
    ROUNDS_MAX = 256,
    ROUNDS_BETWEEN = 4, /* rounds between two walks through memory, so that they spread over the whole time */
    MEMORY_SAMPLES = 9,
    TIMER_SAMPLES = 64,
    TICKS_MIN = 50 /* steps of the clock that a sample lasts at least */
};

typedef struct {
    int status;
    uint32_t repeat;
    uint64_t result;
    size_t count;
    int64_t ns[ROUNDS_MAX];
} line;

static line lines[PROBES];

/* Repetitions that make a sample long enough for a clock of `tick` nanoseconds. */
static uint32_t repeat_for(int64_t ns, int64_t tick)
{
    int64_t repeat = ns > 0 ? 1 + TICKS_MIN * tick / ns : MN_REPEAT_MAX;
    return (uint32_t)(repeat > MN_REPEAT_MAX ? MN_REPEAT_MAX : repeat);
}

static void run(uint32_t probe, const uint8_t *challenge, size_t count)
{
    line *to = &lines[probe - MN_INT_ADD];
    uint64_t result = 0;

    if (to->status != MN_OK || to->count + count > ROUNDS_MAX)
        return;
    to->status = mn_probe_run(probe, challenge, MN_CHALLENGE, to->repeat, to->ns + to->count, count, &result);
    if (to->status == MN_OK && to->count != 0 && result != to->result)
        to->status = MN_WRONG;
    to->result = result;
    if (to->status == MN_OK)
        to->count += count;
}

/* Run one of the probes of memory and return the next. */
static uint32_t run_memory(uint32_t probe, const uint8_t *challenge)
{
    if (probe > MN_CHASE_LAST)
        return probe;
    run(probe, challenge, MEMORY_SAMPLES);
    return probe == MN_STREAM ? MN_CHASE : probe + 1;
}

static int64_t tick_of(const line *timer)
{
    int64_t least = 0;
    size_t i;

    for (i = 0; i < timer->count; i++)
        if (timer->ns[i] > 0 && (least == 0 || timer->ns[i] < least))
            least = timer->ns[i];
    return least != 0 ? least : 1;
}

static void print(uint32_t probe, const uint8_t *challenge)
{
    const line *from = &lines[probe - MN_INT_ADD];
    uint32_t steps = 0, bytes = 0;
    uint64_t right = 0;
    size_t i;

    if (mn_probe_size(probe, challenge, MN_CHALLENGE, &steps, &bytes) != MN_OK ||
        mn_probe_recompute(probe, challenge, MN_CHALLENGE, &right) != MN_OK)
        exit(2);
    printf("%" PRIu32 " %d %" PRIu32 " %" PRIu32 " %" PRIu32 " %016" PRIX64 " %s", probe, from->status, steps, bytes,
           from->repeat, from->result, from->status != MN_OK ? "-" : from->result == right ? "right" : "wrong");
    for (i = 0; i < from->count; i++)
        printf(" %" PRId64, from->ns[i]);
    printf("\n");
}

int main(int argc, char **argv)
{
    uint8_t challenge[MN_CHALLENGE];
    unsigned value;
    uint32_t probe, memory;
    int64_t step;
    int rounds, round, i;

    rounds = argc == 3 ? atoi(argv[2]) : 0;
    if (rounds < 1 || rounds > ROUNDS_MAX || strlen(argv[1]) != 2 * sizeof challenge) {
        fprintf(stderr, "usage: probes CHALLENGE ROUNDS\n");
        return 2;
    }
    for (i = 0; i < MN_CHALLENGE; i++) {
        if (sscanf(argv[1] + 2 * i, "%2x", &value) != 1)
            return 2;
        challenge[i] = (uint8_t)value;
    }
    for (probe = MN_INT_ADD; probe <= MN_CHASE_LAST; probe++)
        lines[probe - MN_INT_ADD].repeat = 1;
    run(MN_TIMER, challenge, TIMER_SAMPLES);
    step = tick_of(&lines[MN_TIMER - MN_INT_ADD]);
    memory = MN_STREAM;
    for (round = -1; round < rounds; round++) {
        for (probe = MN_INT_ADD; probe <= MN_PATCH; probe++) {
            run(probe, challenge, 1);
            /* The first round warms up and tells how long a repetition takes. */
            if (round < 0 && lines[probe - MN_INT_ADD].status == MN_OK) {
                lines[probe - MN_INT_ADD].repeat = repeat_for(lines[probe - MN_INT_ADD].ns[0], step);
                lines[probe - MN_INT_ADD].count = 0;
            }
        }
        if (round >= 0 && round % ROUNDS_BETWEEN == 0)
            memory = run_memory(memory, challenge);
    }
    while (memory <= MN_CHASE_LAST)
        memory = run_memory(memory, challenge);
    for (probe = MN_INT_ADD; probe <= MN_CHASE_LAST; probe++)
        if (mn_probe_supported(probe) != MN_RANGE)
            print(probe, challenge);
    return 0;
}
