"""A trained network as a file for another library: ``python -m jobs.export RUN --to FORM [--out FILE]``.

Forms are torchvision and timm (the image encoder under their names), safetensors (weights), torchscript and onnx (the network
itself). The file is opened with the other library, and kept only if its numbers are the same.
"""

from jobs import command_line
from jobs.exits import run
from jobs.explanation import begin_in_earnest
from jobs.places import absolute
from sem3d.pipelines.exported import ExportOptions, export
from sem3d.pipelines.loaded_model import load

PROG = "python -m jobs.export"


def main() -> None:
    """Load, write, compare."""
    options = absolute(command_line.parse(ExportOptions, prog=PROG, description=__doc__))
    begin_in_earnest()
    print(f"loads {options.run}, writes {options.out or 'a file'} for {options.to} and compares both", flush=True)
    model = load(options.run, device="cpu", storage=options.storage, tracking_uri=options.tracking_uri)
    for line in export(model, options):
        print(line)


if __name__ == "__main__":
    run(main)
