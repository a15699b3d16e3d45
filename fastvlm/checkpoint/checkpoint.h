// A checkpoint folder: config.json and the tensors of one or several safetensors files under canonical names.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "fastvlm/base/json.h"
#include "fastvlm/checkpoint/safetensors.h"
#include "fastvlm/tensor/weight.h"

namespace fastvlm {

struct AdapterUpdate;
struct TensorDeclaration;

struct CheckpointTensor {
  std::string name;       // canonical
  std::string file_name;  // as it stands in the file
  Dtype dtype = Dtype::kFloat32;
  Shape shape;                 // channels first, whatever the order in the file
  bool channels_last = false;  // the file has [out, height, width, in], as MLX does
  std::uint64_t offset = 0;
  std::uint64_t bytes = 0;
  const InputFile* file = nullptr;              // nullptr: declared only
  std::shared_ptr<const AdapterUpdate> update;  // what a LoRA adapter adds
};

// The two factors of a LoRA adapter for one weight.
struct AdapterUpdate {
  CheckpointTensor down, up;
  float scale = 1;
  bool embedding = false;  // the table is [in, out]: both factors lie transposed
};

class Checkpoint {
 public:
  // Reads headers only. Errors name the file and the tensor. With `base_model`, `folder` holds what is put over that model: a LoRA
  // adapter of peft, tensors that were trained beside it, or a projector.
  static Result<Checkpoint> open(const Path& folder, const Path& base_model = {});
  // Only the config is in the folder: these tensors are taken to be stored, and their numbers are made up. Good for sizes only.
  static Result<Checkpoint> declared(const Path& folder, const std::vector<TensorDeclaration>& tensors);

  const Path& folder() const { return folder_; }
  // Where a small file is taken from: the folder, or else the base model.
  Path side_file(std::string_view name) const;
  // The folder whose tokenizer is the model's: that of the adapter if it has one.
  const Path& tokenizer_folder() const;
  // The head was tied, but the adapter treats table and head differently, so that they are two matrices now.
  bool head_apart() const { return head_apart_; }
  const Json& config() const { return config_; }
  // "llava_qwen2" or "fast_vlm".
  const std::string& model_type() const { return model_type_; }
  // Sorted by canonical name, without the ignored ones.
  const std::vector<CheckpointTensor>& tensors() const { return tensors_; }
  const std::vector<Path>& files() const { return files_; }
  // nullptr when there is none.
  const CheckpointTensor* find(const std::string& canonical) const;
  // What there is in place of a missing tensor, for a message: a name that ends like it, or an example of what the files hold.
  std::string instead_of(const std::string& canonical) const;
  // How many of the file's tensors are passed over on purpose (counters, CLIP head).
  std::size_t ignored() const { return ignored_; }
  // What is odd about the files and names, a sentence each.
  const std::vector<std::string>& findings() const { return findings_; }
  // Tensors that belong to no part of the model, as named in the files.
  const std::vector<std::string>& unknown() const { return unknown_; }
  // Tensors of shards that the index does not list.
  const std::vector<std::string>& unlisted() const { return unlisted_; }
  std::uint64_t total_bytes() const;

  // The numbers of a tensor as the model takes them; nothing is read yet. The checkpoint must outlive the weight.
  WeightPtr weight(const CheckpointTensor& tensor) const;
  // The whole tensor as float32, for small ones.
  Result<std::vector<float>> read(const CheckpointTensor& tensor) const;

 private:
  Status read_config();
  void sort_tensors();
  Status add_model();
  Status add_projector(const Path& path);
  Status add_overlay();
  Status add_adapter(const Path& config_path, const Path& path);
  Status add_replacements(const Path& path);
  Status add_update(const std::string& module, AdapterUpdate update);
  Status replace(CheckpointTensor tensor, const Path& path);
  Status replace_table_and_head(CheckpointTensor tensor);
  Result<bool> head_is_table() const;
  void set_head(CheckpointTensor tensor);
  Status split_head(const std::string& canonical);
  CheckpointTensor* target_of(const std::string& canonical);
  Result<const InputFile*> open_file(const Path& path);
  Status add_file(const Path& path, const Json* weight_map);
  Status note_zeros(const InputFile& file, const SafetensorsEntry& last);
  Status add_tensor(const InputFile& file, const SafetensorsEntry& entry);
  void note_wrappers();
  Status turn_channels_last();
  Status check_weight_map(const Json& weight_map, const Path& index) const;

  Path folder_, model_folder_;  // the second is the base model's, where there is one
  bool head_apart_ = false;
  Json config_;
  std::string model_type_;
  std::vector<std::unique_ptr<InputFile>> inputs_;
  std::vector<Path> files_;
  std::vector<CheckpointTensor> tensors_;
  std::unordered_map<std::string, std::size_t> index_;
  std::vector<std::string> unknown_, unlisted_;
  std::vector<std::string> names_;  // all, as in the files
  std::vector<std::string> findings_;
  std::map<std::string, std::size_t> wrappers_;  // how many names had them
  std::size_t ignored_ = 0;
};

}  // namespace fastvlm
