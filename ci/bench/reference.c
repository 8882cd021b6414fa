/* The least that a network costs: a star of N hosts on one switch, or N routers in a line, built by hand-packed netlink.
 *
 * usage: reference star|line N [-s KIND:NAME=VALUE]... [-o FEATURE]... [-n K]... [-a]
 *
 * Reads commands from standard input, one a line, and answers each with one line of JSON:
 *   loaded      nothing is to be loaded       {"load_ms": 0}
 *   up          builds the network            {"up_ms", "processor_ms", "phases"}
 *   down        lets go of it                 {"down_ms"}
 *   spaces      its namespaces                {"spaces": {NODE: descriptor}}
 *   sockets K   K sockets made in a host      {"us"}: median of setns, socket, setns, close
 *   spawns K    K runs of true(1) in a host   {"us"}: median of setns, posix_spawn, setns, waitpid
 *
 * -s sets a sysctl in namespaces of a kind (host, switch, router) where a fresh one has another value; -o switches a device feature
 * off; -n makes host K (from 1) a permanent neighbour of all others and all others its own; -a joins routes that lead the same way.
 * These are netlab's choices. Names, indexes, addresses and routes are counted here, and the benchmark compares what was built.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/ethtool.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>
#include <linux/veth.h>
#include <net/if.h>
#include <sched.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MESSAGES_A_SEND = 64, BRIDGE_INDEX = 1 << 20, MOST_SETTINGS = 64, MOST_WORDS = 8, READY_WITHIN_MS = 20000 };

struct setting {
    char kind[16], path[256];
    const char *value;
    int wanted; /* whether a fresh namespace has another value; -1: not known yet */
};

struct space {
    int namespace, route;
};

extern char **environ;
static int star, count, spaces, home, aggregate;
static struct space *space;
static struct setting settings[MOST_SETTINGS];
static int setting_count;
static const char *features_off[MOST_SETTINGS];
static int feature_count;
static int known[MOST_SETTINGS];
static int known_count;

static void die(const char *what) {
    fprintf(stderr, "reference: %s: %s\n", what, strerror(errno));
    exit(1);
}

static double milliseconds(clockid_t clock) {
    struct timespec time;
    clock_gettime(clock, &time);
    return time.tv_sec * 1e3 + time.tv_nsec / 1e6;
}

static double now(void) {
    return milliseconds(CLOCK_MONOTONIC);
}

/* Messages: gathered in one buffer, sent together; only the last asks for an acknowledgement, since a refusal is always answered. */

static char buffer[1 << 16];
static size_t filled;
static int gathered;
static struct nlmsghdr *last;

static void flush(int route) {
    static char answer[1 << 16];
    if (!gathered) return;
    last->nlmsg_flags |= NLM_F_ACK;
    last->nlmsg_seq = 1;
    if (send(route, buffer, filled, 0) != (ssize_t)filled) die("send");
    for (int waiting = 1; waiting;) {
        ssize_t size = recv(route, answer, sizeof answer, 0);
        if (size < 0) die("recv");
        for (struct nlmsghdr *head = (void *)answer; NLMSG_OK(head, size); head = NLMSG_NEXT(head, size)) {
            if (head->nlmsg_type != NLMSG_ERROR) continue;
            struct nlmsgerr *error = NLMSG_DATA(head);
            if (error->error) {
                errno = -error->error;
                fprintf(stderr, "reference: message of type %d\n", error->msg.nlmsg_type);
                die("the kernel refused");
            }
            if (head->nlmsg_seq == 1) waiting = 0;
        }
    }
    filled = gathered = 0;
}

static void *put(const void *data, size_t size) {
    void *place = buffer + filled;
    if (filled + size + 8 > sizeof buffer) die("messages too long");
    if (data) memcpy(place, data, size);
    else memset(place, 0, size);
    filled += size;
    while (filled & 3) buffer[filled++] = 0;
    return place;
}

