/* A clean echo server and its client in one: "echo PORT COUNT" serves COUNT connections one after another, "echo HOST PORT 5"
 * connects. Linked statically, it shows that programs without a libc to preload are seen, too.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int whole(int fd, const char *data, size_t size)
{
    while (size > 0) {
        ssize_t sent = send(fd, data, size, MSG_NOSIGNAL);
        if (sent < 0)
            return -1;
        data += sent, size -= sent;
    }
    return 0;
}

static int serve(int port, int count)
{
    int on = 1, listening = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(port)};
    setsockopt(listening, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(listening, (struct sockaddr *)&at, sizeof at) || listen(listening, 8)) {
        perror("echo");
        return 1;
    }
    while (count-- > 0) {
        char data[4096];
        ssize_t got;
        int fd = accept(listening, NULL, NULL);
        while ((got = recv(fd, data, sizeof data, 0)) > 0)
            if (whole(fd, data, got))
                break;
        close(fd);
    }
    close(listening);
    return 0;
}

static int call(const char *host, int port)
{
    char data[64];
    size_t got = 0;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
    inet_pton(AF_INET, host, &to.sin_addr);
    if (connect(fd, (struct sockaddr *)&to, sizeof to) || whole(fd, "hello", 5)) {
        perror("echo");
        close(fd);
        return 1;
    }
    while (got < 5) {
        ssize_t more = recv(fd, data, sizeof data, 0);
        if (more <= 0)
            break;
        got += more;
    }
    close(fd);
    return got == 5 ? 0 : 1;
}

int main(int count, char **words)
{
    return count == 4 ? call(words[1], atoi(words[2])) : serve(atoi(words[1]), count > 2 ? atoi(words[2]) : 1);
}
