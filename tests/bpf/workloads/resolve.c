/* SPDX-License-Identifier: Apache-2.0 */
/* Looks names up one after the other by getaddrinfo, as any program does. Usage: resolve NAME... */
#include <netdb.h>
#include <stdio.h>
#include <sys/socket.h>

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found = NULL;
        if (!getaddrinfo(argv[i], NULL, &hints, &found))
            freeaddrinfo(found);
    }
    puts("done");
    return 0;
}
