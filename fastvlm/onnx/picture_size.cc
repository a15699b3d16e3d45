#include "fastvlm/onnx/picture_size.h"

#include <onnx/onnx_pb.h>

#include <optional>

#include "fastvlm/base/try.h"
#include "fastvlm/onnx/model_file.h"
#include "fastvlm/onnx/parse.h"

namespace fastvlm {
namespace {

constexpr const char* kPixels = "pixel_values";

// Lengths of a square picture's maps, before and after the change of size.
struct Change {
  std::int64_t from = 0, to = 0;  // sides of the picture

  // The side that a map of side `side` has now; nothing when it is no whole part of the picture.
  std::optional<std::int64_t> side(std::int64_t side) const {
    if (side <= 0 || from % side != 0 || to % (from / side) != 0) return std::nullopt;
    return to / (from / side);
  }
  std::optional<std::int64_t> tokens(std::int64_t count) const {
    std::int64_t root = 1;
    while (root * root < count) ++root;
    const auto changed = side(root);
    if (root * root != count || !changed) return std::nullopt;
    return *changed * *changed;
  }
};

std::optional<std::int64_t> extent(const OnnxType* type, std::size_t axis) {
  if (type == nullptr || axis >= type->dims.size() || !type->dims[axis].is_static()) return std::nullopt;
  return type->dims[axis].value;
}

// [0, tokens, C] and [0, tokens, heads, C / heads] keep the tokens at axis 1; [0, height, width, C] makes a map of rows of C.
std::optional<Shape> changed_target(const Shape& target, const OnnxType* input, const Change& change) {
  Shape changed = target;
  if (target.size() < 3 || target.size() > 4 || target[0] != 0 || input == nullptr) return std::nullopt;
  const bool map = target.size() == 4 && input->dims.size() == 3 && extent(input, 2) == target[3];
  const auto first = map ? change.side(target[1]) : change.tokens(target[1]);
  if (!first || (map && target[1] != target[2])) return std::nullopt;
  changed[1] = *first;
  if (map) changed[2] = *first;
  return changed;
}

Result<Shape> target_of(const OnnxModel& model, const onnx::NodeProto& node, const std::string& what) {
  if (node.output_size() != 1) return bad_input("{}: a Reshape has {} outputs", what, node.output_size());
  for (const OnnxInitializer& initializer : model.initializers)
    if (node.input_size() == 2 && initializer.name == node.input(1) && initializer.constant && initializer.dtype == Dtype::kInt64) {
      const auto numbers = initializer.constant->int64s();
      return Shape(numbers.begin(), numbers.end());
    }
  return bad_input("{}: the extents of \"{}\" are no constant, so the picture size cannot be changed", what, node.output(0));
}

// Its own constant for each Reshape: two of them may share one now and differ after the change.
Status change_reshape(const OnnxModel& model, const Change& change, onnx::GraphProto& graph, onnx::NodeProto& node,
                      const std::string& what) {
  TRY_ASSIGN(const Shape target, target_of(model, node, what));
  const auto changed = changed_target(target, model.type_of(node.input(0)), change);
  if (!changed)
    return bad_input("{}: \"{}\" makes {}, which is no map of a picture of {} pixels{}{}", what, node.output(0), to_string(target),
                     change.from, model.inference_note.empty() ? "" : "; shapes were not inferred: ", model.inference_note);
  onnx::TensorProto& constant = *graph.add_initializer();
  constant.set_name(node.output(0) + ":extents");
  constant.set_data_type(onnx::TensorProto::INT64);
  constant.add_dims(static_cast<std::int64_t>(changed->size()));
  for (std::int64_t value : *changed) constant.add_int64_data(value);
  node.set_input(1, constant.name());
  return {};
}

}  // namespace

Result<std::string> at_picture_size(const Path& encoder, std::int64_t size) {
  const std::string what = encoder.string();
  onnx::ModelProto proto;
  TRY(read_message(encoder, proto));
  TRY_ASSIGN(const OnnxModel model, read_onnx(encoder));
  onnx::GraphProto& graph = *proto.mutable_graph();
  const OnnxType* pixels = model.type_of(kPixels);
  const auto height = extent(pixels, 2), width = extent(pixels, 3);
  if (graph.input_size() != 1 || graph.input(0).name() != kPixels || !height || height != width)
    return bad_input("{}: its only input must be \"{}\" of one picture size", what, kPixels);
  const Change change{.from = *height, .to = size};
  auto& dims = *graph.mutable_input(0)->mutable_type()->mutable_tensor_type()->mutable_shape();
  for (int axis : {2, 3}) dims.mutable_dim(axis)->set_dim_value(size);
  for (auto& node : *graph.mutable_node())
    if (node.op_type() == "Reshape") TRY(change_reshape(model, change, graph, node, what));
  graph.clear_value_info();
  for (auto& output : *graph.mutable_output()) {
    auto& shape = *output.mutable_type()->mutable_tensor_type()->mutable_shape();
    if (shape.dim_size() == 3 && shape.dim(1).has_dim_value())
      if (const auto tokens = change.tokens(shape.dim(1).dim_value())) shape.mutable_dim(1)->set_dim_value(*tokens);
  }
  return written_again(proto, what);
}

}  // namespace fastvlm
