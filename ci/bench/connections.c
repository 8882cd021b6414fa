/* Short TCP connections between two network namespaces: connect, accept, one byte each way, close, close.
 *
 * usage: connections CLIENT SERVER ADDRESS       (paths of namespaces; the server's IPv4 address)
 *
 * Reads commands from standard input, one a line, and answers each with one line of JSON:
 *   connections K   K of them   {"us"}: the mean time of one
 *
 * Both ends are played by one thread, so that nothing waits for the scheduler: a connection could hardly take less, and what
 * observing adds weighs the most. Each command has a listener of its own, and with it all client ports anew.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static int checked(int result, const char *what)
{
    if (result < 0) {
        perror(what);
        exit(1);
    }
    return result;
}

static void enter(int space)
{
    checked(setns(space, CLONE_NEWNET), "setns");
}

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec + now.tv_nsec * 1e-9;
}

static void one(int listener, const struct sockaddr_in *at)
{
    char byte = 'x';
    int client = checked(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket");
    checked(connect(client, (const struct sockaddr *)at, sizeof *at), "connect");
    int server = checked(accept4(listener, NULL, NULL, SOCK_CLOEXEC), "accept");
    checked(send(client, &byte, 1, 0), "send");
    checked(recv(server, &byte, 1, 0), "recv");
    checked(send(server, &byte, 1, 0), "send");
    checked(recv(client, &byte, 1, 0), "recv");
    checked(close(client), "close");
    checked(close(server), "close");
}

int main(int argc, char **argv)
{
    char line[64];
    int times;
    if (argc != 4)
        return 2;
    int client = checked(open(argv[1], O_RDONLY | O_CLOEXEC), argv[1]);
    int server = checked(open(argv[2], O_RDONLY | O_CLOEXEC), argv[2]);
    while (fgets(line, sizeof line, stdin)) {
        if (sscanf(line, "connections %d", &times) != 1 || times < 1)
            return 2;
        struct sockaddr_in at = {.sin_family = AF_INET};
        socklen_t size = sizeof at;
        if (inet_pton(AF_INET, argv[3], &at.sin_addr) != 1)
            return 2;
        enter(server);
        int listener = checked(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket");
        checked(bind(listener, (struct sockaddr *)&at, sizeof at), "bind");
        checked(listen(listener, 8), "listen");
        checked(getsockname(listener, (struct sockaddr *)&at, &size), "getsockname");
        enter(client);
        double began = seconds();
        for (int number = 0; number < times; number++)
            one(listener, &at);
        printf("{\"us\": %.3f}\n", (seconds() - began) * 1e6 / times);
        fflush(stdout);
        close(listener);
    }
    return 0;
}
