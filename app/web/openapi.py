"""The OpenAPI document at /api/v1/schema/openapi.json and a page that lists it, both from our own origin."""

import base64
import hashlib
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Any

from litestar import Request, Response, Router
from litestar.enums import MediaType
from litestar.exceptions import NotFoundException
from litestar.openapi import OpenAPIConfig, ResponseSpec
from litestar.openapi.plugins import JsonRenderPlugin, OpenAPIRenderPlugin
from markupsafe import Markup

from app.web.problems import MEDIA_TYPE, Problem

PATH = "/api/v1/schema"
VERSION = "1.0.0"

_DESCRIPTION = (
    "Campaigns and what is said about them. The site is the one that answers for the Host. "
    "Of a parameter that is given twice the last value counts; unknown parameters are ignored."
)
_ALWAYS = (400, 503)
_METHODS = ("get", "post", "put", "patch", "delete")
_STYLE = (
    ":root{color-scheme:light dark}"
    "body{font:1rem/1.5 system-ui,sans-serif;max-width:48rem;margin:2rem auto;padding:0 1rem}"
    "code{font-size:1em}dt{margin-top:1rem}dd{margin-left:1.5rem}"
)
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_POLICY = f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; frame-ancestors 'none'"
_PAGE = Markup(
    '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
    '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
    "<title>{title}</title>\n<style>{style}</style>\n</head>\n<body>\n<main>\n<h1>{title}</h1>\n"
    '<p>{description}</p>\n<p><a href="{json}">The OpenAPI document (JSON)</a></p>\n'
    "<dl>\n{operations}</dl>\n</main>\n</body>\n</html>\n"
)
_OPERATION = Markup("<dt><code>{method} {path}</code></dt>\n<dd>{summary} <code>{name}</code></dd>\n")


def problems(*statuses: int) -> dict[int, ResponseSpec]:
    """The failures that a route declares: those named, and 400 and 503, which every route has."""
    return {
        status: ResponseSpec(
            Problem, description=HTTPStatus(status).phrase, media_type=MEDIA_TYPE, generate_examples=False
        )
        for status in sorted({*_ALWAYS, *statuses})
    }


class OperationsPage(OpenAPIRenderPlugin):
    """A plain page without a script: each operation in a line, and a link to the document."""

    def __init__(self) -> None:
        super().__init__(path="/", media_type=MediaType.HTML, favicon="", style="")

    def render(self, request: Request[Any, Any, Any], openapi_schema: dict[str, Any]) -> bytes:  # noqa: ARG002 - the interface
        information = openapi_schema["info"]
        page = _PAGE.format(
            title=information["title"],
            description=information["description"],
            style=Markup(_STYLE),  # noqa: S704 - the constant above
            json=f"{PATH}/openapi.json",
            operations=Markup("").join(_operations(openapi_schema["paths"])),
        )
        return page.encode()


def openapi_config() -> OpenAPIConfig:
    router = Router(
        PATH, route_handlers=[], include_in_schema=False, dto=None, return_dto=None, after_request=_finish
    )
    return OpenAPIConfig(
        title="Hustings API",
        version=VERSION,
        description=_DESCRIPTION,
        openapi_router=router,
        render_plugins=[OperationsPage(), JsonRenderPlugin(media_type=MediaType.JSON)],
        use_handler_docstrings=True,
    )


def _operations(paths: Mapping[str, Mapping[str, Any]]) -> Iterator[Markup]:
    for path, item in sorted(paths.items()):
        for method in _METHODS:
            if operation := item.get(method):
                yield _OPERATION.format(
                    method=method.upper(),
                    path=path,
                    summary=operation.get("summary", ""),
                    name=operation["operationId"],
                )


async def _finish(response: Response[Any]) -> Response[Any]:
    """Litestar's own 404 below the schema is a page; ours is a problem like every other."""
    if response.status_code == HTTPStatus.NOT_FOUND:
        raise NotFoundException
    response.headers["content-security-policy"] = _POLICY
    return response
