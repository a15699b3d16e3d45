#include "fastvlm/clients/export_layouts.h"

#include <limits>

#include "fastvlm/export/edited_checkpoint_for_tests.h"

namespace fastvlm::clients {
namespace {

TEST(ExportLayouts, SeesWeightsThatAreNoNumbersAlsoWhereOnlyTheirCodesAreWritten) {
  const FolderForTests folder;
  EditedCheckpoint checkpoint(folder / "model", "apple-tied");
  NamedTensor& weight = checkpoint.tensor("model.layers.1.mlp.down_proj.weight");
  weight.tensor = to_float32(weight.tensor.view());
  weight.tensor.floats()[7] = std::numeric_limits<float>::quiet_NaN();
  checkpoint.save();
  for (const char* variant : {"q8", "q4"}) {
    LayoutExportOptions options{.model = {.model_dir = checkpoint.path(), .output_dir = folder / variant, .image_size = 128},
                                .layouts = {"transformers-js"},
                                .variants = {variant}};
    Progress silent;
    const auto report = export_layouts(options, silent);
    ASSERT_TRUE(report.ok()) << report.error().message;
    EXPECT_TRUE(mentions(report->findings, "down_proj")) << variant;
    options.model.output_dir = folder / "strict";
    options.model.refuse_not_finite = true;
    const auto refused = export_layouts(options, silent);
    ASSERT_FALSE(refused.ok()) << variant;
    EXPECT_NE(refused.error().message.find("holds 1 NaN or infinite values"), std::string::npos) << refused.error().message;
    EXPECT_FALSE(std::filesystem::exists(folder / "strict"));
  }
}

}  // namespace
}  // namespace fastvlm::clients
