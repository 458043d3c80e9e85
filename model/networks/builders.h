// SPDX-License-Identifier: Apache-2.0
// The builders of the built-in networks. A bare name is the network for 224x224 images and 1,000 classes with the
// details of torchvision (VGG19, ResNet, MobileNet-V2 and -V3, EfficientNet) or Keras (MobileNet-V1); `_cifar` is the
// variant for 32x32 images and 10 classes, a number the image size where it is another one.
#pragma once

#include "model/network.h"

namespace bitstrata::model::networks {

// small.cpp
Network lenet5();
Network vgg_small();
Network cnn_4kb();
// vgg.cpp
Network vgg19();
Network vgg19_cifar();
Network vgg19_cifar_025();
// residual.cpp
Network resnet8();
Network resnet8_small();
Network resnet18();
Network resnet18_cifar();
Network resnet18_cifar_025();
Network resnet20();
Network resnet50();
// mobile.cpp
Network mobilenetv1();
Network mobilenetv1_cifar();
Network mobilenetv1_vww();
Network mobilenetv2();
Network mobilenetv2_96();
Network mobilenetv3_large();
Network mobilenetv3_small();
Network efficientnet_b0();
// tiny.cpp
Network dscnn();
Network autoencoder();

}  // namespace bitstrata::model::networks