static void begin(int route, int type, int flags, const void *body, size_t size) {
    if (gathered == MESSAGES_A_SEND) flush(route);
    struct nlmsghdr head = {.nlmsg_type = type, .nlmsg_flags = NLM_F_REQUEST | flags};
    last = put(&head, sizeof head);
    put(body, size);
    gathered++;
}

static void end(void) {
    last->nlmsg_len = buffer + filled - (char *)last;
}

static struct rtattr *open_attribute(int type) {
    struct rtattr attribute = {.rta_type = type};
    return put(&attribute, sizeof attribute);
}

static void close_attribute(struct rtattr *attribute) {
    attribute->rta_len = buffer + filled - (char *)attribute;
}

static void attribute(int type, const void *data, size_t size) {
    struct rtattr head = {.rta_type = type, .rta_len = RTA_LENGTH(size)};
    put(&head, sizeof head);
    put(data, size);
}

static void number(int type, uint32_t value) {
    attribute(type, &value, sizeof value);
}

/* What is asked for. */

struct address {
    int family, prefix, size;
    unsigned char bytes[16];
};

static struct address address4(uint32_t value, int prefix) {
    struct address made = {.family = AF_INET, .prefix = prefix, .size = 4};
    value = htonl(value);
    memcpy(made.bytes, &value, 4);
    return made;
}

static struct address address6(uint32_t subnet, uint32_t interface, int prefix) {
    struct address made = {.family = AF_INET6, .prefix = prefix, .size = 16, .bytes = {0xfd}};
    subnet = htonl(subnet);
    interface = htonl(interface);
    memcpy(made.bytes + 4, &subnet, 4);
    memcpy(made.bytes + 12, &interface, 4);
    return made;
}

static void hardware(unsigned char made[6], int link, int side) {
    uint32_t value = htonl((uint32_t)link << 8 | side);
    made[0] = 2;
    made[1] = 0;
    memcpy(made + 2, &value, 4);
}

static void veth_end(const char *name, int link, int side, int namespace) {
    unsigned char mac[6];
    hardware(mac, link, side);
    attribute(IFLA_IFNAME, name, strlen(name) + 1);
    number(IFLA_MTU, 1500);
    attribute(IFLA_ADDRESS, mac, sizeof mac);
    number(IFLA_NET_NS_FD, namespace);
}

/* Both ends are born in their namespaces: moving one there would take 16 ms. */
static void veth(int link, int a, const char *a_name, int a_index, int b, const char *b_name, int b_index) {
    struct ifinfomsg near = {.ifi_index = a_index}, far = {.ifi_index = b_index};
    begin(space[0].route, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &near, sizeof near);
    veth_end(a_name, link, 0, space[a].namespace);
    struct rtattr *info = open_attribute(IFLA_LINKINFO);
    attribute(IFLA_INFO_KIND, "veth", 4);
    struct rtattr *data = open_attribute(IFLA_INFO_DATA), *peer = open_attribute(VETH_INFO_PEER);
    put(&far, sizeof far);
    veth_end(b_name, link, 1, space[b].namespace);
    close_attribute(peer);
    close_attribute(data);
    close_attribute(info);
    end();
}

static void bridge(int route) {
    struct ifinfomsg body = {.ifi_index = BRIDGE_INDEX};
    unsigned char off = 0;
    begin(route, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &body, sizeof body);
    attribute(IFLA_IFNAME, "br0", 4);
    struct rtattr *info = open_attribute(IFLA_LINKINFO);
    attribute(IFLA_INFO_KIND, "bridge", 6);
    struct rtattr *data = open_attribute(IFLA_INFO_DATA);
    number(IFLA_BR_STP_STATE, 0);
    attribute(IFLA_BR_MCAST_SNOOPING, &off, 1);
    close_attribute(data);
    close_attribute(info);
    end();
}

static void up(int route, int index, int master) {
    struct ifinfomsg body = {.ifi_index = index, .ifi_flags = IFF_UP, .ifi_change = IFF_UP};
    begin(route, RTM_NEWLINK, 0, &body, sizeof body);
    if (master) number(IFLA_MASTER, master);
    end();
}

