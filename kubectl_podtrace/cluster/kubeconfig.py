"""Finds and reads the kubeconfig by kubectl's rules, and turns it into a client configuration."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from kubectl_podtrace.errors import KubeconfigError

if TYPE_CHECKING:
    from kubernetes.client import Configuration

DEFAULT_NAMESPACE: Final = "default"
_SERVICE_ACCOUNT_NAMESPACE: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
_POOL_SIZE: Final = 8


@dataclass(frozen=True, kw_only=True)
class ConnectionOptions:
    """kubectl's connection flags, as typed. `request_timeout_s` bounds every call but the log stream."""

    kubeconfig: str | None = None
    context: str | None = None
    request_timeout_s: float | None = None
    as_user: str | None = None
    as_groups: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class LoadedConfig:
    """A client configuration, ready to connect with, and the namespace that goes without saying."""

    configuration: Configuration
    namespace: str


def load_config(options: ConnectionOptions, environ: Mapping[str, str]) -> LoadedConfig:
    """The configuration of the chosen context; inside a pod without a kubeconfig, that of its service account.

    Raises `KubeconfigError`.
    """
    from kubernetes.client import Configuration

    configuration = Configuration()
    configuration.connection_pool_maxsize = _POOL_SIZE
    paths = _kubeconfig_paths(options, environ)
    if not paths and options.context is None and environ.get("KUBERNETES_SERVICE_HOST"):
        return _load_in_cluster(configuration)
    if not paths:
        raise KubeconfigError(
            f"found no kubeconfig: {_where_it_was_sought(environ)}",
            "set KUBECONFIG or --kubeconfig; kubectl config view shows what kubectl uses",
        )
    return _load_files(paths, options, configuration)


def contexts(options: ConnectionOptions, environ: Mapping[str, str]) -> dict[str, str]:
    """The names of the kubeconfig's contexts with those of their clusters. Raises `KubeconfigError`."""
    documents = [_read(path) for path in _kubeconfig_paths(options, environ)]
    found: dict[str, str] = {}
    for entry in _entries(documents, "contexts"):
        context = entry.get("context")
        found.setdefault(str(entry.get("name")), str(context.get("cluster")) if isinstance(context, dict) else "")
    return found


def _kubeconfig_paths(options: ConnectionOptions, environ: Mapping[str, str]) -> list[Path]:
    """The kubeconfig files to merge, in order; files of a list that are missing or empty do not count."""
    if options.kubeconfig is not None:
        path = Path(options.kubeconfig).expanduser()
        if not path.is_file():
            raise KubeconfigError(f'the kubeconfig "{options.kubeconfig}" {_what_is_wrong(path)}')
        return [path]
    return [path for path in _candidates(environ) if path.is_file() and path.stat().st_size > 0]


def _candidates(environ: Mapping[str, str]) -> list[Path]:
    listed = environ.get("KUBECONFIG", "")
    return [Path(item).expanduser() for item in listed.split(os.pathsep) if item] or [_default_path(environ)]


def _default_path(environ: Mapping[str, str]) -> Path:
    home = environ.get("HOME")
    return (Path(home) if home else Path.home()) / ".kube" / "config"


def _where_it_was_sought(environ: Mapping[str, str]) -> str:
    return ", ".join(f"{path} {_what_is_wrong(path)}" for path in _candidates(environ))


def _what_is_wrong(path: Path) -> str:
    if path.is_dir():
        return "is a directory"
    return "is empty" if path.exists() else "does not exist"


