/* SPDX-License-Identifier: Apache-2.0 */
/* Sends one statement through libpq, again and again. Usage: statements CONNECTION COUNT. Prints ns of CPU time and of the
 * clock per statement. */
#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static double now(clockid_t clock)
{
    struct timespec time;
    clock_gettime(clock, &time);
    return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

int main(int argc, char **argv)
{
    long count = argc == 3 ? atol(argv[2]) : 0, good = 0;
    PGconn *connection = PQconnectdb(argv[1]);
    if (count <= 0 || PQstatus(connection) != CONNECTION_OK)
        return 1;
    double cpu = now(CLOCK_PROCESS_CPUTIME_ID), wall = now(CLOCK_MONOTONIC);
    for (long turn = 0; turn < count; turn++) {
        PGresult *result = PQexec(connection, "SELECT 'a literal', 1 -- and a comment");
        good += PQresultStatus(result) == PGRES_TUPLES_OK;
        PQclear(result);
    }
    cpu = now(CLOCK_PROCESS_CPUTIME_ID) - cpu;
    wall = now(CLOCK_MONOTONIC) - wall;
    printf("%.0f %.0f\n", cpu / (double)count, wall / (double)count);
    return good == count ? 0 : 1;
}