static void add_address(int route, int index, struct address wanted) {
    int six = wanted.family == AF_INET6;
    struct ifaddrmsg body = {
        .ifa_family = wanted.family, .ifa_prefixlen = wanted.prefix, .ifa_flags = six ? IFA_F_NODAD : 0, .ifa_index = index};
    begin(route, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, &body, sizeof body);
    if (!six) attribute(IFA_LOCAL, wanted.bytes, wanted.size);
    attribute(IFA_ADDRESS, wanted.bytes, wanted.size);
    end();
}

static void add_route(int route, int index, struct address to, struct address via) {
    struct rtmsg body = {
        .rtm_family = to.family, .rtm_dst_len = to.prefix, .rtm_table = RT_TABLE_MAIN, .rtm_protocol = RTPROT_STATIC, .rtm_type = RTN_UNICAST};
    begin(route, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, &body, sizeof body);
    attribute(RTA_DST, to.bytes, to.size);
    attribute(RTA_GATEWAY, via.bytes, via.size);
    number(RTA_OIF, index);
    end();
}

static void add_neighbour(int route, int index, struct address whose, int link, int side) {
    unsigned char mac[6];
    hardware(mac, link, side);
    struct ndmsg body = {.ndm_family = whose.family, .ndm_ifindex = index, .ndm_state = NUD_PERMANENT, .ndm_type = RTN_UNICAST};
    begin(route, RTM_NEWNEIGH, NLM_F_CREATE, &body, sizeof body);
    attribute(NDA_DST, whose.bytes, whose.size);
    attribute(NDA_LLADDR, mac, sizeof mac);
    end();
}

/* Sysctls: what a fresh namespace already has is set in none. */

static void set_sysctls(const char *kind) {
    for (int i = 0; i < setting_count; i++) {
        struct setting *each = &settings[i];
        if (strcmp(each->kind, kind)) continue;
        if (each->wanted < 0) {
            char has[256], *rest = has, *word, squeezed[256] = "";
            int fd = open(each->path, O_RDONLY | O_CLOEXEC);
            ssize_t size = fd < 0 ? -1 : read(fd, has, sizeof has - 1);
            if (size < 0) die(each->path);
            close(fd);
            has[size] = 0;
            while ((word = strsep(&rest, " \t\n")))
                if (*word) {
                    if (*squeezed) strcat(squeezed, " ");
                    strcat(squeezed, word);
                }
            each->wanted = strcmp(squeezed, each->value) != 0;
        }
        if (!each->wanted) continue;
        int fd = open(each->path, O_WRONLY | O_CLOEXEC);
        if (fd < 0 || write(fd, each->value, strlen(each->value)) < 0) die(each->path);
        close(fd);
    }
}

/* Offloads: one request an interface. */

static struct {
    struct ethtool_sfeatures head;
    struct ethtool_set_features_block blocks[MOST_WORDS];
} off;

static int ethtool(int route, const char *name, void *data) {
    struct ifreq request = {.ifr_data = data};
    strncpy(request.ifr_name, name, IFNAMSIZ - 1);
    int result = ioctl(route, SIOCETHTOOL, &request);
    if (result < 0) die("ethtool");
    return result;
}

static void know_features(int route) {
    struct {
        struct ethtool_sset_info head;
        uint32_t size;
    } info = {.head = {.cmd = ETHTOOL_GSSET_INFO, .sset_mask = 1ull << ETH_SS_FEATURES}};
    ethtool(route, "lo", &info);
    struct ethtool_gstrings *strings = calloc(1, sizeof *strings + info.size * ETH_GSTRING_LEN);
    *strings = (struct ethtool_gstrings){.cmd = ETHTOOL_GSTRINGS, .string_set = ETH_SS_FEATURES, .len = info.size};
    ethtool(route, "lo", strings);
    off.head = (struct ethtool_sfeatures){.cmd = ETHTOOL_SFEATURES, .size = (info.size + 31) / 32};
    for (uint32_t bit = 0; bit < info.size; bit++)
        for (int i = 0; i < feature_count; i++)
            if (!strncmp((char *)strings->data + bit * ETH_GSTRING_LEN, features_off[i], ETH_GSTRING_LEN))
                off.blocks[bit / 32].valid |= 1u << bit % 32;
    free(strings);
}

