// SPDX-License-Identifier: Apache-2.0
// The verbs of the program. Each takes the words after its name and returns the exit status: 0 good, 1 a check failed.
// What the user did wrong is thrown as a std::exception, which main prints as one line and turns into status 2.
#pragma once

#include <string>
#include <vector>

namespace bitstrata::cli {

int list(const std::vector<std::string>& arguments);
int run(const std::vector<std::string>& arguments);
int plan(const std::vector<std::string>& arguments);
int verify(const std::vector<std::string>& arguments);
int table(const std::vector<std::string>& arguments);
int sweep(const std::vector<std::string>& arguments);
int report(const std::vector<std::string>& arguments);
int generate(const std::vector<std::string>& arguments);
int characterize(const std::vector<std::string>& arguments);
int export_network(const std::vector<std::string>& arguments);
// ONNX files are evaluated here, run folders by the training program.
int evaluate(const std::vector<std::string>& arguments);
bool evaluates_onnx(const std::vector<std::string>& arguments);

}  // namespace bitstrata::cli
