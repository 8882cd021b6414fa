/* A client that hangs when the handshake's last ACK and its first data are both lost.
 *
 * Servers of its protocol answer a request by a length (4 bytes, big-endian) and so many bytes. Newer ones greet first, by a line, as
 * soon as they have accepted. The client sends its request at once and takes a server that is silent for 600 ms for an old one: then
 * it reads the greeting, which comes after all, as a length ("220 " is 842,150,432), and waits for the rest for ever. A greeting is
 * late only when the server knows nothing of the connection: if the ACK alone is lost the request completes the handshake, if the
 * request alone is lost the ACK did.
 *
 * Mended it looks at the first byte, whenever that comes: no answer is so long that its length begins with a digit.
 *
 * usage: greeting ADDRESS PORT [mended]; exit status 0 answered, 2 the network said no.
 */
#include <arpa/inet.h>
#include <ctype.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PATIENCE_MS 600

static void fail(const char *what)
{
    perror(what);
    exit(2);
}

static void take(int fd, void *to, size_t size)
{
    for (size_t got = 0; got < size;) {
        char unwanted[4096];
        size_t left = size - got;
        ssize_t count = to ? recv(fd, (char *)to + got, left, 0) : recv(fd, unwanted, left < sizeof unwanted ? left : sizeof unwanted, 0);
        if (count <= 0)
            fail("recv");
        got += count;
    }
}

int main(int count, char **words)
{
    int mended = count > 3 && !strcmp(words[3], "mended"), greeted;
    struct sockaddr_in to = {.sin_family = AF_INET};
    uint32_t length;
    char byte;
    if (count < 3 || !inet_pton(AF_INET, words[1], &to.sin_addr))
        return 2;
    to.sin_port = htons(atoi(words[2]));
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof to))
        fail("connect");
    if (send(fd, "GET\n", 4, MSG_NOSIGNAL) != 4)
        fail("send");
    if (mended) {
        if (recv(fd, &byte, 1, MSG_PEEK) != 1)
            fail("recv");
        greeted = isdigit(byte);
    } else {
        struct pollfd heard = {.fd = fd, .events = POLLIN};
        greeted = poll(&heard, 1, PATIENCE_MS) == 1;
    }
    if (greeted) {
        do
            take(fd, &byte, 1);
        while (byte != '\n');
    }
    take(fd, &length, sizeof length);
    take(fd, NULL, ntohl(length));
    printf("an answer of %u bytes\n", ntohl(length));
    close(fd);
    return 0;
}
