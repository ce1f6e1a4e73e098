/* Statements of three connections at a time through libmariadb's non-blocking functions. Argument: the server's socket. */
#include <mysql.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#define CONNECTIONS 3

static void wait_for_data(MYSQL *connection)
{
	struct pollfd waiting = {.fd = mysql_get_socket(connection), .events = POLLIN};
	poll(&waiting, 1, 10000);
}

int main(int count, char **arguments)
{
	MYSQL *connections[CONNECTIONS];
	int status[CONNECTIONS], failed[CONNECTIONS];
	const char *text = "SELECT SLEEP(0.01)";
	for (int i = 0; i < CONNECTIONS; i++) {
		connections[i] = mysql_init(NULL);
		mysql_options(connections[i], MYSQL_OPT_NONBLOCK, 0);
		if (count < 2 || !mysql_real_connect(connections[i], NULL, "root", NULL, "mysql", 0, arguments[1], 0))
			return 1;
	}
	puts("ready");
	fflush(stdout);
	getchar();
	for (int round = 0; round < 7; round++) {
		for (int i = 0; i < CONNECTIONS; i++)
			status[i] = mysql_real_query_start(&failed[i], connections[i], text, strlen(text));
		for (int i = 0; i < CONNECTIONS; i++) {
			while (status[i]) {
				wait_for_data(connections[i]);
				status[i] = mysql_real_query_cont(&failed[i], connections[i], MYSQL_WAIT_READ);
			}
			mysql_free_result(mysql_store_result(connections[i]));
		}
	}
	return 0;
}
