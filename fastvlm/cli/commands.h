// The verbs. Each function takes what the command line said, calls the library, prints, and returns the exit code:
// 0 done, 1 a check failed, 2 wrong usage, 3 bad input file, 4 environment, 130 interrupted.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "fastvlm/base/files.h"
#include "fastvlm/run/runtimes.h"

namespace fastvlm {
struct CompiledTarget;
}

namespace fastvlm::cli {

struct CommonArguments {
  bool json = false;
  bool quiet = false;    // no progress
  unsigned threads = 0;  // 0: one per core
  RuntimeSearch runtimes;
};

// What export, plan and compile share about the NPU.
struct NpuArguments {
  std::vector<std::string> targets;
  std::vector<std::int64_t> image_sizes;
  std::vector<std::int64_t> prefill = {128};
  std::int64_t context = 1024;
  std::string prefill_logits = "all";
  std::vector<std::string> fused;
  std::string io_dtype = "float32";
  double part_limit_gb = 0;
  unsigned jobs = 0;
  bool compile = true;  // false: write the graphs only
};

struct ExportArguments {
  Path model_dir;
  Path output_dir;
  std::optional<std::int64_t> image_size;
  std::string dtype = "float32";
  bool force = false;
  bool refuse_not_finite = false;
  NpuArguments npu;
};
int export_command(const ExportArguments& arguments, const CommonArguments& common);
int plan_command(const ExportArguments& arguments, const CommonArguments& common);

struct CompileArguments {
  Path output_dir;
  std::vector<std::string> targets;
  unsigned jobs = 0;
  bool no_cache = false;
  Path sdk;
};
int print_compiled(const std::vector<CompiledTarget>& targets, bool json);
int compile_command(const CompileArguments& arguments, const CommonArguments& common);

struct InspectArguments {
  Path path;
  bool tensors = false;  // every tensor, not only their number
  bool hash = false;     // SHA-256 of large files too
};
int inspect_command(const InspectArguments& arguments, const CommonArguments& common);

struct MakeCheckpointArguments {
  std::string size = "tiny";
  std::string dialect = "apple";
  Path output_dir;
  std::uint64_t seed = 0;
  bool force = false;
};
int make_checkpoint_command(const MakeCheckpointArguments& arguments, const CommonArguments& common);

struct DoctorArguments {
  bool fetch = false;
};
int doctor_command(const DoctorArguments& arguments, const CommonArguments& common);

struct CheckOpsArguments {
  Path model;
  std::string target;
  bool all = false;      // accepted nodes too
  bool compile = false;  // ask the real backend too
};
int check_ops_command(const CheckOpsArguments& arguments, const CommonArguments& common);

struct PreprocessArguments {
  Path image;
  std::int64_t image_size = 1024;
  std::string mode = "pad";
  bool ignore_exif = false;
  Path output;
};
int preprocess_command(const PreprocessArguments& arguments, const CommonArguments& common);

struct TokenizeArguments {
  Path model_dir;
  bool decode = false;
  bool chat = false;
};
int tokenize_command(const TokenizeArguments& arguments, const CommonArguments& common);

struct ChatArguments {
  Path output_dir;
  Path image;
  std::optional<std::string> prompt;  // nothing: interactive
  std::string runner = "cpu";
  std::string target = "sm8750";
  std::optional<std::int64_t> image_size;
  std::int64_t max_new_tokens = 256;
  double temperature = 0;
  std::uint64_t seed = 0;
  std::optional<std::string> system;
  Path batch;
  Path batch_output;
  bool prepack = false;
};
int chat_command(const ChatArguments& arguments, const CommonArguments& common);

struct VerifyArguments {
  Path output_dir;
  Path model_dir;  // empty: without the checkpoint
  Path reference;  // empty: without expected values
  std::string runner = "cpu";
  std::string target = "sm8750";
};
int verify_command(const VerifyArguments& arguments, const CommonArguments& common);

}  // namespace fastvlm::cli