static void offloads_off(int route, const char *name) {
    if (!feature_count) return;
    if (!off.head.size) know_features(route);
    if (ethtool(route, name, &off) & ETHTOOL_F_WISH) die("the device keeps an offload");
}

/* Ready: operational, and with a queueing discipline, which the kernel attaches a moment after the carrier is there. */

static int ready_interfaces(int route) {
    static char answer[1 << 17];
    struct {
        struct nlmsghdr head;
        struct ifinfomsg body;
        struct rtattr attribute;
        uint32_t mask;
    } ask = {
        .head = {.nlmsg_len = sizeof ask, .nlmsg_type = RTM_GETLINK, .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP, .nlmsg_seq = 2},
        .attribute = {.rta_len = RTA_LENGTH(4), .rta_type = IFLA_EXT_MASK},
        .mask = RTEXT_FILTER_SKIP_STATS,
    };
    if (send(route, &ask, sizeof ask, 0) < 0) die("send");
    for (int ready = 0;;) {
        ssize_t size = recv(route, answer, sizeof answer, 0);
        if (size < 0) die("recv");
        for (struct nlmsghdr *head = (void *)answer; NLMSG_OK(head, size); head = NLMSG_NEXT(head, size)) {
            if (head->nlmsg_type == NLMSG_DONE) return ready;
            struct ifinfomsg *body = NLMSG_DATA(head);
            int left = IFLA_PAYLOAD(head), operational = 0, queueing = 0;
            if (body->ifi_index == 1 || body->ifi_index == BRIDGE_INDEX) continue;
            for (struct rtattr *each = IFLA_RTA(body); RTA_OK(each, left); each = RTA_NEXT(each, left)) {
                if (each->rta_type == IFLA_OPERSTATE) operational = *(unsigned char *)RTA_DATA(each) == 6;
                if (each->rta_type == IFLA_QDISC) queueing = strcmp(RTA_DATA(each), "noop") != 0;
            }
            ready += operational && queueing;
        }
    }
}

static void wait_until_ready(int route, int interfaces) {
    double began = now();
    for (int pause = 100; ready_interfaces(route) < interfaces; pause = pause < 2500 ? 2 * pause : 5000) {
        errno = ETIMEDOUT;
        if (now() - began > READY_WITHIN_MS) die("interfaces did not come up");
        usleep(pause);
    }
}

/* The two networks. */

static void make_space(int i, const char *kind) {
    if (unshare(CLONE_NEWNET)) die("unshare");
    space[i].namespace = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
    space[i].route = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    if (space[i].namespace < 0 || space[i].route < 0) die("descriptors of a namespace");
    set_sysctls(kind);
}

/* Space 0 is the switch, space i host i: its eth0 is the wire's first end, the switch's eth(i-1) the second. */

static int port_index(int host) {
    return 2 * host + 1;
}

static struct address host4(int host) {
    return address4(0x0a000000u + host, 16);
}

static struct address host6(int host) {
    return address6(0, host, 64);
}

static void star_wires(void) {
    char port[IFNAMSIZ];
    bridge(space[0].route);
    flush(space[0].route);
    for (int host = 1; host <= count; host++) {
        snprintf(port, sizeof port, "eth%d", host - 1);
        veth(host - 1, host, "eth0", 2, 0, port, port_index(host));
    }
    flush(space[0].route);
}

static void star_offloads(void) {
    char port[IFNAMSIZ];
    for (int host = 1; host <= count; host++) {
        snprintf(port, sizeof port, "eth%d", host - 1);
        offloads_off(space[host].route, "eth0");
        offloads_off(space[0].route, port);
    }
}

static int is_known(int host) {
    for (int i = 0; i < known_count; i++)
        if (known[i] == host) return 1;
    return 0;
}

static void neighbour_of_host(int host, int other) {
    if (other == host) return;
    add_neighbour(space[host].route, 2, host4(other), other - 1, 0);
    add_neighbour(space[host].route, 2, host6(other), other - 1, 0);
}

