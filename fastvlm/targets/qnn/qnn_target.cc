#include "fastvlm/targets/qnn/qnn_target.h"

#include <array>

#include "fastvlm/base/try.h"
#include "fastvlm/targets/qnn/check/ask_backend.h"
#include "fastvlm/targets/qnn/check/check_ops.h"
#include "fastvlm/targets/qnn/chips/soc_table.h"
#include "fastvlm/targets/qnn/compile/compile.h"
#include "fastvlm/targets/qnn/compile/estimate.h"
#include "fastvlm/targets/qnn/compile/sdk_tools.h"
#include "fastvlm/targets/qnn/context/context_format.h"
#include "fastvlm/targets/qnn/lower/htp_expansions.h"
#include "fastvlm/targets/qnn/lower/joins.h"
#include "fastvlm/targets/qnn/run/htp_runner.h"
#include "fastvlm/targets/qnn/run/load_worker.h"
#include "fastvlm/targets/qnn/workers.h"

namespace fastvlm::qnn {
namespace {

// What the rows of htp_expansions() and the semantic functions become.
constexpr std::array<std::string_view, 28> kOperators = {"Abs",
                                                         "Add",
                                                         "Cast",
                                                         "Clip",
                                                         "Concat",
                                                         "Conv",
                                                         "DequantizeLinear",
                                                         "Div",
                                                         "Erf",
                                                         "Gather",
                                                         "Gelu",
                                                         "Gemm",
                                                         "GlobalAveragePool",
                                                         "LayerNormalization",
                                                         "MatMul",
                                                         "Mul",
                                                         "Neg",
                                                         "QuantizeLinear",
                                                         "Relu",
                                                         "Reshape",
                                                         "Sigmoid",
                                                         "SimplifiedLayerNormalization",
                                                         "Slice",
                                                         "Softmax",
                                                         "Split",
                                                         "Sub",
                                                         "Transpose",
                                                         "com.microsoft::MatMulNBits"};

Result<std::vector<CompiledGroup>> compile(const CompileRequest& request, Progress& progress) {
  return request.sdk.empty() ? compile_groups(request, progress) : compile_groups_with_sdk(request, progress);
}

Result<std::unique_ptr<Runner>> open_runner(const NpuRunnerRequest& request) {
  TRY_ASSIGN(std::unique_ptr<Runner> runner, open_htp_runner(request));
  return runner;
}

}  // namespace

constinit const Target kTarget = {
    .name = "qnn-htp",
    .title = "Qualcomm HTP",
    .runner = "htp",
    .chips = htp_chips,
    .expansions = htp_expansions,
    .integer_expansions = htp_integer_expansions,
    .operators = kOperators,
    .is_joined = is_inside_gelu,
    .refuses = [](const Chip& chip, Precision precision) { return refuses(soc_of(chip), precision); },
    .find_runtimes = [](const RuntimeSearch& search) { return require_runtimes(search, /*with_qnn=*/true); },
    .check_compiler = check_compiler,
    .compile = compile,
    .compile_memory = compile_memory,
    .context_bytes = context_bytes,
    .open_runner = open_runner,
    .workers = workers,
    .check_operators = [](const OnnxModel& model, const Chip& chip) { return check_ops(model, soc_of(chip)); },
    .ask_compiler = ask_backend,
    .context_format = &kContextFormat,
    .is_emulated = is_emulated,
    .try_to_load = try_to_load,
};

}  // namespace fastvlm::qnn
