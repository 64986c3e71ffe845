"""Where PyTorch3D and MinkowskiEngine are missing, all that does not need them works."""

import json

import pytest

from sem3d.methods import METHODS
from tests.methods.tiny import DATA
from tests.warm_process import WarmProcess

TRAINED = ("pri3d", "ppkt", "semantic_srn", "reconstruction")


@pytest.mark.usefixtures("quick_workers")
def test_methods_are_explained_and_trained_without_pytorch3d_and_minkowski_engine(request, tmp_path):
    fixtures = {name: {"rooms": "indexed_rooms"}.get(DATA[name], DATA[name]) for name in TRAINED}
    places = {name: str(request.getfixturevalue(fixture)) for name, fixture in fixtures.items()}
    with (tmp_path / "said").open("w+") as said:
        process = WarmProcess("tests.without_packages", json.dumps(places), tmp_path, output=said)
        code = process.wait(120)
        said.seek(0)
        lines = said.read().splitlines()
    assert code == 0, "\n".join(lines)
    assert {line.strip() for line in lines} >= METHODS.keys()
    assert json.loads(lines[-1]) == {"steps": dict.fromkeys(TRAINED, 1), "imported": []}
