"""What a cluster has of one kind, by name, with what the server itself would print of each.

The server is asked for its table, as `kubectl get` does: a row is a few cells in place of an object, and its
words (`CrashLoopBackOff`, `5d`) are the ones that the user knows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

TABLE_ACCEPT: Final = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"
"""https://kubernetes.io/docs/reference/using-api/api-concepts/#receiving-resources-as-tables"""


class ListedKind(Enum):
    """What can be listed; the value is the resource's name in a rule of RBAC."""

    POD = "pods"
    DEPLOYMENT = "deployments.apps"
    NAMESPACE = "namespaces"

    def path(self, namespace: str) -> str:
        """The API's path of the list; only namespaces are in no namespace."""
        match self:
            case ListedKind.POD:
                return f"/api/v1/namespaces/{namespace}/pods"
            case ListedKind.DEPLOYMENT:
                return f"/apis/apps/v1/namespaces/{namespace}/deployments"
            case ListedKind.NAMESPACE:
                return "/api/v1/namespaces"


@dataclass(frozen=True, kw_only=True)
class Listed:
    """One object; what the server did not print is empty. `ready` is such as `1/2`, `age` such as `5d`."""

    name: str
    status: str = ""
    ready: str = ""
    age: str = ""


def page_from_api(raw: Mapping[str, Any]) -> tuple[list[Listed], str]:
    """The rows of a Table object and where it goes on (empty at the end); of a plain list the names."""
    goes_on = str((raw.get("metadata") or {}).get("continue") or "")
    titles = [str(column.get("name")).lower() for column in raw.get("columnDefinitions") or []]
    if titles:
        rows = (dict(zip(titles, row.get("cells") or [], strict=False)) for row in raw.get("rows") or [])
    else:
        rows = ({"name": (item.get("metadata") or {}).get("name")} for item in raw.get("items") or [])
    listed = [
        Listed(**{key: str(row.get(key) or "") for key in ("name", "status", "ready", "age")})  # the fields of a Listed
        for row in rows
    ]
    return [each for each in listed if each.name], goes_on
