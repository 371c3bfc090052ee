/* Preloaded, it shows a kernel without IPv6 to a program; and port 53 is a free one of 127.77.53.1, so that the test
   needs no rights and meets nobody. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

int socket(int domain, int type, int protocol)
{
    int (*next)(int, int, int) = (int (*)(int, int, int))dlsym(RTLD_NEXT, "socket");
    if (domain == AF_INET6) {
        errno = EAFNOSUPPORT;
        return -1;
    }
    return next(domain, type, protocol);
}

int bind(int fd, const struct sockaddr *address, socklen_t length)
{
    int (*next)(int, const struct sockaddr *, socklen_t) =
        (int (*)(int, const struct sockaddr *, socklen_t))dlsym(RTLD_NEXT, "bind");
    struct sockaddr_in other;
    if (address->sa_family == AF_INET && length >= sizeof other) {
        memcpy(&other, address, sizeof other);
        if (other.sin_port == htons(53)) {
            other.sin_port = 0;
            other.sin_addr.s_addr = htonl(0x7f4d3501);
            return next(fd, (struct sockaddr *)&other, sizeof other);
        }
    }
    return next(fd, address, length);
}
