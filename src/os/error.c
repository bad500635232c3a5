// SPDX-License-Identifier: Apache-2.0
#include "os/error.h"

#include <errno.h>

#include "base/err.h"

int os_error(int errno_value)
{
    switch (errno_value) {
    case 0:
        return ERR_OK;
    case ENOSPC:
    case EDQUOT:
        return ERR_NOSPC;
    case ENOENT:
    case ENOTDIR:
        return ERR_NOT_FOUND;
    case EEXIST:
    case ENOTEMPTY:
        return ERR_EXISTS;
    case EBUSY:
    case ETXTBSY:
    case EADDRINUSE:
        return ERR_BUSY;
    case EACCES:
    case EPERM:
    case ECONNREFUSED:
    case EHOSTUNREACH:
    case ENETUNREACH:
        return ERR_REFUSED;
    case EPIPE:
    case ECONNRESET:
    case ECONNABORTED:
    case ENOTCONN:
    case ESHUTDOWN:
        return ERR_CLOSED;
    case ENOMEM:
    case ENOBUFS:
        return ERR_NOMEM;
    case EMFILE:
    case ENFILE:
    case EFBIG:
        return ERR_LIMIT;
    case EINVAL:
    case ENAMETOOLONG:
    case EISDIR:
    case ELOOP:
    case EADDRNOTAVAIL:
        return ERR_INVALID;
    case EAGAIN:
    case EINPROGRESS:
        return ERR_AGAIN;
    case ENOSYS:
    case EOPNOTSUPP:
    case EAFNOSUPPORT:
        return ERR_UNSUPPORTED;
    case ETIMEDOUT:
        return ERR_TIMEOUT;
    case EROFS: // what many systems make of a file system that has failed
    default:
        return ERR_IO;
    }
}
