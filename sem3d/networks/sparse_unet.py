"""The sparse 3D residual U-Net of Pri3D and PointContrast: MinkUNet34C (Choy et al., arXiv 1904.08755).

Modules have MinkUNet's names. A weight named ``kernel`` has its layout too, save that kernels of one voxel keep a first
axis of 1; its ``bn0.bn.weight`` is ``bn0.weight`` here. The output is the decoder's features, 96-d: Pri3D's
``model/backbone/resunet3d.py`` puts a last 1 x 1 layer from 96 to 96 on them, below the linear layer that projects them;
two linear layers in a row are one in what they can compute.
"""

from dataclasses import dataclass
from typing import Annotated, Literal

import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor, nn

from sem3d.bounds import Bounds, Width
from sem3d.networks.batch_norm import GlobalBatchNorm
from sem3d.networks.sparse import Backend, SparseConvolution, SparseTensor, SparseTransposedConvolution, concatenate

Blocks = Annotated[int, Bounds(1, 1000)]
VoxelInput = Literal["occupancy", "color"]
COARSEST = 16
"""Stride of the network's last encoder stage."""
INPUT_CHANNELS: dict[VoxelInput, int] = {"occupancy": 1, "color": 3}


@dataclass(frozen=True, kw_only=True)
class SparseUNetConfig:
    """Shape of the network; the defaults are MinkUNet34C with Pri3D's stem."""

    stem_kernel: Annotated[int, Bounds(1, 15)] = 5
    """Width of the first kernel in voxels: 5 in Pri3D, 3 in PointContrast."""
    init_dim: Width = 32
    """Channels of the stem."""
    planes: tuple[Width, Width, Width, Width, Width, Width, Width, Width] = (32, 64, 128, 256, 256, 128, 96, 96)
    """Channels of the four encoder and four decoder stages."""
    blocks: tuple[Blocks, Blocks, Blocks, Blocks, Blocks, Blocks, Blocks, Blocks] = (2, 3, 4, 6, 2, 2, 2, 2)
    """Residual blocks of each stage."""
    backend: Backend = "auto"
    """The library that computes the convolutions; "auto" is Triton on GPUs and MinkowskiEngine on CPUs, else PyTorch."""


RES16UNET34C = SparseUNetConfig(stem_kernel=3)
"""The network of PointContrast and PPKT; SR-UNet34 in PPKT's words."""
RES16UNET18A = SparseUNetConfig(
    stem_kernel=3, planes=(32, 64, 128, 256, 128, 128, 96, 96), blocks=(2, 2, 2, 2, 2, 2, 2, 2)
)
"""The smaller network of PPKT's ablation, SR-UNet18."""
SLIM = SparseUNetConfig(
    init_dim=8,
    stem_kernel=3,
    planes=(8, 16, 32, 64, 32, 32, 16, 16),
    blocks=(1, 1, 1, 1, 1, 1, 1, 1),
    backend="torch",
)
"""A network for minutes on two CPU cores."""


class SparseBlock(nn.Module):
    """Residual block of two 3 x 3 x 3 convolutions (He et al., arXiv 1512.03385).

    A 1 x 1 x 1 one fits the shortcut where the channels differ.
    """

    def __init__(self, in_channels: int, out_channels: int, backend: Backend = "auto"):
        super().__init__()
        self.conv1 = SparseConvolution(in_channels, out_channels, 3, backend=backend)
        self.norm1 = GlobalBatchNorm(out_channels)
        self.conv2 = SparseConvolution(out_channels, out_channels, 3, backend=backend)
        self.norm2 = GlobalBatchNorm(out_channels)
        self.downsample = None
        if in_channels != out_channels:
            shortcut = SparseConvolution(in_channels, out_channels, 1, backend=backend)
            self.downsample = nn.ModuleList([shortcut, GlobalBatchNorm(out_channels)])

    def forward(self, tensor: SparseTensor) -> SparseTensor:
        """Return features at the same voxels."""
        residual = normalise(self.norm2, self.conv2(activate(self.norm1, self.conv1(tensor))))
        shortcut = tensor
        if self.downsample is not None:
            fit, norm = self.downsample
            shortcut = normalise(norm, fit(tensor))
        return tensor.with_features(torch.relu(residual.features + shortcut.features))


