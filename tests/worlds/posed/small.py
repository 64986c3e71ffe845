"""A few generated chairs from posed cameras, drawn without Ray."""

from pathlib import Path

from sem3d.datasets.objects.srn_write import write_classes
from sem3d.worlds.posed.generated import GeneratedObjects
from sem3d.worlds.posed.shapes import generated_subject
from sem3d.worlds.posed.subject import ViewsConfig
from sem3d.worlds.posed.write import write_views

VIEWS = ViewsConfig(side=16, training_views=4, test_views=6, samples=1)


def write_chairs(folder: Path, views: ViewsConfig = VIEWS) -> Path:
    """Two chairs to learn from, one of val and two to score on."""
    chosen = GeneratedObjects(train=2, val=1, test=2)
    for row in chosen.rows():
        write_views(folder / row["split"] / row["name"], generated_subject(row)[0], views, row["split"], row["name"])
    write_classes(folder, chosen.classes())
    return folder
