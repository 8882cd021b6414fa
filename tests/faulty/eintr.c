/* A server whose receive is interrupted by a signal, and which gives its client up for that. Mended: receives again.
 *
 * It forks its client, which the parent's child signals once the server waits: "eintr" or "eintr mended".
 */
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static void told(int number) { (void)number; }

static int client(struct sockaddr_in *to, pid_t server)
{
    char got[5];
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)to, sizeof *to))
        return 2;
    usleep(100000);
    kill(server, SIGUSR1);
    usleep(100000);
    send(fd, "hello", 5, MSG_NOSIGNAL);
    recv(fd, got, sizeof got, 0);
    close(fd);
    return 0;
}

int main(int count, char **words)
{
    int mended = count > 1 && !strcmp(words[1], "mended"), status = 0, on = 1;
    char got[5];
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof at;
    struct sigaction action = {.sa_handler = told}; /* no SA_RESTART */
    pid_t server = getpid();
    int listening = socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(listening, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(listening, (struct sockaddr *)&at, size) || listen(listening, 8) || getsockname(listening, (struct sockaddr *)&at, &size))
        return 2;
    sigaction(SIGUSR1, &action, NULL);
    if (!fork()) {
        close(listening);
        _exit(client(&at, server));
    }
    int connection = accept(listening, NULL, NULL);
    ssize_t length = recv(connection, got, sizeof got, 0);
    while (mended && length < 0 && errno == EINTR)
        length = recv(connection, got, sizeof got, 0);
    if (length > 0)
        send(connection, got, length, MSG_NOSIGNAL);
    else
        status = 1;
    if (length > 0)
        recv(connection, got, sizeof got, 0); /* the client's end */
    close(connection);
    close(listening);
    wait(NULL);
    return status;
}
