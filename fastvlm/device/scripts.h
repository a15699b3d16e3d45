// The scripts and the page for people in a bundle, made from plain templates (script_templates.h).
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "fastvlm/device/bundle_manifest.h"
#include "fastvlm/device/selftest.h"

namespace fastvlm::device {

// README.md, push.sh and run.sh by name. `manifest` lists the files that they watch over: all but themselves.
std::map<std::string, std::string> bundle_scripts(const BundleManifest& manifest, const SelfTest& test);

// The text with every @NAME@ replaced.
std::string filled(std::string_view text, const std::vector<std::pair<std::string, std::string>>& values);

}  // namespace fastvlm::device
