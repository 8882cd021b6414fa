/* Sends UDP datagrams of 64 bytes from a connected socket at an even rate, each beginning with its number.
 *
 * usage: datagrams FD RATE COUNT
 *
 * Prints how long it took, in ms. sendmmsg(2) hands over up to 32 at a time: what has become due.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>

enum { MOST = 32, SIZE = 64 };

static long now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1000000000L + time.tv_nsec;
}

int main(int count, char **words)
{
	static char data[MOST][SIZE];
	struct iovec parts[MOST];
	struct mmsghdr messages[MOST];
	long began, total, sent = 0;
	double rate;
	int fd, i;

	if (count != 4)
		return 2;
	fd = atoi(words[1]);
	rate = atof(words[2]);
	total = atol(words[3]);
	memset(messages, 0, sizeof(messages));
	for (i = 0; i < MOST; i++) {
		parts[i] = (struct iovec){ data[i], SIZE };
		messages[i].msg_hdr.msg_iov = &parts[i];
		messages[i].msg_hdr.msg_iovlen = 1;
	}
	began = now();
	while (sent < total) {
		long due = (long)((now() - began) * rate / 1e9);
		long ready = (due < total ? due : total) - sent;
		int done;

		if (ready > MOST)
			ready = MOST;
		if (ready < MOST && due < total)
			continue;
		for (i = 0; i < ready; i++) {
			long number = sent + i;

			memcpy(data[i], &number, sizeof(number));
		}
		done = sendmmsg(fd, messages, ready, 0);
		if (done < 0) {
			perror("sendmmsg");
			return 1;
		}
		sent += done;
	}
	printf("%f\n", (now() - began) / 1e6);
	return 0;
}