class SparseUNet(nn.Module):
    """Four downsamplings by 2, four upsamplings by 2 and concatenated skips; the output belongs to the input's rows."""

    def __init__(self, config: SparseUNetConfig | None = None, in_channels: int = 3):
        super().__init__()
        config = SparseUNetConfig() if config is None else config
        self.config = config
        self.out_channels = config.planes[-1]
        backend = config.backend
        self.conv0p1s1 = SparseConvolution(in_channels, config.init_dim, config.stem_kernel, backend=backend)
        self.bn0 = GlobalBatchNorm(config.init_dim)
        skips = [config.init_dim]
        width = config.init_dim
        for stage in range(4):
            planes = config.planes[stage]
            self.add_module(down_name(stage), SparseConvolution(width, width, 2, stride=2, backend=backend))
            self.add_module(f"bn{stage + 1}", GlobalBatchNorm(width))
            self.add_module(f"block{stage + 1}", _blocks(width, planes, config.blocks[stage], backend))
            width = planes
            skips.append(planes)
        for stage in range(4, 8):
            planes = config.planes[stage]
            self.add_module(up_name(stage), SparseTransposedConvolution(width, planes, backend=backend))
            self.add_module(f"bntr{stage}", GlobalBatchNorm(planes))
            self.add_module(
                f"block{stage + 1}", _blocks(planes + skips[7 - stage], planes, config.blocks[stage], backend)
            )
            width = planes

    def encoder(self) -> list[nn.Module]:
        """Return the modules from the stem down to the coarsest voxels; all others are the decoder."""
        names = [name for stage in range(4) for name in (down_name(stage), f"bn{stage + 1}", f"block{stage + 1}")]
        return [self.get_submodule(name) for name in ("conv0p1s1", "bn0", *names)]

    def forward(self, tensor: SparseTensor) -> Float[Tensor, "voxel dim"]:
        """Return features (voxel, planes[-1]) in the row order of the input, which has stride 1."""
        tensor = activate(self.bn0, self.conv0p1s1(tensor))
        skips = [tensor]
        for stage in range(4):
            down, norm = self.get_submodule(down_name(stage)), self.get_submodule(f"bn{stage + 1}")
            tensor = self.get_submodule(f"block{stage + 1}")(activate(norm, down(tensor)))
            skips.append(tensor)
        for stage in range(4, 8):
            up, norm = self.get_submodule(up_name(stage)), self.get_submodule(f"bntr{stage}")
            tensor = concatenate(activate(norm, up(tensor)), skips[7 - stage])
            tensor = self.get_submodule(f"block{stage + 1}")(tensor)
        return tensor.features


def voxel_tensor(
    voxel: Int[Tensor, "voxel 4"], color: UInt8[Tensor, "voxel 3"], given: VoxelInput, dtype: torch.dtype
) -> SparseTensor:
    """Return the input of a network: at each voxel that it is there, or its RGB in [0, 1].

    The voxels of all strides are found here, for which a GPU is waited for: made before anything else is launched, the input of
    a step costs no more than that.
    """
    features = color.to(dtype) / 255
    tensor = SparseTensor(voxel.int(), torch.ones_like(features[:, :1]) if given == "occupancy" else features)
    tensor.pyramid.coordinates(COARSEST)
    return tensor


def down_name(stage: int) -> str:
    """Return MinkUNet's name of the downsampling before encoder ``stage``, 0 to 3: conv1p1s2, conv2p2s2, conv3p4s2, conv4p8s2."""
    return f"conv{stage + 1}p{2**stage}s2"


def up_name(stage: int) -> str:
    """Return MinkUNet's name of the upsampling before decoder ``stage``, 4 to 7: convtr4p16s2, convtr5p8s2, convtr6p4s2, ..."""
    return f"convtr{stage}p{2 ** (8 - stage)}s2"


def normalise(norm: nn.Module, tensor: SparseTensor) -> SparseTensor:
    """Apply batch norm to the features."""
    return tensor.with_features(norm(tensor.features))


def activate(norm: nn.Module, tensor: SparseTensor) -> SparseTensor:
    """Apply batch norm and ReLU to the features."""
    return tensor.with_features(torch.relu(norm(tensor.features)))


def _blocks(in_channels: int, out_channels: int, count: int, backend: Backend) -> nn.Sequential:
    widths = [in_channels] + [out_channels] * (count - 1)
    return nn.Sequential(*[SparseBlock(width, out_channels, backend) for width in widths])
