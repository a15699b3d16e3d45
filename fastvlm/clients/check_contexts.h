// What the checks of layouts with contexts have in common: what a context says about itself, against what stands around it.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "fastvlm/base/json.h"
#include "fastvlm/clients/check_layout_graphs.h"
#include "fastvlm/targets/registry.h"

namespace fastvlm::clients {

using Tensors = std::map<std::string, Shape>;
Tensors tensors_of(const std::vector<OnnxValue>& values);
Tensors tensors_of(const std::vector<ContextTensor>& values);

// An extent of a tensor, the last one by default; -1 where there is none.
std::int64_t last_of(const Tensors& tensors, const std::string& name, std::size_t from_behind = 0);

// What layouts.json says about the contexts; a row where it says nothing.
struct ContextOrigin {
  std::string compiler;      // "v2.51.0.260929181845"
  std::optional<Chip> chip;  // by its numbers; nothing for a name that we do not know
};
ContextOrigin context_origin(LayoutCheck& check);

// What a context binary says about itself, once for each file. Nothing, and a row, where it is missing, cut off, no context or of
// another compiler or chip; a row that says so where there is no QNN to read it.
class ContextFiles {
 public:
  ContextFiles(LayoutCheck& check, const ContextOrigin& origin) : check_(check), origin_(origin) {}
  const ContextInfo* read(const std::string& file);

 private:
  std::optional<ContextInfo> read_once(const std::string& file);
  LayoutCheck& check_;
  const ContextOrigin& origin_;
  std::map<std::string, std::optional<ContextInfo>> known_;
};

// Why it is not of the compiler and the chip of layouts.json.
std::optional<std::string> wrong_origin(const std::string& compiler, std::optional<std::int64_t> soc_model, const ContextOrigin& origin);

// What of the decoder's or the tower's tensors does not fit; they are bound by name. `context`: -1 for any.
std::optional<std::string> wrong_decoder(const Tensors& inputs, const Tensors& outputs, std::int64_t context);
std::optional<std::string> wrong_vision(const Tensors& inputs, const Tensors& outputs);

// 32 of "npu/decoder_ar32_cl128_ctx.onnx"; nothing where the name has no such number.
std::optional<std::int64_t> new_tokens_of_name(const std::string& file);

// The table as the client reads it: no header, so only its size can tell.
void check_table(LayoutCheck& check, const std::string& file, std::int64_t rows, std::int64_t width);

}  // namespace fastvlm::clients
