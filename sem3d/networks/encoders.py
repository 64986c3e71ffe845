"""Image encoders: an image becomes feature maps at strides 4, 8, 16 and 32.

Every encoder has ``channels``, the depths of its four maps, and gives maps of exactly ``ceil(size / stride)`` cells, so
that sizes that 32 does not divide need no padding. Images are RGB in [0, 1] normalised by ImageNet's mean and deviation.
"""

from typing import ClassVar, Literal, get_args

from efficientnet_lite_pytorch import EfficientNet
from jaxtyping import Float
from torch import Tensor, nn

EncoderName = Literal["resnet18", "resnet50", "efficientnet_lite0"]


class Encoder(nn.Module):
    """Four feature maps of an image; see the module's docstring."""

    name: EncoderName
    channels: tuple[int, int, int, int]
    """Depths of the maps at strides 4, 8, 16 and 32."""
    classifier: ClassVar[tuple[str, ...]]
    """Prefixes of the weights of a published classifier that an encoder leaves out."""

    def forward(self, image: Float[Tensor, "batch channel height width"]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return maps at strides 4, 8, 16 and 32, each (batch, channels[i], ceil(height / stride), ceil(width / stride))."""
        raise NotImplementedError


class ResNetEncoder(Encoder):
    """ResNet18 or ResNet50 under torchvision's own names, so that torchvision's and MoCo's weights drop in."""

    classifier = ("fc.",)

    def __init__(self, name: Literal["resnet18", "resnet50"]):
        super().__init__()
        import torchvision  # its models import PyTorch's compiler: 2.4 s, which whoever builds none need not wait for

        published = torchvision.models.get_model(name, weights=None)
        self.name = name
        self.channels = (64, 128, 256, 512) if name == "resnet18" else (256, 512, 1024, 2048)
        self.conv1, self.bn1, self.relu, self.maxpool = (
            published.conv1,
            published.bn1,
            published.relu,
            published.maxpool,
        )
        self.layer1, self.layer2 = published.layer1, published.layer2
        self.layer3, self.layer4 = published.layer3, published.layer4

    def forward(self, image: Float[Tensor, "batch channel height width"]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return outputs of layer1, layer2, layer3 and layer4."""
        stride4 = self.layer1(self.maxpool(self.relu(self.bn1(self.conv1(image)))))
        stride8 = self.layer2(stride4)
        stride16 = self.layer3(stride8)
        return stride4, stride8, stride16, self.layer4(stride16)


class EfficientNetLite0Encoder(Encoder):
    """EfficientNet-Lite0 without its last 1x1 convolution, under the names of package efficientnet-lite-pytorch.

    The package's network pads for one fixed image size; here each convolution pads for the size it meets, which is the
    same at 224 x 224. Stochastic depth is left out: it would make a step depend on how a batch is dealt to workers.
    BatchNorm has torchvision's momentum of 0.1 instead of 0.01, whose running statistics lag hundreds of steps behind.
    """

    classifier = ("_conv_head.", "_bn1.", "_fc.")
    last_of_stride = (2, 4, 10, 15)

    def __init__(self):
        super().__init__()
        published = EfficientNet.from_name("efficientnet-lite0", image_size=None)
        self.name = "efficientnet_lite0"
        self.channels = (24, 40, 112, 320)
        self._conv_stem, self._bn0, self._swish = published._conv_stem, published._bn0, published._swish
        self._blocks = published._blocks
        for module in self.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.momentum = 0.1

    def forward(self, image: Float[Tensor, "batch channel height width"]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return outputs of the last block of each stride."""
        features = self._swish(self._bn0(self._conv_stem(image)))
        maps = []
        for number, block in enumerate(self._blocks):
            features = block(features)
            if number in self.last_of_stride:
                maps.append(features)
        return tuple(maps)


def make_encoder(name: EncoderName) -> Encoder:
    """Return the encoder of that name with random weights."""
    if name not in get_args(EncoderName):
        raise ValueError(f"no encoder {name!r}; there are {', '.join(get_args(EncoderName))}")
    return EfficientNetLite0Encoder() if name == "efficientnet_lite0" else ResNetEncoder(name)
