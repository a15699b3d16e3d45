// bundle: what one machine needs of an export. Here: the options, and what will be in the folder before anything is written.
#pragma once

#include <string>
#include <vector>

#include "fastvlm/base/json.h"
#include "fastvlm/device/bundle_manifest.h"
#include "fastvlm/run/runtimes.h"
#include "fastvlm/session/output_folder.h"
#include "fastvlm/targets/registry.h"

namespace fastvlm::device {

struct BundleOptions {
  Path output_dir;  // of export, compiled for the chip
  Path bundle_dir;
  std::string target;
  std::string runtime = kOnnxRuntime;
  std::string recipe = {};          // of the decoder; empty: fp16, or else the first there is
  bool unshared = false;            // a context for each graph, which the emulation on x86 can open; weights lie in it once per graph
  bool probe = false;               // also contexts that give the output of every layer
  std::vector<Path> pictures = {};  // of the self-test; empty: two that are made up
  std::string question = "What is in this picture?";
  std::int64_t answer_rows = 8;  // of logits that the self-test compares for each picture
  bool force = false;            // replace a bundle that is there
  OpenGraph open_cpu = {};       // makes the self-test
  RuntimeSearch runtimes = {};   // to compile, and to read what contexts say about themselves
  Path program = {};             // fastvlm-npu, for child processes
  Path cache_folder = {};        // of compiled contexts; empty: none
  Targets known_targets = fastvlm::known_targets();
};

struct PlannedFile {
  std::string name;
  std::uint64_t bytes = 0;
  std::string made;    // "linked", "compiled", "self-test", "made"
  bool about = false;  // the size is an estimate
  Path source = {};    // of what is linked
};

// A context that the export does not have: a graph alone, one with probes, or one that takes pixels as Genie hands them on.
struct ContextToCompile {
  std::string graph;
  bool probed = false;
  std::string binary = {};  // where Genie finds it, below the bundle; empty: npu/<chip>/, with a wrapper
  bool coded_pixels = false;
};

struct BundlePlan {
  OutputFolder folder;  // the graphs that the machine gets: vision, and decoder of the recipe
  ChosenChip chip;
  std::vector<PlannedFile> files;
  std::vector<ContextEntry> contexts;  // of the export that are taken as they are
  std::vector<ContextToCompile> to_compile;
  std::vector<BundleContext> genie;  // all contexts of a bundle for Genie, the one of the pictures last
  std::uint64_t total_bytes() const;
};

// Errors: no such chip, not compiled for it (or by tools that write no ONNX wrappers), no such recipe, a runtime that is not offered,
// a folder that exists, files of the export that are missing.
Result<BundlePlan> plan_bundle(const BundleOptions& options);

// Adds a file of the export, which will be linked under the name `as`.
Status plan_file(BundlePlan& plan, const std::string& name, const std::string& as);
// Adds a context, whose size is an estimate, under the name of its file.
Status plan_compile(BundlePlan& plan, const ContextToCompile& one, const std::string& file);
// The entry of the manifest for the chip and the graph; an Error says to compile.
Result<ContextEntry> compiled_context(const BundlePlan& plan, const std::string& graph);

OrderedJson plan_json(const BundlePlan& plan, const BundleOptions& options);

}  // namespace fastvlm::device
