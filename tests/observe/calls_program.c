/* What a statically linked, multi-threaded program does with sockets, one part a word; for the tests of the observer of calls. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static struct sockaddr_in address;

static void *client(void *unused)
{
    char room[8];
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    connect(fd, (struct sockaddr *)&address, sizeof address);
    send(fd, "hello", 5, MSG_NOSIGNAL);
    recv(fd, room, sizeof room, 0);
    close(fd);
    return unused;
}

/* A thread serves the one that connects; the process ends with 7. */
static int threads(void)
{
    char room[8];
    pthread_t thread;
    socklen_t length = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    bind(listener, (struct sockaddr *)&address, sizeof address);
    getsockname(listener, (struct sockaddr *)&address, &length);
    listen(listener, 1);
    pthread_create(&thread, NULL, client, NULL);
    int accepted = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    recv(accepted, room, sizeof room, 0);
    write(accepted, "bye", 3);
    pthread_join(thread, NULL);
    close(accepted);
    close(listener);
    return 7;
}

static void *executes(void *path)
{
    execl(path, path, "none", NULL);
    return NULL;
}

/* Another thread than the first executes: its number becomes the process'. */
static int exec_in_thread(char *path)
{
    pthread_t thread;
    pthread_create(&thread, NULL, executes, path);
    pthread_join(thread, NULL);
    return 1;
}

static void *sleeps(void *unused)
{
    pause();
    return unused;
}

/* The process ends while other threads of it sleep: the kernel kills those, and no signal was sent. */
static int leaves_threads(void)
{
    pthread_t thread;
    for (int i = 0; i < 3; i++)
        pthread_create(&thread, NULL, sleeps, NULL);
    return 5;
}

static void nothing(int number)
{
    (void)number;
}

/* Says that it is ready, then receives twice on a socket to which nobody sends; SIGUSR1 has a handler. */
static int interrupted(int flags)
{
    char room[8];
    struct sigaction action = {.sa_handler = nothing, .sa_flags = flags};
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    sigaction(SIGUSR1, &action, NULL);
    puts("ready");
    fflush(stdout);
    recv(fd, room, sizeof room, 0);
    recv(fd, room, sizeof room, 0);
    return 0;
}

#ifdef __x86_64__
/* read(-1), by the gate of 32-bit programs. */
static int foreign(void)
{
    int result;
    __asm__ volatile("int $0x80" : "=a"(result) : "a"(3), "b"(-1), "c"(0), "d"(0) : "memory");
    return 0;
}
#endif

static int loops(int count)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0), value;
    for (int i = 0; i < count; i++) {
        socklen_t length = sizeof value;
        getsockopt(fd, SOL_SOCKET, SO_TYPE, &value, &length);
    }
    return 0;
}

int main(int count, char **words)
{
    char *part = count > 1 ? words[1] : "none";
    if (!strcmp(part, "threads"))
        return threads();
    if (!strcmp(part, "exec"))
        return exec_in_thread(words[0]);
    if (!strcmp(part, "leaves"))
        return leaves_threads();
    if (!strcmp(part, "interrupted"))
        return interrupted(0);
    if (!strcmp(part, "restarted"))
        return interrupted(SA_RESTART);
    if (!strcmp(part, "loops"))
        return loops(atoi(words[2]));
#ifdef __x86_64__
    if (!strcmp(part, "foreign"))
        return foreign();
#endif
    return 0;
}
