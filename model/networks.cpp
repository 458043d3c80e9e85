// SPDX-License-Identifier: Apache-2.0
// The table of built-in networks: one builder and one row each.
#include <fmt/format.h>

#include <filesystem>
#include <stdexcept>

#include "model/network.h"
#include "model/networks/builders.h"
#include "model/yaml_reader.h"

namespace bitstrata::model {
namespace {

struct Builder {
  const char* name;
  Network (*build)();
};

constexpr Builder builders[] = {{"lenet5", networks::lenet5},
                                {"vgg_small", networks::vgg_small},
                                {"cnn_4kb", networks::cnn_4kb},
                                {"vgg19", networks::vgg19},
                                {"vgg19_cifar", networks::vgg19_cifar},
                                {"vgg19_cifar_025", networks::vgg19_cifar_025},
                                {"resnet8", networks::resnet8},
                                {"resnet8_small", networks::resnet8_small},
                                {"resnet18", networks::resnet18},
                                {"resnet18_cifar", networks::resnet18_cifar},
                                {"resnet18_cifar_025", networks::resnet18_cifar_025},
                                {"resnet20", networks::resnet20},
                                {"resnet50", networks::resnet50},
                                {"mobilenetv1", networks::mobilenetv1},
                                {"mobilenetv1_cifar", networks::mobilenetv1_cifar},
                                {"mobilenetv1_vww", networks::mobilenetv1_vww},
                                {"mobilenetv2", networks::mobilenetv2},
                                {"mobilenetv2_96", networks::mobilenetv2_96},
                                {"mobilenetv3_large", networks::mobilenetv3_large},
                                {"mobilenetv3_small", networks::mobilenetv3_small},
                                {"efficientnet_b0", networks::efficientnet_b0},
                                {"dscnn", networks::dscnn},
                                {"autoencoder", networks::autoencoder}};

}  // namespace

std::vector<std::string> network_names() {
  std::vector<std::string> names;
  for (const Builder& builder : builders) names.emplace_back(builder.name);
  return names;
}

Network build_network(const std::string& name) {
  for (const Builder& builder : builders) {
    if (name == builder.name) return builder.build();
  }
  const std::vector<std::string> names = network_names();
  if (std::error_code error; std::filesystem::exists(name, error)) {
    throw std::invalid_argument(fmt::format(
        "'{}' exists, but is not what is read here: networks are .onnx files and built-in names ({}), where "
        "layers are priced also lists of them (.csv), where they run also folders of runs",
        name, fmt::join(names, ", ")));
  }
  if (name.find('/') != std::string::npos)
    throw std::invalid_argument(fmt::format("there is no file or folder '{}'", name));
  throw std::invalid_argument(
      fmt::format("unknown network '{}'; known: {}{}", name, fmt::join(names, ", "), did_you_mean(name, names)));
}

}  // namespace bitstrata::model
