/* Statements through each of libmariadb's functions, each a prime number of times. Arguments: the server's socket. Says for each
 * statement, without its literals, how often it was sent and with how many errors; then what the server counted. */
#include <mysql.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static MYSQL *connection;

static void must(int holds, const char *what)
{
	if (!holds) {
		fprintf(stderr, "%s: %s\n", what, mysql_error(connection));
		exit(1);
	}
}

static void take(void)
{
	MYSQL_RES *result = mysql_store_result(connection);
	must(result != NULL, "result");
	mysql_free_result(result);
}

static void prepared(const char *text, int times)
{
	MYSQL_STMT *statement = mysql_stmt_init(connection);
	int failed = mysql_stmt_prepare(statement, text, strlen(text)) != 0;
	must(failed == !times, text);
	for (int i = 0; i < times; i++) {
		must(!mysql_stmt_execute(statement), text);
		mysql_stmt_store_result(statement);
		mysql_stmt_free_result(statement);
	}
	mysql_stmt_close(statement);
}

/* What the server says that this connection did. */
static unsigned long counted(const char *name)
{
	char text[128];
	snprintf(text, sizeof(text), "SHOW SESSION STATUS LIKE '%s'", name);
	must(!mysql_query(connection, text), text);
	MYSQL_RES *result = mysql_store_result(connection);
	unsigned long count = strtoul(mysql_fetch_row(result)[1], NULL, 10);
	mysql_free_result(result);
	return count;
}

int main(int count, char **arguments)
{
	char text[256];
	connection = mysql_init(NULL);
	must(count > 1 && mysql_real_connect(connection, NULL, "root", NULL, "mysql", 0, arguments[1], 0) != NULL, "connect");
	puts("ready");
	fflush(stdout);
	getchar();
	for (int i = 0; i < 7; i++) {
		snprintf(text, sizeof(text), "SELECT %d, \"verysecret\", 'it\\'s verysecret' FROM `user` # verysecret", i);
		must(!mysql_query(connection, text), text);
		take();
	}
	for (int i = 0; i < 5; i++) {
		const char *hidden = "SELECT 'a', 0x1Fverysecret";
		must(!mysql_real_query(connection, hidden, strlen("SELECT 'a', 0x1F")), hidden);
		take();
	}
	for (int i = 0; i < 3; i++)
		must(mysql_query(connection, "SELEC 1"), "no error");
	for (int i = 0; i < 11; i++) {
		must(!mysql_send_query(connection, "SELECT 'sent'", 13), "send");
		must(!mysql_read_query_result(connection), "read");
		take();
	}
	for (int i = 0; i < 2; i++) {
		must(!mysql_send_query(connection, "SELECT nowhere", 14), "send");
		must(mysql_read_query_result(connection), "no error");
	}
	prepared("SELECT 40 + 2", 13);
	prepared("SELECT missing", 0);
	must(!mysql_commit(connection), "commit");
	unsigned long selects = counted("Com_select"), executed = counted("Com_stmt_execute");
	must(executed == 13, "the server executed as many");
	/* The server counts prepared ones as selects too, when they are executed, and those that fail for their columns. */
	must(selects == 7 + 5 + 11 + 2 + 13, "the server counts as many");
	mysql_close(connection);
	puts("7 0 SELECT ?, ?, ? FROM `user`\n5 0 SELECT ?, ?\n3 3 SELEC ?\n11 0 SELECT ?\n2 2 SELECT nowhere");
	puts("13 0 SELECT ? + ?\n1 1 SELECT missing\n1 0 COMMIT\n2 0 SHOW SESSION STATUS LIKE ?");
	return 0;
}
