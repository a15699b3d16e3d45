// Writes safetensors files as a stream: the header is laid out first, then the data may come in pieces, at any position,
// from any thread. The same tensors give the same bytes.
#pragma once

#include <cstddef>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "fastvlm/base/files.h"
#include "fastvlm/checkpoint/safetensors.h"
#include "fastvlm/tensor/tensor.h"

namespace fastvlm {

struct TensorDeclaration {
  std::string name;
  Dtype dtype = Dtype::kFloat32;
  Shape shape;
};

struct SafetensorsLayout {
  std::string header;                     // length prefix, JSON and padding: the first bytes of the file
  std::vector<SafetensorsEntry> tensors;  // in the order of their data; offsets count from the start of the file
  std::uint64_t file_size = 0;
};

// Wide elements come first, then the order is by name, and the data begins at a multiple of 8: every tensor is aligned to
// its elements. Two tensors of one name, or one called "__metadata__", are our own bug.
SafetensorsLayout lay_out_safetensors(std::span<const TensorDeclaration> tensors, const std::map<std::string, std::string>& metadata);

class SafetensorsWriter {
 public:
  // Reserves the whole file and writes the header. A full disk is an Error.
  static Result<SafetensorsWriter> create(const Path& path, SafetensorsLayout layout);

  const std::vector<SafetensorsEntry>& tensors() const { return layout_.tensors; }
  // `bytes` of tensor `index` from byte `position` of its data on. Every byte must be written once; safe from several threads.
  Status write(std::size_t index, std::uint64_t position, std::span<const std::byte> bytes);
  // Must be called to learn of late errors.
  Status close() { return file_.close(); }

 private:
  SafetensorsWriter(OutputFile file, SafetensorsLayout layout) : file_(std::move(file)), layout_(std::move(layout)) {}
  OutputFile file_;
  SafetensorsLayout layout_;
};

// A file of tensors that are in memory. An unfinished file is removed.
Status write_safetensors(const Path& path, std::span<const NamedTensor> tensors, const std::map<std::string, std::string>& metadata);

}  // namespace fastvlm
