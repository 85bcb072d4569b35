"""Routes that only tests serve: ways of failing and of writing that the API does not have yet."""

from typing import Annotated, Any

import anyio
import msgspec
from litestar import Request, get, post
from litestar.di import NamedDependency
from litestar.exceptions import TooManyRequestsException
from litestar.params import FromQuery, JSONBody, MultipartBody, QueryParameter, RawBody
from sqlalchemy import text

from app.errors import Conflict, FieldError, Unprocessable
from app.web.bodies import JSON_OR_FORM
from app.web.openapi import problems
from app.web.sessions import DbSession

CREATE_NOTES = (
    "CREATE TABLE notes (id int PRIMARY KEY, name text UNIQUE DEFERRABLE INITIALLY DEFERRED, size int)",
    "ALTER TABLE notes ADD CHECK (size > 0)",
    "GRANT ALL ON notes TO hustings_app",
)
LIMIT = 10_000


class Note(msgspec.Struct, kw_only=True):
    id: int
    name: Annotated[str, msgspec.Meta(max_length=100)]
    size: int = 1
    tags: list[str] = []


@post(
    "/api/v1/echo",
    operation_id="echo",
    responses=problems(413, 415, 422),
    request_max_body_size=LIMIT,
    **JSON_OR_FORM,
)
async def echo(data: JSONBody[Note]) -> Note:
    return data


@post("/api/v1/parts", operation_id="parts", request_max_body_size=LIMIT, responses=problems(413, 415, 422))
async def parts(data: MultipartBody[dict[str, str]]) -> dict[str, str]:
    return data


@post("/api/v1/raw", operation_id="raw", opt={"accepts": ("text/csv",)}, responses=problems(413, 415))
async def raw(body: RawBody) -> dict[str, int]:
    return {"bytes": len(body)}


@post("/api/v1/nothing", operation_id="nothing", responses=problems())
async def nothing() -> dict[str, str]:
    return {"read": "nothing"}


@post("/api/v1/notes", operation_id="add_note", responses=problems(404, 409, 422))
async def add_note(db_session: NamedDependency[DbSession], data: JSONBody[Note]) -> Note:
    query = text("INSERT INTO notes (id, name, size) VALUES (:id, :name, :size)")
    await db_session.execute(query, {"id": data.id, "name": data.name, "size": data.size})
    if data.name == "refused":
        raise Conflict("This note is refused after it was written.")
    if data.name == "broken":
        raise RuntimeError("This note breaks after it was written.")
    return data


@get("/api/v1/fail", operation_id="fail", responses=problems(422, 429))
async def fail(how: FromQuery[str]) -> None:
    if how == "values":
        raise Unprocessable("No.", errors=(FieldError("name", "Give another one."),))
    if how == "many":
        raise TooManyRequestsException(headers={"Retry-After": "7", "X-Inner": "1"})
    raise RuntimeError(f"the password of ada@example.org, {how}")


@get("/api/v1/state", operation_id="state", responses=problems(409, 422))
async def fail_in_database(db_session: NamedDependency[DbSession], code: FromQuery[str]) -> None:
    await db_session.execute(text("SELECT set_config('tests.code', :code, true)"), {"code": code})
    await db_session.execute(
        text("DO $$ BEGIN RAISE 'table secrets' USING ERRCODE = current_setting('tests.code'); END $$")
    )


@get("/api/v1/slow", operation_id="slow", responses=problems())
async def slow(db_session: NamedDependency[DbSession], seconds: FromQuery[float]) -> dict[str, str]:
    await db_session.execute(text("SELECT pg_sleep(:seconds)"), {"seconds": seconds})
    return {"slept": "well"}


Required = Annotated[str, QueryParameter(name="public-name", min_length=2)]


@get("/api/v1/named", operation_id="named", responses=problems())
async def named(inner_name: Required) -> dict[str, str]:
    return {"given": inner_name}


@get("/desk/screen", operation_id="screen", media_type="text/html")
async def screen(request: Request[Any, Any, Any]) -> str:
    await anyio.lowlevel.checkpoint()
    return f"<p>{request.method}</p>"


ROUTES = [echo, parts, raw, nothing, add_note, fail, fail_in_database, slow, named, screen]
