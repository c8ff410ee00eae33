"""The models: which there are."""

from fastapi import APIRouter
from starlette.responses import JSONResponse

from meanwhile import wiring
from meanwhile.domain.errors import InvalidRequest
from meanwhile.domain.request import Json
from meanwhile.providers.catalogue import ModelEntry
from meanwhile.web.auth import Owner
from meanwhile.web.documents import FAILURES, returns
from meanwhile.web.errors import ModelNotFound

router = APIRouter(tags=["Models"])


@router.get("/models", operation_id="listModels", responses=FAILURES | returns("ModelList"))
async def models(owner: Owner) -> JSONResponse:  # noqa: ARG001  # only callers we know
    """Return the models known by name."""
    found = [_model(entry) for entry in wiring.catalogue().list()]
    return JSONResponse({"object": "list", "data": found})


@router.get("/models/{model:path}", operation_id="getModel", responses=FAILURES | returns("Model"))
async def model(model: str, owner: Owner) -> JSONResponse:  # noqa: ARG001  # only callers we know
    """Return one model; its id may hold slashes."""
    try:
        entry = wiring.catalogue().find(model)
    except InvalidRequest as unknown:
        raise ModelNotFound(unknown.message, param="model") from None
    return JSONResponse(_model(entry))


def _model(entry: ModelEntry) -> Json:
    return {"id": entry.id, "object": "model", "created": entry.created, "owned_by": entry.owned_by}