static void star_configuration(void) {
    int route = space[0].route;
    up(route, 1, 0);
    up(route, BRIDGE_INDEX, 0);
    for (int host = 1; host <= count; host++) up(route, port_index(host), BRIDGE_INDEX);
    flush(route);
    for (int host = 1; host <= count; host++) {
        route = space[host].route;
        up(route, 1, 0);
        up(route, 2, 0);
        add_address(route, 2, host4(host));
        add_address(route, 2, host6(host));
        if (is_known(host))
            for (int other = 1; other <= count; other++) neighbour_of_host(host, other);
        else
            for (int i = 0; i < known_count; i++) neighbour_of_host(host, known[i]);
        flush(route);
    }
}

/* Space i is router i, from 0; link i joins routers i and i + 1, and has the subnets 10.0.i.0/24 and fd00:0:0:i::/64. */

static struct address link4(int link, int side) {
    return address4(0x0a000001u + (link << 8) + side, 24);
}

static struct address link6(int link, int side) {
    return address6(link, 1 + side, 64);
}

static int left_index = 3;

static int right_index(int router) {
    return router ? 4 : 2;
}

static const char *right_name(int router) {
    return router ? "eth1" : "eth0";
}

static void line_wires(void) {
    for (int link = 0; link < count - 1; link++)
        veth(link, link, right_name(link), right_index(link), link + 1, "eth0", left_index);
    flush(space[0].route);
}

static void line_offloads(void) {
    for (int link = 0; link < count - 1; link++) {
        offloads_off(space[link].route, right_name(link));
        offloads_off(space[link + 1].route, "eth0");
    }
}

/* Routes to the subnets of links first to last - 1: one each, or the largest blocks that are aligned. */
static void routes_to(int router, int first, int last, int index, struct address via4, struct address via6) {
    int route = space[router].route;
    while (first < last) {
        int bits = 0;
        while (aggregate && !(first & 1 << bits) && bits < 15 && first + (2 << bits) <= last) bits++;
        struct address to4 = address4(0x0a000000u + (first << 8), 24 - bits), to6 = address6(first, 0, 64 - bits);
        add_route(route, index, to4, via4);
        add_route(route, index, to6, via6);
        first += 1 << bits;
    }
}

static void line_configuration(void) {
    for (int router = 0; router < count; router++) {
        int route = space[router].route, left = router - 1, right = router;
        up(route, 1, 0);
        if (left >= 0) {
            up(route, left_index, 0);
            add_address(route, left_index, link4(left, 1));
            add_address(route, left_index, link6(left, 1));
        }
        if (right < count - 1) {
            up(route, right_index(router), 0);
            add_address(route, right_index(router), link4(right, 0));
            add_address(route, right_index(router), link6(right, 0));
        }
        if (left >= 0) routes_to(router, 0, left, left_index, link4(left, 0), link6(left, 0));
        if (right < count - 1) routes_to(router, right + 1, count - 1, right_index(router), link4(right, 1), link6(right, 1));
        flush(route);
    }
}

/* Commands. */

static void build(void) {
    double began = now(), processor = milliseconds(CLOCK_PROCESS_CPUTIME_ID);
    if (star) make_space(0, "switch");
    for (int i = star; i < spaces; i++) make_space(i, star ? "host" : "router");
    double made = now();
    (star ? star_wires : line_wires)();
    double wired = now();
    (star ? star_offloads : line_offloads)();
    double plain = now();
    (star ? star_configuration : line_configuration)();
    double configured = now();
    for (int i = 0; i < spaces; i++) wait_until_ready(space[i].route, star ? (i ? 1 : count) : (i > 0) + (i < count - 1));
    if (setns(home, CLONE_NEWNET)) die("setns");
    double done = now();
    printf("{\"up_ms\": %.3f, \"processor_ms\": %.3f, ", done - began, milliseconds(CLOCK_PROCESS_CPUTIME_ID) - processor);
    printf("\"phases\": {\"namespaces\": %.3f, \"wires\": %.3f, \"offloads\": %.3f, \"configure\": %.3f, \"ready\": %.3f}}\n",
        made - began, wired - made, plain - wired, configured - plain, done - configured);
}

