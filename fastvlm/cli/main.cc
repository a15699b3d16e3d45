#include <CLI/CLI.hpp>
#include <csignal>

#include "fastvlm/base/interrupt.h"
#include "fastvlm/base/version.h"
#include "fastvlm/cli/commands.h"

using namespace fastvlm;
using namespace fastvlm::cli;

int main(int argc, char** argv) {
  std::signal(SIGINT, [](int) { request_interrupt(); });
  std::signal(SIGTERM, [](int) { request_interrupt(); });
  CLI::App app("x", "fastvlm-npu");
  ExportArguments e; CommonArguments common;
  auto* ex = app.add_subcommand("export"); auto* pl = app.add_subcommand("plan");
  for (auto* s : {ex, pl}) {
    s->add_option("--model-dir", e.model_dir)->required(); s->add_option("--output-dir", e.output_dir); s->add_option("--image-size", e.image_size);
    s->add_option("--dtype", e.dtype); s->add_flag("--force", e.force); s->add_option("--target", e.npu.targets)->delimiter(',');
    s->add_option("--image-sizes", e.npu.image_sizes)->delimiter(','); s->add_option("--prefill", e.npu.prefill)->delimiter(',');
    s->add_option("--context", e.npu.context); s->add_option("--prefill-logits", e.npu.prefill_logits); s->add_option("--fused", e.npu.fused)->delimiter(',');
    s->add_option("--io-dtype", e.npu.io_dtype);
    s->add_flag("--json", common.json);
  }
  CLI11_PARSE(app, argc, argv);
  if (*ex) return export_command(e, common);
  if (*pl) return plan_command(e, common);
}
