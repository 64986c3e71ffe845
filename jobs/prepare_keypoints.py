"""The verbs of :mod:`jobs.prepare` for keypoints: keypointnet and photos read them, annotation_page and aggregate make them."""

import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import tyro

from jobs.places import place
from jobs.prepare_objects import found_wrong
from sem3d.bounds import AtLeastOne, Share
from sem3d.datasets.objects.keypointnet import check_clouds, read_annotations, read_splits
from sem3d.datasets.objects.keypointnet_counts import counts_beside_paper
from sem3d.datasets.photos.keypointnet_ids import KEYPOINTNET_IDS
from sem3d.datasets.photos.layouts import Split, find_pairs
from sem3d.datasets.photos.pix3d import is_pix3d, pix3d_images
from sem3d.datasets.quarantine import Quarantined, QuarantineReport, check_limit
from sem3d.errors import UserError
from sem3d.files import write_text
from sem3d.pipelines.aggregation.aggregate import AggregationConfig
from sem3d.pipelines.aggregation.people import after_verification, annotate, page_of, verification_of
from sem3d.reporting.tables import format_table


def keypointnet(
    root: tyro.conf.Positional[Path],
    /,
    *,
    quarantine_limit: Share = 0.1,
    check: bool = False,
) -> None:
    """Read KeypointNet through and print its counts beside those of the paper's Tables 2 and 3.

    Args:
        root: Folder of annotations/, splits/, pcds/ and models/.
        quarantine_limit: Largest share of models that may be unusable.
        check: Read every cloud too, and compare the places of its keypoints.
    """
    start = time.monotonic()
    root = place(root)
    print(f"reading KeypointNet in {root}", flush=True)
    models, report = read_annotations(root)
    total = len(models) + len(report)
    clouds = list(check_clouds(root, models)) if check else []
    unusable = {f"{model.class_id}-{model.model_id}": fault for model, fault in clouds if fault is not None}
    report.items += [Quarantined.of(fault) for fault in unusable.values()]
    kept = [model for model in models if f"{model.class_id}-{model.model_id}" not in unusable]
    rows = counts_beside_paper(kept, read_splits(root))
    print(format_table(rows, list(rows[0])))
    print("in brackets: the paper's count, where it differs from this one")
    if check:
        print(f"clouds      {len(clouds)} of {len(models)} models have one here")
    print(found_wrong(report))
    print(f"seconds     {time.monotonic() - start:.1f}")
    check_limit(report, total, quarantine_limit, None)


def photos(
    root: tyro.conf.Positional[Path],
    /,
    *,
    split: Split = "test",
    listed: Path | None = None,
    quarantine_limit: Share = 0.1,
) -> None:
    """Read photographs with keypoints through, PF-WILLOW, PF-PASCAL, SPair-71k or Pix3D, and count what can be used.

    Args:
        root: Folder of the data.
        split: Pairs that are read; PF-WILLOW has one set of pairs, of Pix3D all photographs are.
        listed: A list of photographs of Pix3D, such as input.txt of its evaluation.
        quarantine_limit: Largest share of pairs or photographs that may be unusable.
    """
    start = time.monotonic()
    root = place(root)
    print(f"reading photographs of {root}", flush=True)
    if is_pix3d(root):
        name, counted = "pix3d", "photographs"
        images, faults = pix3d_images(root, place(listed) if listed else None)
        report = QuarantineReport([Quarantined.of(fault) for fault in faults])
        check_limit(report, len(images) + len(faults), quarantine_limit, None)
        found = [(one.category, tuple(one.image.keypoints)) for one in images]
        print(f"unobstructed {sum(one.unobstructed for one in images)}")
    else:
        name, pairs, report = find_pairs(root, split, quarantine_limit)
        counted, found = "pairs", [(pair.group, pair.names) for pair in pairs]
    print(f"layout      {name}")
    print(format_table(*group_table(name, counted, found)))
    print(found_wrong(report))
    print(f"seconds     {time.monotonic() - start:.1f}")