static void let_go(void) {
    double began = now();
    for (int i = 0; i < spaces; i++) {
        close(space[i].route);
        close(space[i].namespace);
    }
    printf("{\"down_ms\": %.3f}\n", now() - began);
}

static void tell_spaces(void) {
    printf("{\"spaces\": {");
    for (int i = 0; i < spaces; i++) {
        if (star && !i) printf("\"s\": %d", space[i].namespace);
        else printf("%s\"%c%d\": %d", i ? ", " : "", star ? 'h' : 'r', star ? i : i + 1, space[i].namespace);
    }
    printf("}}\n");
}

static void make_socket(void) {
    if (setns(space[1].namespace, CLONE_NEWNET)) die("setns");
    int made = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (made < 0) die("socket");
    if (setns(home, CLONE_NEWNET)) die("setns");
    close(made);
}

static void spawn(void) {
    char *words[] = {"true", NULL};
    pid_t child;
    int status;
    if (setns(space[1].namespace, CLONE_NEWNET)) die("setns");
    if ((errno = posix_spawnp(&child, "true", NULL, NULL, words, environ))) die("posix_spawn");
    if (setns(home, CLONE_NEWNET)) die("setns");
    if (waitpid(child, &status, 0) != child || status) die("true");
}

static int by_value(const void *a, const void *b) {
    double one = *(const double *)a, other = *(const double *)b;
    return (one > other) - (one < other);
}

static void repeat(void (*work)(void), int times) {
    double *taken = calloc(times, sizeof *taken);
    for (int i = 0; i < times; i++) {
        double began = now();
        work();
        taken[i] = now() - began;
    }
    qsort(taken, times, sizeof *taken, by_value);
    printf("{\"us\": %.3f}\n", taken[times / 2] * 1e3);
    free(taken);
}

static void understand(int argc, char **argv) {
    int option;
    while ((option = getopt(argc, argv, "s:o:n:a")) != -1) {
        if (setting_count == MOST_SETTINGS || feature_count == MOST_SETTINGS || known_count == MOST_SETTINGS) die("too many options");
        if (option == 's') {
            struct setting *made = &settings[setting_count++];
            char *kind = strsep(&optarg, ":"), *name = strsep(&optarg, "=");
            for (char *dot = name; (dot = strchr(dot, '.'));) *dot = '/';
            snprintf(made->kind, sizeof made->kind, "%s", kind);
            snprintf(made->path, sizeof made->path, "/proc/sys/%s", name);
            made->value = optarg;
            made->wanted = -1;
        } else if (option == 'o') {
            features_off[feature_count++] = optarg;
        } else if (option == 'n') {
            known[known_count++] = atoi(optarg);
        } else if (option == 'a') {
            aggregate = 1;
        } else {
            exit(2);
        }
    }
    if (argc - optind != 2 || (count = atoi(argv[optind + 1])) < 2) {
        fputs("usage: reference star|line N [options]\n", stderr);
        exit(2);
    }
    star = !strcmp(argv[optind], "star");
}

int main(int argc, char **argv) {
    char line[64];
    understand(argc, argv);
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    spaces = count + star;
    space = calloc(spaces, sizeof *space);
    setvbuf(stdout, NULL, _IOLBF, 0);
    while (fgets(line, sizeof line, stdin)) {
        int times = 0;
        if (!strcmp(line, "loaded\n")) puts("{\"load_ms\": 0}");
        else if (!strcmp(line, "up\n")) build();
        else if (!strcmp(line, "down\n")) let_go();
        else if (!strcmp(line, "spaces\n")) tell_spaces();
        else if (sscanf(line, "sockets %d", &times) == 1 && times > 0) repeat(make_socket, times);
        else if (sscanf(line, "spawns %d", &times) == 1 && times > 0) repeat(spawn, times);
        else return 2;
    }
    return 0;
}
