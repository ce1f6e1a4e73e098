"""Linux error and signal numbers by name.

The node's numbers, not those of the machine the plugin runs on: macOS counts differently. Values are those of
`include/uapi/asm-generic/errno*.h` and `signal.h`, which x86-64 and arm64 share.
"""

from __future__ import annotations

from typing import Final

from kubectl_podtrace.wire.topics import ABORTED


def _numbered(first: int, names: str) -> dict[int, str]:
    return dict(enumerate(names.split(), start=first))


_ERRNOS: Final = (
    _numbered(
        1,
        "EPERM ENOENT ESRCH EINTR EIO ENXIO E2BIG ENOEXEC EBADF ECHILD EAGAIN ENOMEM EACCES EFAULT ENOTBLK "
        "EBUSY EEXIST EXDEV ENODEV ENOTDIR EISDIR EINVAL ENFILE EMFILE ENOTTY ETXTBSY EFBIG ENOSPC ESPIPE "
        "EROFS EMLINK EPIPE EDOM ERANGE EDEADLK ENAMETOOLONG ENOLCK ENOSYS ENOTEMPTY ELOOP",
    )
    | _numbered(
        42,
        "ENOMSG EIDRM ECHRNG EL2NSYNC EL3HLT EL3RST ELNRNG EUNATCH ENOCSI EL2HLT EBADE EBADR EXFULL ENOANO "
        "EBADRQC EBADSLT",
    )
    | _numbered(
        59,
        "EBFONT ENOSTR ENODATA ETIME ENOSR ENONET ENOPKG EREMOTE ENOLINK EADV ESRMNT ECOMM EPROTO EMULTIHOP "
        "EDOTDOT EBADMSG EOVERFLOW ENOTUNIQ EBADFD EREMCHG ELIBACC ELIBBAD ELIBSCN ELIBMAX ELIBEXEC EILSEQ "
        "ERESTART ESTRPIPE EUSERS ENOTSOCK EDESTADDRREQ EMSGSIZE EPROTOTYPE ENOPROTOOPT EPROTONOSUPPORT "
        "ESOCKTNOSUPPORT EOPNOTSUPP EPFNOSUPPORT EAFNOSUPPORT EADDRINUSE EADDRNOTAVAIL ENETDOWN ENETUNREACH "
        "ENETRESET ECONNABORTED ECONNRESET ENOBUFS EISCONN ENOTCONN ESHUTDOWN ETOOMANYREFS ETIMEDOUT "
        "ECONNREFUSED EHOSTDOWN EHOSTUNREACH EALREADY EINPROGRESS ESTALE EUCLEAN ENOTNAM ENAVAIL EISNAM "
        "EREMOTEIO EDQUOT ENOMEDIUM EMEDIUMTYPE ECANCELED ENOKEY EKEYEXPIRED EKEYREVOKED EKEYREJECTED "
        "EOWNERDEAD ENOTRECOVERABLE ERFKILL EHWPOISON",
    )
)
_SIGNALS: Final = _numbered(
    1,
    "SIGHUP SIGINT SIGQUIT SIGILL SIGTRAP SIGABRT SIGBUS SIGFPE SIGKILL SIGUSR1 SIGSEGV SIGUSR2 SIGPIPE "
    "SIGALRM SIGTERM SIGSTKFLT SIGCHLD SIGCONT SIGSTOP SIGTSTP SIGTTIN SIGTTOU SIGURG SIGXCPU SIGXFSZ "
    "SIGVTALRM SIGPROF SIGWINCH SIGIO SIGPWR SIGSYS",
)
ERRNO_NAMES: Final = frozenset(_ERRNOS.values())


def errno_name(number: int) -> str:
    """The name of an error; `ABORTED` for attempts that their own program closed, `ERRNO_n` for what has no name.

    >>> errno_name(2), errno_name(111), errno_name(0), errno_name(524)
    ('ENOENT', 'ECONNREFUSED', 'ABORTED', 'ERRNO_524')
    """
    if number == ABORTED:
        return "ABORTED"
    return _ERRNOS.get(number, f"ERRNO_{number}")


def signal_name(number: int) -> str:
    """The name of a signal.

    >>> signal_name(9), signal_name(35)
    ('SIGKILL', 'SIG35')
    """
    return _SIGNALS.get(number, f"SIG{number}")


def end_text(status: int) -> str:
    """How a command ended: by its exit code, or, negative, by a signal.

    >>> end_text(3), end_text(-11)
    ('exit code 3', 'signal SIGSEGV')
    """
    return f"signal {signal_name(-status)}" if status < 0 else f"exit code {status}"