def annotation_page(
    root: tyro.conf.Positional[Path],
    /,
    *,
    out: Path,
    category: str = "",
    models: AtLeastOne = 20,
) -> None:
    """Write a page, which any browser shows, on which a person marks up to 24 points of each mesh; it saves marks as JSON.

    Args:
        root: Folder of meshes (.obj): <synset>/<id>/models/model_normalized.obj, or <class>/<name>.obj.
        out: The page, ending in .html.
        category: Class of the meshes, where there are several.
        models: Meshes on the page, the first ones by name.
    """
    root, out = place(root), place(out)
    if out.suffix.lower() != ".html":
        raise UserError(f"{out} must end in .html")
    print(f"reading meshes of {root}", flush=True)
    text, shown, faults = page_of(root, category, models)
    write_text(out, text)
    print(f"meshes      {shown}")
    print(found_wrong(QuarantineReport([Quarantined.of(fault) for fault in faults])))
    print(
        f"page        {out}: open it, mark, save; then python -m jobs.prepare aggregate {root} --marks FILES --out FOLDER"
    )


def aggregate(
    root: tyro.conf.Positional[Path],
    /,
    config: Annotated[AggregationConfig, tyro.conf.arg(name="")] = AggregationConfig(),  # noqa: B008 -- frozen
    *,
    marks: tuple[Path, ...],
    out: Path,
    category: str = "",
) -> None:
    """Make one set of keypoints of several people's marks on the same meshes, in KeypointNet's layout.

    Args:
        root: Folder of the meshes that the annotation page was made of.
        config: How marks become keypoints.
        marks: Files that the page saved, one of each person.
        out: Folder of the annotations and clouds; there must be none.
        category: Class of the meshes, where there are several.
    """
    start = time.monotonic()
    root, out = place(root), place(out)
    if out.exists():
        raise UserError(f"{out} exists: name another folder")
    print(f"reading meshes of {root} and marks of {len(marks)} people", flush=True)
    meanings, groups = annotate(
        root, category, [place(path) for path in marks], out, config, lambda line: print(line, flush=True)
    )
    print(
        f"keypoints   {meanings} meanings, {len(groups.reflections)} mirrored pairs, {len(groups.rotations)} groups of turns"
    )
    print(f"seconds     {time.monotonic() - start:.1f}\nfolder      {out}")


def verification_page(
    root: tyro.conf.Positional[Path],
    /,
    *,
    meshes: Path,
    out: Path,
    category: str = "",
) -> None:
    """Write a page on which a person accepts or rejects aggregated meanings, and adds keypoints that were missed.

    Args:
        root: Folder that aggregate wrote.
        meshes: Folder of the meshes.
        out: The page, ending in .html.
        category: Class of the meshes, where there are several.
    """
    root, out = place(root), place(out)
    if out.suffix.lower() != ".html":
        raise UserError(f"{out} must end in .html")
    text, shown = verification_of(root, place(meshes), category)
    write_text(out, text)
    print(
        f"models      {shown}\npage        {out}: open it, judge, save; then python -m jobs.prepare verify {root} --verdict FILE"
    )


def verify(
    root: tyro.conf.Positional[Path],
    /,
    *,
    verdict: Path,
    out: Path,
) -> None:
    """Take the verdict of the verification page: rejected meanings go, added keypoints come.

    Args:
        root: Folder that aggregate wrote.
        verdict: File that the page saved.
        out: Folder of the annotations after it; there must be none.
    """
    root, out = place(root), place(out)
    if out.exists():
        raise UserError(f"{out} exists: name another folder")
    before, after = after_verification(root, place(verdict), out)
    print(f"keypoints   {after} instead of {before}\nfolder      {out}")


def group_table(
    layout: str, counted: str, found: Iterable[tuple[str, tuple[str, ...]]]
) -> tuple[list[dict[str, str | int]], list[str]]:
    """Return a row for each group: how many, their keypoints, and those of them that are mapped to KeypointNet's."""
    items, keypoints, mapped = Counter(), Counter(), Counter()
    for group, names in found:
        items[group] += 1
        keypoints[group] += len(names)
        mapped[group] += len(set(names) & KEYPOINTNET_IDS.get((layout, group), {}).keys())
    columns = ["group", counted, "keypoints", "of KeypointNet"]
    rows = [dict(zip(columns, (one, items[one], keypoints[one], mapped[one]), strict=True)) for one in sorted(items)]
    return rows, columns
