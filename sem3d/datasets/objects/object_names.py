"""Names of the objects in files of renders: one a line beside them where the names are known."""

from collections import Counter
from pathlib import Path

from sem3d.errors import UserError
from sem3d.folders import is_there
from sem3d.texts import lines_of, read_text


def objects_list(root: Path, name: str, split: str) -> Path:
    """Return the place of the list of the objects of a class and split; it need not be there, NMR's release has none."""
    return root / f"{name}_{split}_objects.txt"


def object_names(root: Path, name: str, split: str, count: int) -> list[str]:
    """Return one name an object: the lines of its list where there is one, else its number."""
    path = objects_list(root, name, split)
    if not is_there(path):
        return [unlisted_name(number) for number in range(count)]
    names = lines_of(read_text(path))
    if len(names) != count:
        raise UserError(
            f"{path} names {len(names)} objects, but {name}_{split}_images.npz has {count}: fetch both again"
        )
    twice = next((name for name, times in Counter(names).items() if times > 1), None)
    if twice is not None:
        raise UserError(f"{path} names {twice} twice: every object has a name of its own")
    return names


def unlisted_name(number: int) -> str:
    """Return the name of an object that no list names."""
    return f"{number:05d}"
