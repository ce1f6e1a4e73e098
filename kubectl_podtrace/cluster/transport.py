"""HTTP with one API server: JSON calls, and streams of bytes that can be cut, be silent or end.

Uses the Kubernetes client for what is hard (credentials and their refresh, TLS, proxies) and speaks plain HTTP above
it: the client's generated calls cannot resume a log, and its models would cost more time than the calls.
"""

from __future__ import annotations

import json
import re
import threading
import warnings
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

from kubectl_podtrace.cluster.websocket import (
    WebSocketBrokenError,
    WebSocketChannel,
    WebSocketRefusedError,
    open_websocket,
)
from kubectl_podtrace.errors import ClusterUnreachableError, KubeconfigError

if TYPE_CHECKING:
    import urllib3
    from kubernetes.client import Configuration

CONNECT_TIMEOUT_S: Final = 10.0
READ_TIMEOUT_S: Final = 30.0
ANY_JSON: Final = "application/json, */*"
_READ_BYTES: Final = 1 << 16
_ERROR_BODY_BYTES: Final = 1 << 20


class ApiStatusError(Exception):
    """The API server answered a call with an error; `message` is its own text."""

    def __init__(self, *, status: int, reason: str, message: str) -> None:
        super().__init__(f"{status} {reason}: {message}")
        self.status = status
        self.reason = reason
        self.message = message


class StreamBrokenError(Exception):
    """A byte stream was cut, or was silent for longer than its reader waits."""


class ByteStream:
    """The body of a response that is still coming."""

    def __init__(self, response: urllib3.BaseHTTPResponse) -> None:
        self._response = response

    def read(self) -> bytes:
        """What has come, at least one byte; empty at the end. Raises `StreamBrokenError`."""
        import urllib3

        try:
            return self._response.read1(_READ_BYTES)
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise StreamBrokenError(str(error)) from error

    def close(self) -> None:
        """Give the connection up; nothing more comes."""
        self._response.close()


class Transport:
    """One API server, reached with one user's credentials."""

    def __init__(
        self,
        *,
        host: str,
        pool: urllib3.PoolManager,
        headers: Callable[[], urllib3.HTTPHeaderDict],
        read_timeout_s: float = READ_TIMEOUT_S,
    ) -> None:
        self._host = host
        self._pool = pool
        self._headers = headers
        self._read_timeout_s = read_timeout_s

    def call(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, object] | None = None,
        *,
        accept: str = ANY_JSON,
    ) -> dict[str, Any]:
        """One JSON call. Raises `ApiStatusError` when refused, `ClusterUnreachableError` when not answered."""
        response = self._request(method, path, query, body, self._read_timeout_s, accept=accept)
        try:
            content = response.read()
        finally:
            response.release_conn()
        answer = _json_object(content)
        if answer is None:
            raise ApiStatusError(status=response.status, reason="NotJson", message=_text(content))
        return answer

    def stream(self, path: str, query: Mapping[str, str], silence_s: float) -> ByteStream:
        """A GET whose body is read as it comes; a pause of `silence_s` breaks it. Raises as `call` does."""
        return ByteStream(self._request("GET", path, query, None, silence_s))

    def websocket(self, path: str, query: Mapping[str, str], timeout_s: float) -> WebSocketChannel:
        """A GET that becomes a WebSocket. Raises as `call` does."""
        url = f"{self._host}{path}?{urlencode(query)}"
        try:
            return open_websocket(url, pool=self._pool, headers=self._headers(), timeout_s=timeout_s)
        except WebSocketRefusedError as refusal:
            raise _status_error_of(refusal.status, refusal.reason, refusal.body) from refusal
        except WebSocketBrokenError as error:
            raise ClusterUnreachableError(f"no WebSocket to {self._host}: {error}") from error

    def _request(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None,
        body: Mapping[str, object] | None,
        read_timeout_s: float,
        *,
        accept: str = ANY_JSON,
    ) -> urllib3.BaseHTTPResponse:
        import urllib3

        url = f"{self._host}{path}" + (f"?{urlencode(query)}" if query else "")
        headers = self._headers()
        headers["Accept"] = accept
        if body is not None:
            headers["Content-Type"] = "application/json"
        try:
            response = self._pool.request(
                method,
                url,
                headers=headers,
                body=None if body is None else json.dumps(body),
                preload_content=False,
                timeout=urllib3.Timeout(connect=min(CONNECT_TIMEOUT_S, self._read_timeout_s), read=read_timeout_s),
                # 429 is a busy API server's "again, please"; what it says of the waiting time is respected.
                retries=urllib3.Retry(
                    total=2, connect=0, redirect=0, other=0, status_forcelist=(429,), raise_on_status=False
                ),
            )
        except urllib3.exceptions.HTTPError as error:
            raise ClusterUnreachableError(
                f"cannot reach the API server at {self._host}: {_plain_reason(error)}",
                "check with: kubectl cluster-info",
            ) from error
        if response.status >= 300:
            raise _status_error(response)
        return response


