/* Statements through each of libpq's functions, each a prime number of times. Arguments: connection string. Says for each
 * statement, without its literals, how often it was sent and with how many errors. */
#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>

static PGconn *connection;

static void must(int holds, const char *what)
{
	if (!holds) {
		fprintf(stderr, "%s: %s\n", what, PQerrorMessage(connection));
		exit(1);
	}
}

static void execute(const char *text, ExecStatusType wanted)
{
	PGresult *result = PQexec(connection, text);
	must(PQresultStatus(result) == wanted, text);
	PQclear(result);
}

/* Takes the results of what was sent; the last one's status. */
static ExecStatusType results(void)
{
	ExecStatusType status = PGRES_FATAL_ERROR;
	PGresult *result;
	while ((result = PQgetResult(connection))) {
		status = PQresultStatus(result);
		PQclear(result);
	}
	return status;
}

static void pipeline(int rounds)
{
	must(PQenterPipelineMode(connection), "pipeline");
	for (int i = 0; i < rounds; i++) {
		must(PQsendQueryParams(connection, "SELECT 'piped', 1", 0, NULL, NULL, NULL, NULL, 0), "pipe");
		must(PQsendQueryParams(connection, "SELECT broken", 0, NULL, NULL, NULL, NULL, 0), "pipe");
		must(PQsendQueryParams(connection, "SELECT 'skipped'", 0, NULL, NULL, NULL, NULL, 0), "pipe");
		must(PQpipelineSync(connection), "sync");
		must(results() == PGRES_TUPLES_OK, "first of a pipeline");
		must(results() == PGRES_FATAL_ERROR, "second of a pipeline");
		must(results() == PGRES_PIPELINE_ABORTED, "third of a pipeline");
		PGresult *sync = PQgetResult(connection);
		must(PQresultStatus(sync) == PGRES_PIPELINE_SYNC, "end of a pipeline");
		PQclear(sync);
	}
	must(PQexitPipelineMode(connection), "no pipeline");
}

int main(int count, char **arguments)
{
	char text[256];
	connection = PQconnectdb(count > 1 ? arguments[1] : "");
	must(PQstatus(connection) == CONNECTION_OK, "connect");
	puts("ready");
	fflush(stdout);
	getchar();
	for (int i = 0; i < 7; i++) {
		snprintf(text, sizeof(text), "SELECT %d, 'verysecret%d'  -- a verysecret comment\n", i, i);
		execute(text, PGRES_TUPLES_OK);
	}
	for (int i = 0; i < 3; i++)
		execute("SELEC 1", PGRES_FATAL_ERROR);
	const char *values[] = {"5", "verysecret"};
	for (int i = 0; i < 5; i++)
		PQclear(PQexecParams(connection, "SELECT $1::int, $2::text", 2, NULL, values, NULL, NULL, 0));
	PQclear(PQprepare(connection, "p1", "SELECT $1::int + 1", 1, NULL));
	for (int i = 0; i < 11; i++)
		PQclear(PQexecPrepared(connection, "p1", 1, values, NULL, NULL, 0));
	PQclear(PQprepare(connection, "p2", "SELECT nowhere", 0, NULL));
	for (int i = 0; i < 13; i++) {
		must(PQsendQuery(connection, "SELECT 'sent', 1; SELECT E'it\\'s verysecret', $$very'secret$$"), "send");
		must(results() == PGRES_TUPLES_OK, "results");
	}
	must(!PQsendQuery(NULL, "SELECT nobody"), "send to nobody");
	must(PQsendPrepare(connection, "p3", "SELECT $1::int * 2", 1, NULL), "send prepare");
	must(results() == PGRES_COMMAND_OK, "prepare");
	must(PQsendDescribePrepared(connection, "p3"), "describe");
	must(results() == PGRES_COMMAND_OK, "described");
	for (int i = 0; i < 17; i++) {
		must(PQsendQueryPrepared(connection, "p3", 1, values, NULL, NULL, 0), "send prepared");
		must(results() == PGRES_TUPLES_OK, "results");
	}
	pipeline(2);
	/* Nobody takes its results: it does not count. */
	must(PQsendQuery(connection, "SELECT 'dropped'"), "drop");
	PQfinish(connection);
	puts("7 0 SELECT ?, ?\n3 3 SELEC ?\n5 0 SELECT $1::int, $2::text\n11 0 SELECT $1::int + ?\n1 1 SELECT nowhere");
	puts("13 0 SELECT ?, ?; SELECT ?, ?\n1 1 SELECT nobody\n17 0 SELECT $1::int * ?");
	puts("2 2 SELECT broken\n2 2 SELECT ?");
	return 0;
}