def _load_files(paths: list[Path], options: ConnectionOptions, configuration: Configuration) -> LoadedConfig:
    from kubernetes.config import ConfigException, load_kube_config

    documents = [_read(path) for path in paths]
    # kubectl takes the first current-context of a list, the Python client the last one: name it.
    wanted = options.context or next((str(d["current-context"]) for d in documents if d.get("current-context")), "")
    if not wanted:
        raise KubeconfigError("the kubeconfig names no current context", "name one with --context, or use-context")
    context = _named(documents, "contexts", wanted).get("context")
    if not isinstance(context, dict):
        known = ", ".join(sorted(_names(documents, "contexts"))) or "none"
        raise KubeconfigError(f'the kubeconfig has no context "{wanted}"', f"contexts there: {known}")
    try:
        with _complaints() as complaints:
            load_kube_config(  # type: ignore[no-untyped-call]
                config_file=os.pathsep.join(str(path) for path in paths),
                context=wanted,
                client_configuration=configuration,
            )
    except (ConfigException, OSError, ValueError, KeyError, TypeError) as error:
        raise KubeconfigError(f'the kubeconfig\'s context "{wanted}" cannot be used: {error}') from error
    if complaints:
        raise KubeconfigError(
            f'the kubeconfig\'s context "{wanted}" got no credentials: {"; ".join(complaints)}',
            "kubectl config view shows the program that it runs to get them",
        )
    _check_server(configuration.host)
    _apply_proxy(configuration, _named(documents, "clusters", context.get("cluster")).get("cluster"))
    return LoadedConfig(configuration=configuration, namespace=str(context.get("namespace") or DEFAULT_NAMESPACE))


@contextmanager
def _complaints() -> Iterator[list[str]]:
    """What the client logs instead of raising: it goes on without credentials when a credential program fails."""
    found: list[str] = []

    class Collector(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            found.append(record.getMessage())

    collector = Collector(level=logging.ERROR)
    logging.getLogger().addHandler(collector)
    try:
        yield found
    finally:
        logging.getLogger().removeHandler(collector)


def _check_server(server: str) -> None:
    if not server.startswith(("https://", "http://")):
        raise KubeconfigError(f'the kubeconfig\'s server "{server}" is not an address', "it starts with https://")


def _apply_proxy(configuration: Configuration, cluster: object) -> None:
    """A cluster's proxy-url holds whatever the environment says, as with kubectl; not every client version reads it."""
    if isinstance(cluster, dict) and cluster.get("proxy-url"):
        configuration.proxy = str(cluster["proxy-url"])
        configuration.no_proxy = ""


def _read(path: Path) -> dict[str, Any]:
    import yaml

    try:
        document = yaml.safe_load(path.read_bytes())
    except OSError as error:
        raise KubeconfigError(f'the kubeconfig "{path}" cannot be read: {error.strerror}') from error
    except yaml.YAMLError as error:
        raise KubeconfigError(f'the kubeconfig "{path}" is not YAML{_yaml_trouble(error)}') from error
    if not isinstance(document, dict):
        raise KubeconfigError(f'"{path}" is not a kubeconfig')
    return document


def _yaml_trouble(error: Exception) -> str:
    """Where and why, on one line; the parser says it on several, with an excerpt that may hold a secret."""
    mark, problem = getattr(error, "problem_mark", None), getattr(error, "problem", None)
    where = f" at line {mark.line + 1}" if mark is not None else ""
    return f"{where}: {problem or str(error).partition(chr(10))[0]}"


def _entries(documents: list[dict[str, Any]], section: str) -> list[dict[str, Any]]:
    return [entry for document in documents for entry in document.get(section) or [] if isinstance(entry, dict)]


def _names(documents: list[dict[str, Any]], section: str) -> set[str]:
    return {str(entry.get("name")) for entry in _entries(documents, section)}


def _named(documents: list[dict[str, Any]], section: str, name: object) -> dict[str, Any]:
    return next((entry for entry in _entries(documents, section) if entry.get("name") == name), {})


def _load_in_cluster(configuration: Configuration) -> LoadedConfig:
    from kubernetes.config import ConfigException, load_incluster_config

    try:
        load_incluster_config(client_configuration=configuration)  # type: ignore[no-untyped-call]
        namespace = _SERVICE_ACCOUNT_NAMESPACE.read_text(encoding="utf-8").strip()
    except (ConfigException, OSError) as error:
        raise KubeconfigError(f"this pod's service account cannot be used: {error}") from error
    return LoadedConfig(configuration=configuration, namespace=namespace or DEFAULT_NAMESPACE)
