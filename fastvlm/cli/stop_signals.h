// Ctrl-C and SIGTERM ask the work to stop and clean up; the second one does not wait.
#pragma once

#include <stop_token>

namespace fastvlm::cli {

// Installs the handlers. The token is for the work of main().
std::stop_token install_stop_signals();

// A token that has not been asked yet; signals go to it from now on and no more to those before.
std::stop_token renewed_stop();

}  // namespace fastvlm::cli