def open_transport(
    configuration: Configuration, *, read_timeout_s: float, extra_headers: list[tuple[str, str]]
) -> Transport:
    """A transport with a loaded configuration's address, TLS, proxy and credentials (refreshed when they expire)."""
    import urllib3
    from kubernetes.client import ApiClient

    if not configuration.verify_ssl:
        urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", urllib3.exceptions.DependencyWarning)
            pool: urllib3.PoolManager = ApiClient(configuration).rest_client.pool_manager
    except ImportError as error:
        raise KubeconfigError(
            f"the kubeconfig's proxy {configuration.proxy} needs a Python package: {error}", "pip install PySocks"
        ) from error
    except (OSError, ValueError, urllib3.exceptions.HTTPError) as error:
        raise KubeconfigError(f"the kubeconfig's connection settings cannot be used: {error}") from error

    refreshing = threading.Lock()

    def headers() -> urllib3.HTTPHeaderDict:
        found = urllib3.HTTPHeaderDict(extra_headers)
        # Calls are made by several threads, and a credential program is to run once for all.
        with refreshing:
            settings = configuration.auth_settings()
        for setting in settings.values():
            if isinstance(setting, dict) and setting.get("in") == "header" and setting.get("value"):
                found[str(setting["key"])] = str(setting["value"])
        return found

    return Transport(host=configuration.host, pool=pool, headers=headers, read_timeout_s=read_timeout_s)


def _status_error(response: urllib3.BaseHTTPResponse) -> ApiStatusError:
    """Reads a refusal's body: a Status object, or text from whatever stands before the API server."""
    import urllib3

    try:
        content = response.read(_ERROR_BODY_BYTES)
    except (urllib3.exceptions.HTTPError, OSError):
        content = b""
    finally:
        response.close()
    return _status_error_of(response.status, response.reason or "", content)


def _status_error_of(status: int, reason: str, content: bytes) -> ApiStatusError:
    answer = _json_object(content) or {}
    return ApiStatusError(
        status=status,
        reason=str(answer.get("reason") or reason),
        message=str(answer.get("message") or _text(content) or reason or "no reason given"),
    )


def _json_object(content: bytes) -> dict[str, Any] | None:
    try:
        answer = json.loads(content)
    except ValueError:
        return None
    return answer if isinstance(answer, dict) else None


def _text(content: bytes) -> str:
    return " ".join(content.decode("utf-8", "replace").split())[:500]


def _plain_reason(error: Exception) -> str:
    """urllib3 wraps the reason several times and names its own objects: the innermost, in words."""
    import urllib3

    reason: BaseException = error
    via = ""
    while isinstance(reason, (urllib3.exceptions.MaxRetryError, urllib3.exceptions.ProxyError)):
        inner = reason.reason if isinstance(reason, urllib3.exceptions.MaxRetryError) else reason.original_error
        if isinstance(reason, urllib3.exceptions.ProxyError):
            via = "through its proxy: "
        if inner is None:
            break
        reason = inner
    return via + _words_of(reason)


def _words_of(reason: BaseException) -> str:
    import urllib3

    match reason:
        case urllib3.exceptions.NameResolutionError():
            return "its name is not known"
        case urllib3.exceptions.NewConnectionError():  # a kind of ConnectTimeoutError to urllib3
            return _without_objects(reason)
        case urllib3.exceptions.ConnectTimeoutError():
            return "no connection in time"
        case urllib3.exceptions.ReadTimeoutError():
            return "no answer in time"
        case _:
            return _without_objects(reason)


def _without_objects(reason: BaseException) -> str:
    """`<HTTPConnection(...) at 0x...>: Failed to ...: [Errno 111] Connection refused` to its last, human part."""
    return re.sub(r"^.*\[Errno \d+\] |^.*>: |^.*\): ", "", str(reason)) or type(reason).__name__
